-- From 0.1.0 to 0.2.0. What sql/schema creates anew, an existing installation gets here; a test compares both.
\echo Use "ALTER EXTENSION socle UPDATE" to load this file. \quit
