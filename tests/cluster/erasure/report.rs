//! The sovereignty report says what is open and what the kernel enforces, and says so truly.

use super::with_secret;
use postgres::{Client, NoTls};
use socle_tests::error_of;

/// The value of a finding, and whether it deserves attention.
fn finding(client: &mut Client, area: &str, subject: &str, property: &str) -> Option<(String, bool)> {
    let sql =
        "SELECT value, attention FROM socle.sovereignty_findings() WHERE (area, subject, property) = ($1, $2, $3)";
    client.query_opt(sql, &[&area, &subject, &property]).unwrap().map(|row| (row.get(0), row.get(1)))
}

#[test]
fn it_says_what_the_kernel_says_of_each_process() {
    let (cluster, mut client) = with_secret();
    let engine = cluster.wait_for_engine();
    let of = |client: &mut Client, property: &str| finding(client, "processes", "engine", property).unwrap();
    assert_eq!(of(&mut client, "process").0, engine.to_string());
    let status = std::fs::read_to_string(format!("/proc/{engine}/status")).unwrap();
    let field = |name: &str| status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_string();
    assert_eq!((field("Seccomp:").as_str(), field("NoNewPrivs:").as_str()), ("2", "1"), "{status}");
    assert_eq!(of(&mut client, "system calls (kernel)"), ("seccomp: filter".to_string(), false));
    assert_eq!(of(&mut client, "new privileges (kernel)"), ("refused".to_string(), false));
    assert_eq!(of(&mut client, "internet sockets (kernel)"), ("0".to_string(), false));
    // The fork server, which the processes that read documents come from.
    let unconfined = "SELECT count(*), count(*) FILTER (WHERE attention) FROM socle.sovereignty_findings()
                      WHERE area = 'processes' AND subject LIKE 'engine, %'";
    let row = client.query_one(unconfined, &[]).unwrap();
    assert!(row.get::<_, i64>(0) >= 4 && row.get::<_, i64>(1) == 0, "{row:?}");
    // The same of a process that is known to have a socket of the internet: the postmaster listens, and a session is connected.
    let sql = "SELECT max(internet_sockets) FROM socle_internal.process_report() WHERE pid = $1";
    let session: i32 = client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    cluster.configure(&format!("listen_addresses = '127.0.0.1'\nport = {port}"));
    drop(listener);
    let before: Option<i64> = client.query_one(sql, &[&session]).unwrap().get(0);
    assert_eq!(before, Some(0), "a session by a Unix socket");
    cluster.stop("fast");
    cluster.start();
    // Its Unix socket is named after the port.
    let mut client = cluster.configuration().port(port).connect(NoTls).unwrap();
    let postmaster = i32::try_from(cluster.postmaster_pid()).unwrap();
    let listening: Option<i64> = client.query_one(sql, &[&postmaster]).unwrap().get(0);
    assert_eq!(listening, Some(1), "the postmaster listens on one port");
}

#[test]
fn an_open_door_is_named_with_those_it_is_open_to() {
    let (_cluster, mut client) = with_secret();
    let shut = finding(&mut client, "doors", "(none)", "state").unwrap();
    assert!(shut.0.starts_with("shut") && !shut.1, "{shut:?}");
    client
        .batch_execute(
            "CREATE ROLE alice; CREATE EXTENSION IF NOT EXISTS socle;
             SELECT socle.register_endpoint('door', 'https://model.example/v1', 'openai', 'm');
             SELECT socle.grant_endpoint('door', 'alice'); SELECT socle.alter_corpus('handbook', egress => '{door}')",
        )
        .unwrap();
    assert_eq!(finding(&mut client, "doors", "(none)", "state"), None);
    assert_eq!(finding(&mut client, "doors", "door", "open to"), Some(("https://model.example/v1".to_string(), true)));
    assert_eq!(finding(&mut client, "doors", "door", "may be used by"), Some(("superusers, alice".to_string(), false)));
    assert_eq!(finding(&mut client, "doors", "door", "may be sent passages of"), Some(("handbook".to_string(), false)));
    assert_eq!(finding(&mut client, "corpora", "handbook", "may be sent to"), Some(("door".to_string(), true)));
    let compared = |client: &mut Client| {
        finding(client, "unverified", "handbook", "compared with its source by socle.verify_corpus()").unwrap()
    };
    assert_eq!(compared(&mut client), ("never, as far as the ledger goes".to_string(), true));
    assert_eq!(client.query("SELECT FROM socle.verify_corpus('handbook')", &[]).unwrap().len(), 0);
    let (value, attention) = compared(&mut client);
    assert!(value.starts_with("last 2") && !attention, "{value}");
    let json = "SELECT count(*) FROM jsonb_array_elements(socle.sovereignty_report() -> 'attention') AS a WHERE a ->> 'subject' = 'door'";
    assert!(client.query_one(json, &[]).unwrap().get::<_, i64>(0) >= 1);
    let digest: String =
        client.query_one("SELECT socle.sovereignty_report() #>> '{areas,models,minilm,digest}'", &[]).unwrap().get(0);
    let known: String = client.query_one("SELECT digest FROM socle.model WHERE name = 'minilm'", &[]).unwrap().get(0);
    assert_eq!(digest, known);
    let page: String = client.query_one("SELECT socle.sovereignty_report_markdown()", &[]).unwrap().get(0);
    assert!(
        page.starts_with("# Sovereignty report\n")
            && page.contains("| door | open to | https://model.example/v1 | **!** |"),
        "{page}"
    );
}

#[test]
fn those_who_monitor_see_it_and_others_nothing() {
    let (cluster, mut client) = with_secret();
    client.batch_execute("CREATE ROLE auditor LOGIN IN ROLE pg_monitor; CREATE ROLE nobody LOGIN").unwrap();
    let connect = |role: &str| cluster.configuration().user(role).connect(NoTls).unwrap();
    assert!(connect("auditor").query("SELECT FROM socle.sovereignty_findings()", &[]).unwrap().len() > 10);
    for function in ["sovereignty_findings", "sovereignty_report", "sovereignty_report_markdown"] {
        let error = connect("nobody").query(&format!("SELECT FROM socle.{function}()"), &[]).unwrap_err();
        assert_eq!(error_of(&error).0, "42501", "{function}");
    }
    client
        .batch_execute("CREATE TABLE \"a | b\nc\" (id int PRIMARY KEY, body text); SELECT socle.create_corpus(E'x | y\\nz', '\"a | b\nc\"', '{body}', model => 'minilm')")
        .unwrap();
    let page: String = client.query_one("SELECT socle.sovereignty_report_markdown()", &[]).unwrap().get(0);
    assert!(page.contains(r"| x \| y z | may be sent to | nobody |"), "{page}");
}
