//! Text of an endpoint: errors, cancels, and what is kept secret.

use super::{SECRET, Server, cluster, generate, use_key};
use crate::sqlstate;
use socle_tests::{PATIENCE, error_of, eventually};
use std::time::Instant;

#[test]
fn a_text_is_written_with_its_key_and_options() {
    let server = Server::saying("The sky is blue. END It is not.");
    let (cluster, mut client) = cluster(&server, "");
    use_key(&cluster, &mut client, &format!("{SECRET}\n"));
    server.register(
        &mut client,
        "with_key",
        ", key_file => 'key', extra_body => '{\"top_p\": 0.5, \"temperature\": null}'",
    );
    let sql = "SELECT socle.generate('Why?', 'with_key', max_tokens => 9, stop => ARRAY['END'], system => 'Be brief.')";
    let text: String = client.query_one(sql, &[]).unwrap().get(0);
    assert_eq!(text, "The sky is blue. ");
    let request = server.requests.lock().unwrap()[0].clone();
    assert!(request.to_lowercase().contains(&format!("authorization: bearer {SECRET}\r\n")), "{request}");
    let body: serde_json::Value = serde_json::from_str(request.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(body["messages"][0], serde_json::json!({"role": "system", "content": "Be brief."}));
    assert_eq!((&body["max_tokens"], &body["top_p"], body.get("temperature")), (&9.into(), &0.5.into(), None));

    client.batch_execute("SET socle.default_generator = 'with_key'").unwrap();
    let text: String = client
        .query_one("SELECT socle.generate('[{\"role\": \"user\", \"content\": \"Why?\"}]'::jsonb)", &[])
        .unwrap()
        .get(0);
    assert_eq!(text, "The sky is blue. END It is not.");
    for (sql, code) in [
        ("SELECT socle.generate('x', 'door', choices => ARRAY['a', 'b'])", "0A000"),
        ("SELECT socle.count_generator_tokens('x', 'door')", "0A000"),
        ("SELECT socle.generate(repeat('x ', 20000), 'door')", "54000"),
        ("SELECT socle.generate('x', 'nowhere')", "42704"),
    ] {
        assert_eq!(sqlstate(client.query(sql, &[])), code, "{sql}");
    }
    assert_eq!(server.request_count(), 2);
}

#[test]
fn a_server_that_is_not_there_or_refuses_is_an_error_with_advice() {
    let server = Server::silent();
    let (cluster, mut client) = cluster(&server, "");
    server.register(&mut client, "hurried", ", timeout_seconds => 1");
    let hurried = client.query_one("SELECT socle.generate('x', 'hurried')", &[]).unwrap_err();
    let (code, message, detail, hint) = error_of(&hurried);
    assert_eq!((code.as_str(), message.as_str()), ("08006", "the answer of endpoint \"hurried\" is not complete"));
    assert!(detail.contains("after 1 s") && hint.contains("timeout_seconds"), "{detail} {hint}");
    client
        .batch_execute(
            "SELECT socle.register_endpoint('gone', 'http://127.0.0.1:1', 'openai', 'm', allow_loopback => true);
             SELECT socle.register_endpoint('keyless', 'http://127.0.0.1:1', 'openai', 'm', 'key', allow_loopback => true);
             SELECT socle.register_endpoint('inside', 'https://localhost:1', 'openai', 'm')",
        )
        .unwrap();
    for (name, code, words) in [
        ("gone", "08001", "could not connect to endpoint \"gone\""),
        ("keyless", "58P01", "socle.egress_key_directory is not set"),
        ("inside", "42501", "endpoint \"inside\" has an address that is not allowed"),
    ] {
        let error = client.query_one("SELECT socle.generate('x', $1)", &[&name]).unwrap_err();
        let (found, message, _, _) = error_of(&error);
        assert_eq!((found.as_str(), message.contains(words)), (code, true), "{message}");
    }
    let counts = "SELECT request_count, failure_count, refusal_count FROM socle.endpoint_status WHERE name = $1";
    for (name, expected) in [("hurried", (1, 1, 0)), ("gone", (1, 1, 0)), ("keyless", (0, 0, 1)), ("inside", (0, 0, 1))]
    {
        let row = client.query_one(counts, &[&name]).unwrap();
        assert_eq!((row.get::<_, i64>(0), row.get::<_, i64>(1), row.get::<_, i64>(2)), expected, "{name}");
    }
    drop(cluster);
}

#[test]
fn cancel_timeout_termination_and_the_end_of_the_process_end_a_request() {
    let server = Server::silent();
    let (cluster, mut client) = cluster(&server, "");
    let running = |client: &mut postgres::Client| -> i32 {
        client.query_one("SELECT running_count FROM socle.endpoint_status", &[]).unwrap().get(0)
    };
    let ends = ["57014", "57014", "57P01", "08006"];
    for (round, expected) in ends.into_iter().enumerate() {
        let mut session = cluster.connect();
        let pid: i32 = session.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
        if round == 1 {
            session.batch_execute("SET statement_timeout = '1s'").unwrap();
        }
        let waiting = std::thread::spawn(move || {
            let error = generate(&mut session, "Hi").unwrap_err();
            // The last message of a session that ends may be lost with it.
            if error.is_closed() { "57P01".to_string() } else { error_of(&error).0 }
        });
        server.wait_for_requests(round + 1);
        match round {
            0 => drop(client.execute("SELECT pg_cancel_backend($1)", &[&pid]).unwrap()),
            1 => {}
            2 => drop(client.execute("SELECT pg_terminate_backend($1)", &[&pid]).unwrap()),
            _ => socle_tests::signal(cluster.child_pid("socle-egress").unwrap(), libc::SIGKILL),
        }
        let begun = Instant::now();
        assert_eq!(waiting.join().unwrap(), expected, "round {round}");
        assert!(begun.elapsed() < PATIENCE, "the server says nothing for longer");
        eventually("nothing is waited for", || (running(&mut client) == 0).then_some(()));
    }
    // The process that was killed has a successor; nothing was sent twice.
    assert_eq!(server.request_count(), ends.len());
    let other = Server::saying("Hello.");
    other.register(&mut client, "other", "");
    let text: String = client.query_one("SELECT socle.generate('x', 'other')", &[]).unwrap().get(0);
    assert_eq!(text, "Hello.");
    assert!(!cluster.log().contains("server process"), "no process of Postgres ended abnormally");
}

#[test]
fn neither_key_nor_prompt_nor_the_words_of_a_server_stand_anywhere() {
    let server = Server::new(|_| Some(format!("{SECRET} ")));
    let refusing = super::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = refusing.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in refusing.incoming() {
            let mut stream = stream.unwrap();
            let _ = super::read_request(&mut stream);
            let body = format!("{{\"error\": {{\"message\": \"{SECRET}\", \"code\": \"{SECRET}\"}}}}");
            let _ = std::io::Write::write_all(
                &mut stream,
                format!("HTTP/1.1 400 {SECRET}\r\nx: {SECRET}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
                    .as_bytes(),
            );
        }
    });
    let (cluster, mut client) =
        cluster(&server, "log_min_messages = debug1\nlog_min_error_statement = panic\nlog_error_verbosity = verbose");
    use_key(&cluster, &mut client, SECRET);
    let url = format!("http://127.0.0.1:{port}");
    client
        .execute(
            "SELECT socle.register_endpoint('refusing', $1, 'openai', 'm', 'key', allow_loopback => true)",
            &[&url],
        )
        .unwrap();
    server.register(&mut client, "with_key", ", key_file => 'key'");
    // As a parameter: the statement itself is shown in pg_stat_activity like any other.
    let prompt = format!("my password is {SECRET}");
    client.query_one("SELECT socle.generate($1, 'with_key')", &[&prompt]).unwrap();
    let error = client.query_one("SELECT socle.generate($1, 'refusing')", &[&prompt]).unwrap_err();
    let shown = format!("{:?}", error_of(&error));
    assert!(shown.contains("status 400") && !shown.contains(SECRET), "{shown}");
    let shown: String = client
        .query_one(
            "SELECT concat((SELECT string_agg(e::text, '') FROM socle.endpoint e), (SELECT string_agg(s::text, '') FROM socle.endpoint_status s),
                           (SELECT string_agg(a::text, '') FROM pg_stat_activity a), socle.endpoint_report())",
            &[],
        )
        .unwrap()
        .get(0);
    assert!(shown.contains("refusing") && !shown.contains(SECRET), "{shown}");
    assert!(!cluster.log().contains(SECRET), "{}", cluster.log());
    for entry in std::fs::read_dir(cluster.data().join("socle/pgsql_tmp")).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap_or_default();
        assert!(!String::from_utf8_lossy(&bytes).contains(SECRET));
    }
}
