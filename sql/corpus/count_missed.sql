SELECT count(*) FROM socle.missed_change m WHERE m.corpus = $1
