-- Models that come as one file: what was imported, its bytes, the keys that vouch for it, and who may use a model.
--
-- Not dumped, unlike the registry: a dump holds no weights, and does not tell another server whom to trust. The bytes are in a
-- table, so that standbys, base backups and recovery to a point in time have them; what engine and generator read is written to files
-- by the first session that needs it, on each server.

CREATE TABLE socle.model_package (
    sha256 text NOT NULL,
    manifest text NOT NULL,
    signature text,
    public_key text,
    imported_at timestamp with time zone NOT NULL DEFAULT pg_catalog.now(),
    imported_by name NOT NULL DEFAULT SESSION_USER,
    CONSTRAINT model_package_sha256_key PRIMARY KEY (sha256)
);
COMMENT ON TABLE socle.model_package IS 'packages of models whose files are in this database; written by socle.import_model; not dumped';
COMMENT ON COLUMN socle.model_package.sha256 IS 'SHA-256 of the manifest, which has the checksums of all files';
COMMENT ON COLUMN socle.model_package.manifest IS 'the manifest, byte by byte as it was signed: JSON';
COMMENT ON COLUMN socle.model_package.signature IS 'its signature, as minisign writes it; NULL: unsigned';
COMMENT ON COLUMN socle.model_package.public_key IS 'trusted key whose signature was verified; it counts as long as the key is trusted';
COMMENT ON COLUMN socle.model_package.imported_at IS 'time of the import';
COMMENT ON COLUMN socle.model_package.imported_by IS 'session user that imported it';
GRANT SELECT ON socle.model_package TO PUBLIC;

CREATE TABLE socle.model_package_part (
    package text NOT NULL CONSTRAINT model_package_part_package_fkey REFERENCES socle.model_package (sha256) ON DELETE CASCADE,
    file_number integer NOT NULL,
    part_number integer NOT NULL,
    bytes bytea NOT NULL,
    CONSTRAINT model_package_part_package_file_number_part_number_key PRIMARY KEY (package, file_number, part_number)
);
ALTER TABLE socle.model_package_part ALTER COLUMN bytes SET STORAGE EXTERNAL;
COMMENT ON TABLE socle.model_package_part IS 'files of imported models, in parts; not dumped';
COMMENT ON COLUMN socle.model_package_part.package IS 'the package';
COMMENT ON COLUMN socle.model_package_part.file_number IS 'position of the file in the manifest, from 0';
COMMENT ON COLUMN socle.model_package_part.part_number IS 'position of the part in the file, from 0';
COMMENT ON COLUMN socle.model_package_part.bytes IS 'at most 1 MB';
REVOKE ALL ON socle.model_package_part FROM PUBLIC;

CREATE TABLE socle.trusted_key (
    name text NOT NULL CONSTRAINT trusted_key_name_check CHECK (name OPERATOR(pg_catalog.<>) ''),
    public_key text NOT NULL,
    key_id text NOT NULL,
    trusted_at timestamp with time zone NOT NULL DEFAULT pg_catalog.now(),
    trusted_by name NOT NULL DEFAULT SESSION_USER,
    CONSTRAINT trusted_key_name_key PRIMARY KEY (name),
    CONSTRAINT trusted_key_public_key_key UNIQUE (public_key)
);
COMMENT ON TABLE socle.trusted_key IS 'keys whose signatures vouch for models; written by socle.trust_key and socle.distrust_key; not dumped';
COMMENT ON COLUMN socle.trusted_key.name IS 'who vouches';
COMMENT ON COLUMN socle.trusted_key.public_key IS 'public key, as minisign -P takes it';
COMMENT ON COLUMN socle.trusted_key.key_id IS 'identity of the key, as minisign shows it';
COMMENT ON COLUMN socle.trusted_key.trusted_at IS 'since when it is trusted';
COMMENT ON COLUMN socle.trusted_key.trusted_by IS 'session user that trusts it';
GRANT SELECT ON socle.trusted_key TO PUBLIC;

CREATE TABLE socle.model_grant (
    model text NOT NULL CONSTRAINT model_grant_model_fkey REFERENCES socle.model (name) ON DELETE CASCADE,
    role regrole NOT NULL,
    CONSTRAINT model_grant_model_role_key PRIMARY KEY (model, role)
);
COMMENT ON TABLE socle.model_grant IS 'who may use models that are not public; written by socle.grant_model and socle.revoke_model; not dumped';
COMMENT ON COLUMN socle.model_grant.model IS 'name of the model';
COMMENT ON COLUMN socle.model_grant.role IS 'role whose members may use it';
GRANT SELECT ON socle.model_grant TO PUBLIC;

-- They run as their caller, for the rights to the large object, and write the tables above as the owner of the extension.
CREATE FUNCTION socle.export_model(name text, source text DEFAULT NULL) RETURNS oid
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'export_model_wrapper';
COMMENT ON FUNCTION socle.export_model IS
    'writes a model, or a generator, with its manifest into a new large object of the caller, a tar file; source: where its weights come from; returns the large object';

CREATE FUNCTION socle.import_model(name text, package bytea, signature text DEFAULT NULL)
RETURNS TABLE (name text, kind text, digest text, file_count integer, byte_count bigint, license text, source text, vouched_by text)
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 1 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'import_model_bytes_wrapper';
COMMENT ON FUNCTION socle.import_model(text, bytea, text) IS
    'stores a package that socle.export_model has written in this database, and registers its model; signature: that of its manifest, if the package does not hold it';

CREATE FUNCTION socle.import_model(name text, large_object oid, signature text DEFAULT NULL)
RETURNS TABLE (name text, kind text, digest text, file_count integer, byte_count bigint, license text, source text, vouched_by text)
LANGUAGE c VOLATILE PARALLEL UNSAFE COST 1000000 ROWS 1 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'import_model_large_object_wrapper';
COMMENT ON FUNCTION socle.import_model(text, oid, text) IS
    'the same from a large object, which may be of any size: 1 MB of it is in memory at a time';

-- They run as their caller, who has to be a superuser: a grant of EXECUTE makes nobody one who says whom to trust.
CREATE FUNCTION socle.trust_key(name text, public_key text) RETURNS text
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 1000 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'trust_key_wrapper';
COMMENT ON FUNCTION socle.trust_key IS
    'trusts a public key of minisign: what it has signed is vouched for, packages that were imported before included; returns the identity of the key';

CREATE FUNCTION socle.distrust_key(name text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'distrust_key_wrapper';
COMMENT ON FUNCTION socle.distrust_key IS 'ends the trust in a key: what it alone has signed counts as unsigned from then on';

-- SECURITY DEFINER, as socle.register_model.
CREATE FUNCTION socle.grant_model(name text, role text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'grant_model_wrapper';
COMMENT ON FUNCTION socle.grant_model IS 'lets the members of a role use a model; role public: everybody, as for each new model';

CREATE FUNCTION socle.revoke_model(name text, role text) RETURNS void
LANGUAGE c VOLATILE STRICT PARALLEL UNSAFE COST 100 SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS 'MODULE_PATHNAME', 'revoke_model_wrapper';
COMMENT ON FUNCTION socle.revoke_model IS 'takes back what socle.grant_model gave; corpora that use the model already go on';
