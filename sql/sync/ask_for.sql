-- Requests a resync on behalf of transaction $1, whose changes could not be logged.
INSERT INTO {change} (xid) VALUES ($1::xid8)
