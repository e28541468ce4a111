//! A session that waits for the generator can be cancelled, timed out and terminated, in the prompt and in the text, and
//! the generator then stops.

use super::{cluster, generate, wait_for_requests};
use postgres::NoTls;
use socle_tests::{PATIENCE, error_of};
use std::time::Instant;

/// Statements that take longer than any test waits: in long prompts, and in texts.
const STATEMENTS: [&str; 2] = [
    "SELECT socle.generate(i || repeat(' word', 7000), max_tokens => 1) FROM generate_series(1, 1000) AS i",
    "SELECT socle.generate('Tell me story ' || i, max_tokens => 500, temperature => 1) FROM generate_series(1, 1000) AS i",
];

#[test]
fn cancel_ends_prompt_and_text() {
    let cluster = cluster("");
    let mut observer = cluster.connect();
    generate(&mut observer, "warm").unwrap();
    let generator = cluster.generator_pid();
    for sql in STATEMENTS {
        let mut client = cluster.connect();
        let token = client.cancel_token();
        std::thread::scope(|scope| {
            let statement = scope.spawn(move || {
                let error = client.simple_query(sql).unwrap_err();
                (error_of(&error).0, Instant::now(), client)
            });
            wait_for_requests(&mut observer, |count| count > 0);
            let cancelled = Instant::now();
            token.cancel_query(NoTls).unwrap();
            let (sqlstate, ended, mut client) = statement.join().unwrap();
            assert_eq!(sqlstate, "57014", "{sql}");
            assert!(ended - cancelled < PATIENCE);
            wait_for_requests(&mut observer, |count| count == 0);
            generate(&mut client, "the session goes on").unwrap();
        });
    }
    assert_eq!(cluster.generator_pid(), generator, "the generator has gone on");
}

#[test]
fn statement_timeout_ends_the_wait_and_the_text() {
    let cluster = cluster("");
    let mut client = cluster.connect();
    for sql in STATEMENTS {
        client.batch_execute("SET statement_timeout = '300ms'").unwrap();
        let begun = Instant::now();
        assert_eq!(error_of(&client.simple_query(sql).unwrap_err()).0, "57014");
        assert!(begun.elapsed() < PATIENCE);
        client.batch_execute("RESET statement_timeout").unwrap();
        wait_for_requests(&mut client, |count| count == 0);
    }
    // Before there is a generator at all, too.
    socle_tests::signal(cluster.generator_pid().unwrap(), 9);
    client.batch_execute("SET statement_timeout = '5ms'").unwrap();
    assert_eq!(error_of(&client.simple_query(STATEMENTS[1]).unwrap_err()).0, "57014");
    client.batch_execute("RESET statement_timeout").unwrap();
    generate(&mut client, "the session goes on").unwrap();
}

#[test]
fn termination_and_a_client_that_vanishes_end_the_text() {
    let cluster = cluster("client_connection_check_interval = '100ms'");
    let mut observer = cluster.connect();
    generate(&mut observer, "warm").unwrap();
    let mut client = cluster.connect();
    let pid: i32 = client.query_one("SELECT pg_backend_pid()", &[]).unwrap().get(0);
    std::thread::scope(|scope| {
        let statement = scope.spawn(move || client.simple_query(STATEMENTS[1]).unwrap_err());
        wait_for_requests(&mut observer, |count| count > 0);
        observer.execute("SELECT pg_terminate_backend($1)", &[&pid]).unwrap();
        let error = statement.join().unwrap();
        assert!(error.is_closed() || error_of(&error).0 == "57P01", "{error:?}");
        wait_for_requests(&mut observer, |count| count == 0);
    });
    let psql = socle_tests::command(socle_tests::bin("psql"))
        .args(["--username=postgres", &format!("--command={}", STATEMENTS[1])])
        .arg(format!("--host={}", cluster.directory().display()))
        .stdout(std::process::Stdio::null())
        .spawn();
    let mut psql = psql.unwrap();
    wait_for_requests(&mut observer, |count| count > 0);
    psql.kill().unwrap();
    psql.wait().unwrap();
    wait_for_requests(&mut observer, |count| count == 0);
}
