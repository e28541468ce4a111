//! Suggestions: what they are made of, and that what one may not see has no part in them.

use super::{as_role, drain, listening, texts, value};
use crate::sqlstate;
use postgres::Client;
use socle_tests::Cluster;

const TOPICS: [&str; 8] = ["backup", "backpack", "replication", "réplique", "restore", "encryption", "élève", "server"];

/// A corpus of notes with titles and headings, each of one of four tenants, one of which the reader does not see.
fn with_notes(notes: usize) -> (Cluster, Client) {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client
        .batch_execute(
            "CREATE ROLE reader; CREATE ROLE stranger; CREATE ROLE half;
             CREATE TABLE note (id int PRIMARY KEY, title text, body text, tenant int);
             ALTER TABLE note ENABLE ROW LEVEL SECURITY; CREATE POLICY seen ON note TO reader USING (tenant <> 3)",
        )
        .unwrap();
    for id in 1..=notes {
        let (one, other) = (TOPICS[id % 8], TOPICS[id / 8 % 8]);
        let title = format!("{} {id}", TOPICS[id / 3 % 8].to_uppercase());
        let body = format!("# About {one}s\n\nThe {one} of the {other}, number {id}.");
        let tenant = i32::try_from(id % 4).unwrap();
        let id = i32::try_from(id).unwrap();
        client.execute("INSERT INTO note VALUES ($1, $2, $3, $4)", &[&id, &title, &body, &tenant]).unwrap();
    }
    client
        .batch_execute(
            "SELECT socle.create_corpus('note', 'note', ARRAY['body'], title => 'title', language => 'en', model => 'minilm',
                                        format => 'markdown');
             GRANT SELECT ON note, note_chunk TO reader; GRANT SELECT ON note_chunk TO half; GRANT SELECT (id, title) ON note TO half",
        )
        .unwrap();
    client.batch_execute("CALL socle.sync_corpus('note')").unwrap();
    (cluster, client)
}

fn suggested(client: &mut Client, prefix: &str) -> Vec<String> {
    texts(client, &format!("SELECT kind || ' ' || suggestion FROM socle.suggest('note', '{prefix}')"))
}

fn of_kind(client: &mut Client, kind: &str, prefix: &str) -> Vec<String> {
    texts(client, &format!("SELECT suggestion FROM socle.suggest('note', '{prefix}', 100) WHERE kind = '{kind}'"))
}

#[test]
fn what_is_typed_is_completed_by_words_titles_and_headings() {
    let (cluster, mut client) = with_notes(64);
    client
        .batch_execute(
            "INSERT INTO note VALUES (100, 'How to restore a backup', E'# Restoring it\\n\\nStop the server.', 1),
                                     (101, repeat('Restorer ', 100), 'x', 1)",
        )
        .unwrap();
    client.batch_execute("CALL socle.sync_corpus('note')").unwrap();
    let found = suggested(&mut client, "Back");
    assert_eq!(found.len(), 10);
    assert!(!found.contains(&"word Backup".to_string()), "the typed word is replaced as a whole: {found:?}");
    assert!(found.contains(&"word backup".to_string()) && found.contains(&"word backpack".to_string()), "{found:?}");
    assert!(
        found.iter().any(|one| one.starts_with("title BACK")) && found.contains(&"heading About backups".to_string()),
        "{found:?}"
    );
    // Words before the last one stay as they are.
    assert!(of_kind(&mut client, "word", "RESTORE the  ba").contains(&"RESTORE the  backup".to_string()));
    assert_eq!(of_kind(&mut client, "title", "how to rest"), ["How to restore a backup"]);
    assert_eq!(of_kind(&mut client, "title", "backup how to rest"), ["How to restore a backup"]);
    assert_eq!(of_kind(&mut client, "heading", "restor"), ["Restoring it", "About restores"]);
    assert!(of_kind(&mut client, "title", "restorer").is_empty(), "a title that is too long");
    // Case and accents do not matter.
    for typed in ["ele", "ÉLÈ", "élè"] {
        assert!(of_kind(&mut client, "word", typed).contains(&"élève".to_string()), "{typed}");
    }
    assert!(of_kind(&mut client, "title", "elev").iter().all(|title| title.starts_with("ÉLÈVE")));
    assert_eq!(suggested(&mut client, "encyrption")[0], "correction encryption");
    assert_eq!(suggested(&mut client, "the encyrption")[0], "correction the encryption");
    for nothing in ["zzz", "?!", "\"", "狐"] {
        assert_eq!(suggested(&mut client, nothing), Vec::<String>::new(), "{nothing}");
    }
    let scores = texts(&mut client, "SELECT score FROM socle.suggest('note', 'ba', 100)");
    let scores: Vec<f64> = scores.iter().map(|score| score.parse().unwrap()).collect();
    assert!(scores[0] == 1.0 && scores.is_sorted_by(|one, other| one >= other), "{scores:?}");
    while_it_is_filled(&cluster, &mut client);
}

fn while_it_is_filled(cluster: &Cluster, client: &mut Client) {
    let (mut listener, told) = listening(cluster);
    // A change that waits takes its words away, and so does a deletion.
    client
        .batch_execute(
            "SELECT socle.pause_corpus('note'); INSERT INTO note VALUES (200, 'Zebra', 'A zebra.', 1), (201, 'Okapi', 'An okapi.', 1);
             SELECT socle.resume_corpus('note')",
        )
        .unwrap();
    client.batch_execute("CALL socle.sync_corpus('note')").unwrap();
    assert_eq!(suggested(client, "zeb"), ["word zebra"]);
    client
        .batch_execute("SELECT socle.pause_corpus('note'); UPDATE note SET body = 'x', title = 'y' WHERE id = 200; DELETE FROM note WHERE id = 201")
        .unwrap();
    for gone in ["zeb", "oka"] {
        assert_eq!(suggested(&mut listener, gone), Vec::<String>::new());
    }
    assert!(drain(&told).contains("corpus \"note\" is paused"));
    client.batch_execute("SELECT socle.resume_corpus('note')").unwrap();
    client.batch_execute("CALL socle.sync_corpus('note')").unwrap();
    // The segments may still have them.
    for gone in ["zeb", "oka"] {
        assert_eq!(suggested(client, gone), Vec::<String>::new());
    }
    client
        .batch_execute(
            "CREATE TABLE empty (id int PRIMARY KEY, body text);
             SELECT socle.create_corpus('empty', 'empty', ARRAY['body'], model => 'minilm')",
        )
        .unwrap();
    assert_eq!(value::<i64>(client, "SELECT count(*) FROM socle.suggest('empty', 'ba')"), 0);
}

#[test]
fn what_is_hidden_is_not_suggested_and_changes_nothing() {
    let (_cluster, mut client) = with_notes(400);
    let typed = [
        "b",
        "ba",
        "back",
        "re",
        "rep",
        "ele",
        "about ",
        "About re",
        "restroe",
        "s",
        "1",
        "backup 1",
        "secr",
        "secrt",
        "clas",
        "classifie",
    ];
    let all = |client: &mut Client| -> Vec<Vec<String>> {
        let one = |client: &mut Client, typed: &str| {
            texts(
                client,
                &format!("SELECT concat_ws(' ', kind, suggestion, score) FROM socle.suggest('note', '{typed}', 50)"),
            )
        };
        typed.iter().map(|typed| as_role(client, "reader", |client| one(client, typed))).collect()
    };
    let before = all(&mut client);
    assert!(before.iter().flatten().count() > 50 && before[12].is_empty(), "{before:?}");
    // Rows that the reader does not see: with other words, other titles, and more of the same ones.
    client
        .batch_execute(
            "INSERT INTO note SELECT i, 'Classified ' || i, E'# Secrets\\n\\nThe secret replicas of backpacks, restores, and Straßen.', 3 FROM generate_series(1001, 1400) i;
             UPDATE note SET body = 'Banks and rents' WHERE tenant = 3 AND id < 200; DELETE FROM note WHERE tenant = 3 AND id BETWEEN 200 AND 300",
        )
        .unwrap();
    client.batch_execute("CALL socle.sync_corpus('note')").unwrap();
    assert_eq!(all(&mut client), before);
    assert!(suggested(&mut client, "secr").contains(&"word secret".to_string()), "the test would see it");
    // The words of the reader are those of the rows that the reader sees.
    as_role(&mut client, "reader", |client| {
        let seen: Vec<String> = texts(client, "SELECT title || ' ' || body FROM note");
        for typed in typed {
            for word in of_kind(client, "word", typed) {
                let last = word.split(' ').next_back().unwrap().to_string();
                assert!(seen.iter().any(|text| text.to_lowercase().contains(&last)), "{word}");
            }
            for title in of_kind(client, "title", typed) {
                assert!(seen.iter().any(|text| text.starts_with(&title)), "{title}");
            }
        }
    });
    for role in ["stranger", "half"] {
        let refused = |client: &mut Client| sqlstate(client.query("SELECT * FROM socle.suggest('note', 'ba')", &[]));
        assert_eq!(as_role(&mut client, role, refused), "42501", "{role}");
    }
}
