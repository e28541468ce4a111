//! The registry: who may write it, what is refused, and what is left of an endpoint that is dropped.

use super::{Server, cluster, generate};
use crate::sqlstate;
use postgres::{Client, NoTls};
use socle_tests::{Cluster, bin, command, error_of, eventually, run};

#[test]
fn only_a_superuser_opens_a_door_and_says_who_may_use_it() {
    let server = Server::saying("Hello there.");
    let (cluster, mut superuser) = cluster(&server, "");
    superuser
        .batch_execute(
            "CREATE ROLE application LOGIN; CREATE ROLE team; CREATE ROLE member LOGIN IN ROLE team; CREATE ROLE other LOGIN;
             GRANT EXECUTE ON FUNCTION socle.register_endpoint, socle.drop_endpoint, socle.grant_endpoint, socle.revoke_endpoint
                TO application",
        )
        .unwrap();
    let connect = |user: &str| cluster.configuration().user(user).connect(NoTls).unwrap();
    let (mut application, mut member, mut other) = (connect("application"), connect("member"), connect("other"));
    for statement in [
        "SELECT socle.register_endpoint('mine', 'https://api.example.org', 'openai', 'm')",
        "SELECT socle.drop_endpoint('door')",
        "SELECT socle.grant_endpoint('door', 'application')",
        "SELECT socle.revoke_endpoint('door', 'application')",
        "INSERT INTO socle.endpoint_grant VALUES ('door', 'application')",
        "UPDATE socle.endpoint SET url = 'https://evil.example'",
        "DELETE FROM socle.endpoint",
        "INSERT INTO socle.endpoint SELECT 'mine', url FROM socle.endpoint",
    ] {
        for client in [&mut application, &mut other] {
            assert_eq!(sqlstate(client.batch_execute(statement)), "42501", "{statement}");
        }
    }
    for setting in ["egress_key_directory = '/etc'", "egress_name_servers = '127.0.0.1'"] {
        application.batch_execute("SELECT socle.version()").unwrap();
        assert_eq!(sqlstate(application.batch_execute(&format!("SET socle.{setting}"))), "55P02");
    }
    assert_eq!(sqlstate(application.query("SHOW socle.egress_key_directory", &[])), "42501");

    let (code, message, _, hint) = error_of(&generate(&mut member, "Hi").unwrap_err());
    assert_eq!((code.as_str(), message.as_str()), ("42501", "permission denied for endpoint \"door\""));
    assert!(hint.contains("socle.grant_endpoint()"));
    superuser
        .batch_execute("SELECT socle.grant_endpoint('door', 'team'), socle.grant_endpoint('door', 'team')")
        .unwrap();
    assert_eq!(generate(&mut member, "Hi").unwrap(), "Hello there.");
    assert_eq!(sqlstate(generate(&mut other, "Hi")), "42501");
    superuser
        .batch_execute("SELECT socle.revoke_endpoint('door', 'team'), socle.grant_endpoint('door', 'public')")
        .unwrap();
    generate(&mut other, "Hi").unwrap();
    superuser.batch_execute("SELECT socle.revoke_endpoint('door', 'public')").unwrap();
    assert_eq!(sqlstate(generate(&mut other, "Hi")), "42501");
    assert_eq!(server.request_count(), 2);
    for statement in [
        "SELECT socle.grant_endpoint('door', 'nobody')",
        "SELECT socle.grant_endpoint('nowhere', 'team')",
        "SELECT socle.drop_endpoint('nowhere')",
    ] {
        assert_eq!(sqlstate(superuser.batch_execute(statement)), "42704", "{statement}");
    }
    counts_are_for_those_who_monitor(&mut superuser, &mut other);
}

fn counts_are_for_those_who_monitor(superuser: &mut Client, other: &mut Client) {
    let state =
        "SELECT name, request_count, failure_count, sent_bytes > 100, state, network FROM socle.endpoint_status";
    let others =
        "SELECT state, request_count IS NULL AND sent_bytes IS NULL AND used_at IS NULL AND running_count IS NULL
                  FROM socle.endpoint_status";
    let row = other.query_one(others, &[]).unwrap();
    assert!(row.get::<_, &str>(0) == "running" && row.get::<_, bool>(1), "counts are not for everybody: {row:?}");
    let row = superuser.query_one(state, &[]).unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, i64>(1), row.get::<_, i64>(2)), ("door", 2, 0));
    assert!(row.get::<_, bool>(3) && row.get::<_, &str>(4) == "running", "{row:?}");
    assert!(row.get::<_, &str>(5).contains("seccomp"), "{row:?}");
}

#[test]
fn what_is_no_endpoint_is_refused_and_names_are_those_of_one() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    let register = |arguments: &str| format!("SELECT socle.register_endpoint({arguments})");
    for wrong in [
        "NULL, 'https://a.example', 'openai', 'm'",
        "'', 'https://a.example', 'openai', 'm'",
        "'e', 'https://a.example', 'cohere', 'm'",
        "'e', 'https://a.example', 'openai', ''",
        "'e', 'http://a.example', 'openai', 'm'",
        "'e', 'https://user:pw@a.example', 'openai', 'm'",
        "'e', 'https://a.example?key=1', 'openai', 'm'",
        "'e', 'https://2130706433', 'openai', 'm', allow_loopback => true",
        "'e', 'https://169.254.169.254', 'openai', 'm', allow_loopback => true, allow_private => true",
        "'e', 'https://127.0.0.1', 'openai', 'm'",
        "'e', 'https://a.example', 'openai', 'm', key_file => '../postgresql.conf'",
        "'e', 'https://a.example', 'openai', 'm', timeout_seconds => 0",
        "'e', 'https://a.example', 'openai', 'm', max_response_bytes => 0",
        "'e', 'https://a.example', 'openai', 'm', context_tokens => 0",
        "'e', 'https://a.example', 'openai', 'm', extra_body => '[1]'",
        "'e', 'https://a.example', 'openai', 'm', extra_body => '{\"messages\": []}'",
    ] {
        let error = client.batch_execute(&register(wrong)).unwrap_err();
        assert_eq!(error_of(&error).0, "22023", "{wrong}: {error:?}");
        assert!(!format!("{:?}", error_of(&error)).contains("pw"), "{wrong}");
    }
    client
        .batch_execute(&register("'e', 'https://a.example/v1', 'openai', 'm', extra_body => '{\"x\": null}'"))
        .unwrap();
    assert_eq!(sqlstate(client.batch_execute(&register("'e', 'https://a.example/v1', 'openai', 'm'"))), "42710");
    client.execute("SELECT socle.register_generator('smol', $1)", &[&crate::generator::FILE]).unwrap();
    assert_eq!(sqlstate(client.batch_execute(&register("'smol', 'https://a.example/v1', 'openai', 'm'"))), "42710");
    let taken = client.execute("SELECT socle.register_generator('e', $1)", &[&crate::generator::FILE]);
    assert_eq!(sqlstate(taken), "42710");
}

#[test]
fn an_endpoint_that_is_dropped_leaves_no_grant_and_no_corpus_open() {
    let server = Server::saying("Hello there.");
    let (_cluster, mut client) = cluster(&server, "");
    client
        .batch_execute(
            "CREATE TABLE t (id int PRIMARY KEY, body text);
             SELECT socle.create_corpus('c', 't', ARRAY['body'], model => 'minilm', egress => ARRAY['door']);
             SELECT socle.grant_endpoint('door', 'public'); SELECT socle.drop_endpoint('door')",
        )
        .unwrap();
    server.register(&mut client, "door", "");
    let left = "SELECT (SELECT count(*) FROM socle.endpoint_grant), (SELECT cardinality(egress) FROM socle.corpus)";
    let row = client.query_one(left, &[]).unwrap();
    assert_eq!((row.get::<_, i64>(0), row.get::<_, i32>(1)), (0, 0));
}

#[test]
fn a_dump_that_is_restored_elsewhere_opens_no_door() {
    let server = Server::saying("Hello there.");
    let (cluster, mut client) = cluster(&server, "");
    client
        .batch_execute(
            "CREATE TABLE t (id int PRIMARY KEY, body text);
             SELECT socle.create_corpus('c', 't', ARRAY['body'], model => 'minilm', egress => ARRAY['door'])",
        )
        .unwrap();
    let dump = run(command(bin("pg_dump"))
        .args(["--username=postgres", "--dbname=postgres"])
        .arg(format!("--host={}", cluster.directory().display())));
    let dump = String::from_utf8(dump.stdout).unwrap();
    assert!(!dump.contains(&server.url()) && !dump.contains("COPY socle.endpoint"), "endpoints are not dumped");
    assert!(dump.contains("{door}"), "what a corpus allows is");
}

#[test]
fn two_that_register_one_name_at_a_time_do_not_both_get_it() {
    let cluster = Cluster::with_models("");
    let (mut first, mut watcher) = (cluster.connect(), cluster.connect());
    first
        .batch_execute("BEGIN; SELECT socle.register_endpoint('smol', 'https://a.example/v1', 'openai', 'm')")
        .unwrap();
    let mut second = cluster.connect();
    let waiting = std::thread::spawn(move || {
        sqlstate(second.execute("SELECT socle.register_generator('smol', $1)", &[&crate::generator::FILE]))
    });
    eventually("the second waits for the first", || {
        let sql = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 'socle.endpoint'::regclass";
        (watcher.query_one(sql, &[]).unwrap().get::<_, i64>(0) == 1).then_some(())
    });
    first.batch_execute("COMMIT").unwrap();
    assert_eq!(waiting.join().unwrap(), "42710");
    // A slip is told from a name that there is not; endpoints stand where generators do.
    for (name, hint) in [
        ("smoll", "Did you mean \"smol\"? Registered endpoints are \"smol\"."),
        ("another", "Registered endpoints are \"smol\"."),
    ] {
        let error = first.query_one("SELECT socle.generate('x', $1)", &[&name]).unwrap_err();
        assert_eq!(error_of(&error).3, hint);
    }
}

#[test]
fn a_role_that_was_dropped_has_no_grant_left() {
    let server = Server::saying("Hello there.");
    let (_cluster, mut client) = cluster(&server, "");
    client
        .batch_execute(
            "CREATE ROLE gone; CREATE ROLE stays; SELECT socle.grant_endpoint('door', 'gone'), socle.grant_endpoint('door', 'public');
             DROP ROLE gone; SELECT socle.grant_endpoint('door', 'stays')",
        )
        .unwrap();
    let grants = "SELECT array_agg(role::text ORDER BY role::text) FROM socle.endpoint_grant";
    assert_eq!(client.query_one(grants, &[]).unwrap().get::<_, Vec<String>>(0), ["-", "stays"]);
    client.batch_execute("SELECT socle.revoke_endpoint('door', 'public'); DROP ROLE stays").unwrap();
    client.batch_execute("SELECT socle.revoke_endpoint('door', 'public')").unwrap();
    assert_eq!(client.query_one(grants, &[]).unwrap().get::<_, Option<Vec<String>>>(0), None);
}

#[test]
fn one_role_leaves_places_to_others() {
    let server = Server::silent();
    let (cluster, mut superuser) = cluster(&server, "max_connections = 40");
    superuser.batch_execute("CREATE ROLE greedy LOGIN; SELECT socle.grant_endpoint('door', 'public')").unwrap();
    let connect = || cluster.configuration().user("greedy").connect(NoTls).unwrap();
    let mut tokens = Vec::new();
    let mut waiting = Vec::new();
    for _ in 0..16 {
        let mut session = connect();
        tokens.push(session.cancel_token());
        waiting.push(std::thread::spawn(move || sqlstate(generate(&mut session, "Hi"))));
    }
    server.wait_for_requests(16);
    let (code, _, detail, hint) = error_of(&generate(&mut connect(), "Hi").unwrap_err());
    assert_eq!((code.as_str(), hint.is_empty()), ("53200", false));
    assert!(detail.contains("Role \"greedy\" has 16"), "{detail}");
    let other = Server::saying("Hello there.");
    other.register(&mut superuser, "other", "");
    superuser.query_one("SELECT socle.generate('x', 'other')", &[]).unwrap();
    assert_eq!(server.request_count(), 16);
    tokens.iter().for_each(|token| token.cancel_query(NoTls).unwrap());
    waiting.into_iter().for_each(|session| assert_eq!(session.join().unwrap(), "57014"));
}
