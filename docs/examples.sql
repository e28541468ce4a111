-- What the examples of the manual work on: three models, twelve articles of a handbook, and a corpus over them.
CREATE EXTENSION IF NOT EXISTS socle CASCADE;
SELECT socle.register_model('multilingual', 'use-multilingual-v3', license => 'Apache-2.0');
SELECT socle.register_model('reranker', 'ms-marco-minilm-l12-v2', license => 'Apache-2.0');
SELECT socle.register_model('colbert', 'answerai-colbert-small-v1', license => 'Apache-2.0');
SET socle.default_model = 'multilingual';

CREATE TABLE article (id int PRIMARY KEY, title text, body text, author text, published date, views int);
INSERT INTO article VALUES
    (1, 'Backups', 'Every night a backup of the database goes to the second server. It is kept for 30 days.',
        'Ada', '2026-03-15', 120),
    (2, 'Restoring', 'To restore a backup, stop the server, copy the files back, and start it again.', 'Ada', '2026-03-20', 310),
    (3, 'Sauvegardes', 'Pour restaurer une sauvegarde, arrêtez le serveur, copiez les fichiers, puis redémarrez-le.',
        'Chloé', '2026-03-21', 95),
    (4, 'Passwords', 'A forgotten password can be reset on the login page. The link is valid for one hour.',
        'Grace', '2026-01-10', 480),
    (5, 'Mots de passe', 'Choisissez un mot de passe de douze caractères au moins, et ne le donnez à personne.',
        'Chloé', '2026-01-12', 60),
    (6, 'Printers', 'If the printer shows error E-4042, open the rear door and take out the jammed paper.', 'Grace', '2025-11-02', 75),
    (7, 'Guest Wi-Fi', 'Visitors use the network guest. Its password changes every Monday.', 'Grace', '2025-12-01', 150),
    (8, 'Holidays', 'Ask your manager for leave at least two weeks in advance.', 'Alan', '2025-06-01', 520),
    (9, 'Congés', 'Demandez vos congés à votre chef au moins deux semaines avant leur début.', 'Chloé', '2025-06-03', 130),
    (10, 'Travel', 'Hotel bills of up to 120 euros a night are paid without a request.', 'Alan', '2025-09-17', 210),
    (11, 'Télétravail', 'Vous pouvez travailler à la maison deux jours par semaine.', 'Chloé', '2026-02-02', 340),
    (12, 'Sick leave', 'If you are ill, call before nine. A certificate is needed from the fourth day on.',
        'Alan', '2025-10-05', 265);
SELECT socle.create_corpus('handbook', source => 'article', content => ARRAY['body'], title => 'title');
SELECT socle.wait_for_corpus('handbook');
