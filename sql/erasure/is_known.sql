SELECT EXISTS (SELECT FROM socle.erasure_status s WHERE s.erasure = $1)
