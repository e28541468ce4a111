-- An owner that has put something of its own wherever a role without special rights can. Everything that runs records
-- as whom.
GRANT USAGE ON SCHEMA trap TO PUBLIC;

-- Records as whom it runs, and tries to leave something behind or to become another role.
CREATE FUNCTION trap.spring(hook text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE attempt text;
BEGIN
    INSERT INTO public.canary VALUES (current_user, session_user, hook);
    FOREACH attempt IN ARRAY ARRAY[
        $q$ SELECT set_config('search_path', 'trap, pg_catalog, public', false) $q$,
        $q$ SELECT set_config('application_name', 'trapped', false) $q$,
        $q$ SELECT set_config('session_replication_role', 'replica', false) $q$,
        $q$ SELECT set_config('row_security', 'off', false) $q$,
        $q$ CREATE TEMP TABLE left_behind (a int) $q$,
        $q$ LISTEN trap $q$,
        $q$ PREPARE trapped AS SELECT 1 $q$,
        $q$ SELECT pg_advisory_lock(4711) $q$,
        $q$ SELECT pg_try_advisory_lock_shared(4711, 4711) $q$,
        $q$ SELECT pg_advisory_unlock_all() WHERE session_user <> 'mallory' $q$,
        $q$ SELECT pg_advisory_unlock_shared(4711, 4711) $q$,
        $q$ SELECT setseed(0.5) $q$,
        $q$ SET ROLE postgres $q$,
        $q$ RESET ROLE $q$,
        $q$ SET SESSION AUTHORIZATION postgres $q$,
        $q$ ALTER ROLE mallory SUPERUSER $q$]
    LOOP
        BEGIN EXECUTE attempt; EXCEPTION WHEN OTHERS THEN NULL; END;
    END LOOP;
    RETURN true;
END $$;
CREATE FUNCTION trap.spring_trigger() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM trap.spring('trigger ' || TG_NAME || ' on ' || TG_TABLE_NAME);
    RETURN CASE WHEN TG_OP = 'DELETE' THEN OLD ELSE NEW END;
END $$;
-- What pretends to depend on nothing is evaluated when a statement is planned.
CREATE FUNCTION trap.constant(hook text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN PERFORM trap.spring(hook); RETURN hook; END $$;
-- Under the names of functions that all sessions call.
CREATE FUNCTION trap.now() RETURNS timestamptz LANGUAGE sql AS $$ SELECT trap.spring('now()'); SELECT pg_catalog.now() $$;

CREATE TYPE trap.k AS ENUM ('x1', 'x2', 'x3');
CREATE FUNCTION trap.to_json(trap.k) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM trap.spring('cast to json'); RETURN '1'; END $$;
CREATE FUNCTION trap.to_jsonb(trap.k) RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN PERFORM trap.spring('cast to jsonb'); RETURN '1'; END $$;
CREATE FUNCTION trap.to_text(trap.k) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM trap.spring('cast to text'); RETURN 'x'; END $$;
CREATE FUNCTION trap.to_int(trap.k) RETURNS int LANGUAGE plpgsql AS $$ BEGIN PERFORM trap.spring('cast to int'); RETURN 1; END $$;
CREATE FUNCTION trap.from_text(text) RETURNS trap.k LANGUAGE plpgsql AS $$ BEGIN PERFORM trap.spring('cast from text'); RETURN 'x1'; END $$;
CREATE FUNCTION trap.array_to_text(trap.k[]) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM trap.spring('cast of array'); RETURN 'x'; END $$;
CREATE FUNCTION trap.equal(trap.k, trap.k) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM trap.spring('operator'); RETURN true; END $$;
CREATE CAST (trap.k AS json) WITH FUNCTION trap.to_json(trap.k);
CREATE CAST (trap.k AS jsonb) WITH FUNCTION trap.to_jsonb(trap.k);
CREATE CAST (trap.k AS text) WITH FUNCTION trap.to_text(trap.k) AS ASSIGNMENT;
CREATE CAST (trap.k AS int) WITH FUNCTION trap.to_int(trap.k) AS ASSIGNMENT;
CREATE CAST (text AS trap.k) WITH FUNCTION trap.from_text(text);
CREATE CAST (trap.k[] AS text) WITH FUNCTION trap.array_to_text(trap.k[]);
CREATE OPERATOR trap.= (LEFTARG = trap.k, RIGHTARG = trap.k, FUNCTION = trap.equal);
CREATE DOMAIN trap.checked AS int CHECK (trap.spring('check of a domain'));

CREATE TABLE trap.source (
    id trap.k PRIMARY KEY,
    body text DEFAULT trap.constant('default'),
    title text,
    kind trap.k DEFAULT 'x1',
    kinds trap.k[],
    tenant trap.checked,
    tenants trap.checked[],
    CHECK (trap.spring('check of a table')),
    made text GENERATED ALWAYS AS (trap.constant('generated column')) STORED
);
INSERT INTO trap.source VALUES ('x1', 'alpha beta', 'one', 'x1', '{x1}', 1, '{1}'), ('x2', 'gamma delta', 'two', 'x2', '{x2}', 2, '{2}');
SELECT socle.create_corpus('atk', 'trap.source', '{body}', title => 'title', template => '{title} {kind} {kinds} {tenant} {content}', model => 'minilm',
                           token_model => 'colbert');
