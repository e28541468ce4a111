//! The ledger of a standby, of a copy and of a server that was promoted or brought back to an earlier time.

use super::{checkpoint, entries, problems, written};
use socle_tests::{Cluster, eventually};

/// The names of the chains, the one that is written last.
fn chains(client: &mut postgres::Client) -> Vec<String> {
    let sql = "SELECT chain FROM socle.verify_ledger() ORDER BY is_current, first_at";
    client.query(sql, &[]).unwrap().into_iter().map(|row| row.get(0)).collect()
}

#[test]
fn a_standby_and_a_server_that_was_promoted_have_chains_of_their_own() {
    let primary = Cluster::with_models("");
    let mut client = primary.connect();
    client
        .batch_execute(
            "CREATE TABLE article (id int PRIMARY KEY, body text);
             INSERT INTO article VALUES (1, 'A backup is made each night at two.');
             SELECT socle.create_corpus('handbook', 'article', ARRAY['body'], language => 'en', model => 'minilm')",
        )
        .unwrap();
    client.batch_execute("CALL socle.sync_corpus('handbook')").unwrap();
    let kept = checkpoint(&mut client);
    let own = chains(&mut client).pop().unwrap();
    let standby = Cluster::standby_of(&primary);
    standby.start();
    let mut reader = standby.wait_for_connection();
    let ask = "SELECT answer FROM socle.answer('handbook', 'When is a backup made?')";
    eventually("the standby has the corpus", || reader.query_one(ask, &[]).ok());
    let told = entries(&mut reader, &["answer"]);
    assert_eq!(told.len(), 1);
    assert_eq!(entries(&mut client, &["answer"]).len(), 0, "the primary knows nothing of it");
    let of_standby = chains(&mut reader).pop().unwrap();
    assert_ne!(of_standby, own);
    assert!(written(&standby).contains(&format!("\"origin\":\"{own}\"")), "it names the chain that it goes on from");
    // The checkpoint of the primary holds for the copy of its chain.
    assert_eq!(problems(&mut reader, Some(&kept)), Vec::<String>::new());
    standby.promote();
    let register = "SELECT socle.drop_model('bge')";
    eventually("it is promoted", || reader.execute(register, &[]).ok());
    let promoted = eventually("it has a chain of its own", || {
        reader.query("SELECT answer FROM socle.answer('handbook', 'When is a backup made?')", &[]).ok()?;
        chains(&mut reader).pop().filter(|chain| *chain != of_standby)
    });
    assert!(chains(&mut reader).contains(&own) && promoted != own);
    assert_eq!(problems(&mut reader, Some(&kept)), Vec::<String>::new());
    assert_eq!(chains(&mut client).pop().unwrap(), own, "the primary goes on with its own");
}

#[test]
fn a_server_that_starts_again_goes_on_with_its_chain() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    client.batch_execute("SELECT socle.drop_model('bge')").unwrap();
    let before = chains(&mut client);
    for mode in ["fast", "immediate"] {
        drop(client);
        cluster.stop(mode);
        cluster.start();
        client = cluster.wait_for_connection();
        checkpoint(&mut client);
        assert_eq!(chains(&mut client), before);
    }
    cluster.kill_postmaster();
    cluster.start();
    client = cluster.wait_for_connection();
    let kept = checkpoint(&mut client);
    assert_eq!(chains(&mut client), before);
    assert_eq!(problems(&mut client, Some(&kept)), Vec::<String>::new());
}

#[test]
fn a_server_that_is_brought_back_to_an_earlier_time_begins_a_chain_and_lacks_what_came_later() {
    let primary = Cluster::with_models("wal_level = replica");
    let mut client = primary.connect();
    let early = checkpoint(&mut client);
    let own = chains(&mut client).pop().unwrap();
    let restored = Cluster::standby_of(&primary);
    client.batch_execute("SELECT socle.drop_model('bge'); SELECT pg_switch_wal()").unwrap();
    let late = checkpoint(&mut client);
    std::fs::remove_file(restored.data().join("standby.signal")).unwrap();
    std::fs::write(restored.data().join("recovery.signal"), "").unwrap();
    restored.configure(&format!(
        "restore_command = 'cp \"{}/pg_wal/%f\" \"%p\"'\nrecovery_target = 'immediate'\nrecovery_target_action = 'promote'\nprimary_conninfo = ''",
        primary.data().display()
    ));
    restored.start();
    let mut reader = restored.wait_for_connection();
    eventually("it has left recovery", || {
        let recovering: bool = reader.query_one("SELECT pg_is_in_recovery()", &[]).unwrap().get(0);
        (!recovering).then_some(())
    });
    reader.batch_execute("SELECT socle.drop_model('bge')").unwrap();
    assert_ne!(chains(&mut reader).pop().unwrap(), own);
    assert_eq!(problems(&mut reader, Some(&early)), Vec::<String>::new());
    let found = problems(&mut reader, Some(&late));
    assert!(found.len() == 1 && found[0].contains("but the checkpoint has"), "{found:?}");
    assert_eq!(problems(&mut client, Some(&late)), Vec::<String>::new());
}
