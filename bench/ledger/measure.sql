-- What the ledger adds to an extractive answer: the same question with and without it, in turn, 300 times.
SET client_min_messages = warning;
SET socle.default_model = 'multilingual';
CREATE TABLE article (id int PRIMARY KEY, body text);
INSERT INTO article SELECT i, format('Note %s: Every night a backup of the database goes to server %s. It is kept for %s days.', i, i % 7, i % 30)
FROM generate_series(1, 2000) AS i;
SELECT socle.create_corpus('handbook', source => 'article', content => ARRAY['body']);
SELECT socle.wait_for_corpus('handbook');
CREATE TEMP TABLE measured (recorded boolean, milliseconds float8);
DO $$
DECLARE
    begun timestamptz;
BEGIN
    FOR turn IN 1..600 LOOP
        PERFORM set_config('socle.ledger', CASE WHEN turn % 2 = 0 THEN 'on' ELSE 'off' END, false);
        begun := clock_timestamp();
        PERFORM answer FROM socle.answer('handbook', format('How long is backup %s kept?', turn / 2));
        INSERT INTO measured VALUES (turn % 2 = 0, 1000 * extract(epoch FROM clock_timestamp() - begun));
    END LOOP;
END
$$;
SELECT recorded, percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY milliseconds) AS milliseconds FROM measured GROUP BY 1;
