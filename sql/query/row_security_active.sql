SELECT row_security_active($1::oid)
