INSERT INTO socle.erasure (erasure, corpus, requested_by) VALUES ($1, $2, $3)
