//! Hot standbys embed, rerank and chunk; base backups contain nothing of the engine.

use crate::{embed, sqlstate};
use socle_tests::{Cluster, eventually};

#[test]
fn a_hot_standby_serves_queries_and_goes_on_after_promotion() {
    let primary = Cluster::with_models("");
    let mut client = primary.connect();
    embed(&mut client, "the engine of the primary runs").unwrap();
    let standby = Cluster::standby_of(&primary);
    assert!(!standby.data().join("socle/pgsql_tmp").exists(), "backups skip the files of the engine");
    standby.start();
    let mut reader = standby.wait_for_connection();
    let recovering: bool = reader.query_one("SELECT pg_is_in_recovery()", &[]).unwrap().get(0);
    assert!(recovering);
    let sql = "SELECT socle.embed_query('a question', 'bge')::real[]";
    let here: Vec<f32> = reader.query_one(sql, &[]).unwrap().get(0);
    let there: Vec<f32> = client.query_one(sql, &[]).unwrap().get(0);
    assert_eq!(here, there);
    let ranked = reader.query("SELECT * FROM socle.rerank('q', ARRAY['a', 'b'], 'reranker')", &[]).unwrap();
    assert_eq!(ranked.len(), 2);
    reader.query_one("SELECT count(*) FROM socle.chunk('One. Two.', 10, 0, 'plain', 'minilm')", &[]).unwrap();
    let register = "SELECT socle.register_model('other', 'all-minilm-l6-v2')";
    assert_eq!(sqlstate(reader.execute(register, &[])), "25006", "the registry is the primary's");
    let engine = standby.engine_pid().unwrap();
    assert_ne!(Some(engine), primary.engine_pid());

    standby.promote();
    eventually("it is promoted", || reader.execute(register, &[]).ok());
    assert_eq!(embed(&mut reader, "after").unwrap(), 384);
    assert_eq!(standby.engine_pid(), Some(engine), "the engine does not care");
}
