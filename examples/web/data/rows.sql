-- The rows of the example: Heliant, a maker of home batteries, and two of its customers. All of it is invented.

INSERT INTO web.tenant VALUES ('nord', 'Nordlicht Energie'), ('soleil', 'Soleil du Sud') ON CONFLICT DO NOTHING;

INSERT INTO web.article (tenant, language, title, body) VALUES
(NULL, 'english', 'How long data are kept', $md$# Customer data

Names and addresses of customers are kept for as long as a contract runs, and for three years after its end. Invoices are kept for ten years, because the law asks for it.

# Measurements

Measurements of an installation are kept for five years. After that only the sum of each month remains. A customer who asks for it gets all measurements as a table, within ten days.$md$),
(NULL, 'english', 'Support hours and priorities', $md$# Hours

The telephone is answered on working days from 8:00 to 18:00. Outside of these hours only installations without power are looked after.

# Priorities

Priority 1 is an installation without power: a technician answers within thirty minutes. Priority 2 is an installation that does not charge: within four hours. Everything else is answered on the next working day.$md$),
(NULL, 'german', 'Krankmeldung', $md$# So melden Sie sich krank

Rufen Sie bis neun Uhr Ihre Teamleitung an. Ab dem vierten Tag braucht die Personalabteilung eine Bescheinigung; die elektronische Bescheinigung der Praxis genügt.

# Kinder

Für die Pflege eines kranken Kindes gibt es zehn Tage im Jahr, für Alleinerziehende zwanzig.$md$),
(NULL, 'german', 'Reisekosten abrechnen', $md$Belege werden innerhalb von vier Wochen eingereicht. Bahnfahrten werden in der zweiten Klasse erstattet, ab drei Stunden Fahrt auch in der ersten. Für den eigenen Wagen gibt es 38 Cent je Kilometer.$md$),
(NULL, 'french', 'Incendie d’une batterie', $md$# Qui prévenir

En cas d’incendie, appelez d’abord les pompiers (18 ou 112), puis la permanence technique. Dites aux pompiers que l’installation contient des batteries au lithium.

# Ce qu’il ne faut pas faire

N’ouvrez jamais l’armoire. Coupez le disjoncteur principal seulement si vous pouvez l’atteindre sans traverser la fumée.$md$),
(NULL, 'french', 'Télétravail', $md$Deux jours de télétravail par semaine sont possibles après la période d’essai. Le mardi, toute l’équipe est sur place. L’entreprise prête un écran et un siège.$md$),
(NULL, 'polish', 'Zamawianie części', $md$# Kto może zamawiać części

Części zamienne zamawia kierownik magazynu albo serwisant dyżurny. Zamówienie powyżej dwóch tysięcy euro zatwierdza dyrektor finansowy.

# Termin

Zamówienia złożone przed godziną jedenastą są wysyłane tego samego dnia.$md$),
('nord', 'german', 'Nordlicht: Ansprechpartner und Rabatte', $md$# Ansprechpartner

Für Nordlicht Energie ist Frau Petersen zuständig, ihre Vertretung ist Herr Aydin.

# Rabatte

Der Rabatt auf Batterien beträgt 14 Prozent, ab vierzig Stück im Quartal 19 Prozent.$md$),
('soleil', 'french', 'Soleil du Sud : interlocuteurs et remises', $md$# Interlocuteurs

Pour Soleil du Sud, l’interlocutrice est Mme Benali ; en son absence, M. Costa.

# Remises

La remise sur les batteries est de 11 %, et de 16 % à partir de soixante pièces par trimestre.$md$)
ON CONFLICT DO NOTHING;

INSERT INTO web.ticket (tenant, language, subject, body, resolution, opened_on) VALUES
('nord', 'english', 'Error E-214 after a thunderstorm', $$Since the thunderstorm on Sunday the inverter shows error E-214 and does not feed in any more.$$, $$E-214 means that the surge protection has tripped. Replace the two cartridges in the connection box, part H-0931, and acknowledge the error in the menu Service.$$, '2026-05-11'),
('nord', 'german', 'Batterie lädt bei Frost nicht', $$Bei minus acht Grad lädt die Batterie in der Garage nicht, obwohl die Sonne scheint.$$, $$Unter null Grad sperrt die Batterie das Laden, um die Zellen zu schützen. Mit dem Heizmodul H-4410 lädt sie bis minus zwanzig Grad. Bestellt und eingebaut.$$, '2026-01-23'),
('nord', 'german', 'Portal zeigt doppelten Verbrauch', $$Im Portal ist der Verbrauch seit dem Update genau doppelt so hoch wie am Zähler.$$, $$Der Stromwandler war zweimal angemeldet. Einen der beiden Einträge unter Messstellen gelöscht, danach stimmten die Werte.$$, '2026-03-02'),
('nord', 'english', 'Fan is loud at night', $$The fan of the inverter runs at full speed at night although nothing is charged.$$, $$The temperature sensor was loose. Plugged in again, fan is quiet.$$, '2026-06-30'),
('nord', 'polish', 'Brak połączenia po wymianie routera', $$Po wymianie routera falownik nie łączy się z portalem.$$, $$Nowy router blokował port 8883. Po jego odblokowaniu falownik połączył się po dwóch minutach.$$, '2026-02-17'),
('soleil', 'french', 'L’application ne trouve pas l’onduleur', $$Depuis le changement de téléphone, l’application ne trouve plus l’onduleur.$$, $$Le téléphone était sur le réseau des invités. Une fois sur le même réseau que l’onduleur, il a été trouvé tout de suite.$$, '2026-04-08'),
('soleil', 'french', 'Erreur E-214 au démarrage', $$L’onduleur affiche E-214 dès la mise en service.$$, $$Les cartouches du parafoudre n’avaient pas été enfoncées jusqu’au clic. Enfoncées, erreur acquittée.$$, '2026-05-19'),
('soleil', 'french', 'Facture de mars en double', $$La facture de mars a été prélevée deux fois.$$, $$Un des deux prélèvements a été remboursé le 14 avril, référence R-7781.$$, '2026-04-10'),
('soleil', 'english', 'How to export measurements', $$We need the measurements of last year for the tax office, as a table.$$, $$In the portal: Measurements, Export, period of one year, format CSV. It takes about a minute.$$, '2026-02-04'),
('soleil', 'polish', 'Hałas z szafy bateryjnej', $$Szafa bateryjna głośno buczy po zachodzie słońca.$$, NULL, '2026-07-01')
ON CONFLICT DO NOTHING;
