//! The egress process: started when it is wanted, and the only one of socle with a connection to anything.

use super::{Server, cluster, generate};
use crate::embed;
use socle_tests::{Cluster, eventually};
use std::collections::HashSet;
use std::fs;

/// The processes of a cluster with a socket of the internet, by their names.
fn processes_with_sockets(cluster: &Cluster) -> Vec<String> {
    let data = cluster.data().display().to_string();
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let process = entry.path();
        let is_of_cluster = fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(&data));
        if !is_of_cluster {
            continue;
        }
        let sockets: HashSet<String> = ["tcp", "tcp6", "udp", "udp6", "raw", "raw6", "icmp", "icmp6", "packet"]
            .into_iter()
            .flat_map(|table| {
                let text = fs::read_to_string(process.join("net").join(table)).unwrap_or_default();
                // The number of the socket: the tenth column, the ninth of packet.
                let column = if table == "packet" { 8 } else { 9 };
                text.lines()
                    .skip(1)
                    .filter_map(|line| line.split_whitespace().nth(column).map(str::to_string))
                    .collect::<Vec<_>>()
            })
            .collect();
        let descriptors = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
        let links = descriptors.filter_map(|descriptor| fs::read_link(descriptor.path()).ok());
        let has_one = links.into_iter().any(|link| {
            let link = link.to_string_lossy().into_owned();
            link.strip_prefix("socket:[")
                .and_then(|link| link.strip_suffix(']'))
                .is_some_and(|number| sockets.contains(number))
        });
        if has_one {
            found.push(fs::read_to_string(process.join("comm")).unwrap_or_default().trim().to_string());
        }
    }
    found
}

#[test]
fn no_other_process_has_a_connection_to_anything() {
    let server = Server::silent();
    let (cluster, mut client) = cluster(&server, "");
    client.execute("SELECT socle.register_generator('smol', $1)", &[&crate::generator::FILE]).unwrap();
    client.query_one("SELECT socle.generate('Hi', 'smol', max_tokens => 2)", &[]).unwrap();
    embed(&mut client, "the engine works").unwrap();
    client
        .batch_execute(
            "CREATE TABLE t (id int PRIMARY KEY, body text); INSERT INTO t VALUES (1, 'text');
             SELECT socle.create_corpus('c', 't', ARRAY['body'], model => 'minilm')",
        )
        .unwrap();
    client.batch_execute("CALL socle.sync_corpus('c')").unwrap();
    assert!(cluster.child_pid("socle-egress").is_some(), "it has written the ledger");
    assert_eq!(processes_with_sockets(&cluster), Vec::<String>::new());
    let mut session = cluster.connect();
    let waiting = std::thread::spawn(move || generate(&mut session, "Hi").unwrap_err());
    server.wait_for_requests(1);
    // What shows that the others would be seen.
    assert_eq!(processes_with_sockets(&cluster), ["socle-egress"]);
    client
        .execute(
            "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE query LIKE '%door%' AND pid <> pg_backend_pid()",
            &[],
        )
        .unwrap();
    waiting.join().unwrap();
    eventually("the connection is closed", || processes_with_sockets(&cluster).is_empty().then_some(()));
}

#[test]
fn it_starts_when_it_is_wanted_and_ends_with_the_server() {
    let server = Server::saying("Hello.");
    // The ledger is written by it, too.
    let (cluster, mut client) = cluster(&server, "socle.ledger = off");
    let state = |client: &mut postgres::Client| -> String {
        client.query_one("SELECT state FROM socle.endpoint_status", &[]).unwrap().get(0)
    };
    assert_eq!(state(&mut client), "stopped");
    assert_eq!(cluster.child_pid("socle-egress"), None, "looking does not start it");
    generate(&mut client, "Hi").unwrap();
    let pid = cluster.child_pid("socle-egress").unwrap();
    assert_eq!(state(&mut client), "running");
    embed(&mut client, "warm").unwrap();
    let engine = cluster.engine_pid();
    // Settings of its own have it started anew, and nothing else.
    client.batch_execute("ALTER SYSTEM SET socle.egress_name_servers = '127.0.0.1:1'").unwrap();
    cluster.reload();
    eventually("it has ended", || (cluster.child_pid("socle-egress") != Some(pid)).then_some(()));
    generate(&mut client, "Hi").unwrap();
    assert_eq!(cluster.engine_pid(), engine);
    let pid = cluster.child_pid("socle-egress").unwrap();
    drop(client);
    cluster.stop("fast");
    eventually("it has ended", || (!socle_tests::is_running(pid)).then_some(()));
}
