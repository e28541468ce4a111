-- What all examples work on: a table of an application, a corpus over it, and a role that may search and change nothing.
-- For an empty database, as a superuser: psql -d DATABASE -v ON_ERROR_STOP=1 -f setup.sql

CREATE EXTENSION IF NOT EXISTS socle CASCADE;
SELECT name FROM socle.register_model('multilingual', 'use-multilingual-v3', license => 'Apache-2.0');
SELECT name FROM socle.register_model('reranker', 'ms-marco-minilm-l12-v2', license => 'Apache-2.0');

-- Settings belong to the database. A pooler in transaction mode gives a session to another client after each
-- transaction: what a client has set with SET would be lost for itself, and found by the next one.
SELECT format('ALTER DATABASE %I SET %s', current_database(), setting) AS setting
FROM unnest(ARRAY['socle.default_model = multilingual', 'socle.default_rerank_model = reranker',
    'statement_timeout = ''1 min''']) AS setting \gexec

CREATE TABLE product (
    id bigint PRIMARY KEY,
    name text NOT NULL,
    category text NOT NULL,
    price numeric(8, 2) NOT NULL,
    manual text NOT NULL
);
INSERT INTO product VALUES
    (1, 'Aroma 300', 'coffee', 89.90, 'To clean the coffee machine, fill the tank with water and one spoon of citric acid. '
        'Start the program and wait for ten minutes. Rinse the tank twice.'),
    (2, 'Aroma 900', 'coffee', 449.00, 'The machine grinds the beans itself. Turn the wheel to make the coffee stronger. '
        'Clean the grinder once a month with the brush.'),
    (3, 'Bouilloire Éclair', 'tea', 39.50, 'La bouilloire s''arrête quand l''eau bout. Pour la détartrer, faites bouillir du '
        'vinaigre, puis rincez deux fois.'),
    (4, 'Nordlicht', 'lamp', 24.95, 'Die Lampe lässt sich dimmen. Drücken Sie dafür den Schalter zwei Sekunden lang.'),
    (5, 'Lampka Biurkowa', 'lamp', 19.99, 'Żarówkę wymienia się po wyjęciu wtyczki z gniazdka.'),
    (6, 'Brise', 'fan', 59.00, 'Le ventilateur s''éteint tout seul après huit heures. Nettoyez la grille avec un chiffon sec.'),
    (7, 'Toast & Co', 'kitchen', 34.00, 'Crumbs are collected in a drawer below the toaster. Empty it every week.'),
    (8, 'Frost', 'kitchen', 299.00, 'The warranty of the refrigerator is five years. Keep the receipt. '
        'The warranty does not cover lamps.');
SELECT socle.create_corpus('manual', source => 'product', content => ARRAY['manual'], title => 'name', model => 'multilingual');
CALL socle.sync_corpus('manual');

-- Whoever searches needs to read the table and the chunks, and nothing else. Roles belong to the cluster, not to the database.
SELECT 'CREATE ROLE shop_reader LOGIN' WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'shop_reader') \gexec
ALTER ROLE shop_reader SET default_transaction_read_only = on;
GRANT SELECT ON product, manual_chunk TO shop_reader;
