//! How long a row of a small corpus takes to be found, and how long fifteen databases with a row each take, alone and
//! beside large fills in other databases.

use crate::connect;
use postgres::{Client, Config, NoTls};
use std::time::{Duration, Instant};

const ROWS: usize = 100;
const FILLS: usize = 4;
const DATABASES: usize = 15;

/// Documents of a large fill, and sentences of each: more than is done during the measurement.
const DOCUMENTS: usize = 20_000;
const SENTENCES: usize = 30;

pub fn measure(model: &str) {
    println!(
        "\n| a row of a small corpus, {ROWS} times, until `wait_for_corpus` is true | p50 | p99 | slowest |\n|---|---|---|---|"
    );
    let mut quiet = database("turns_quiet", model);
    small(&mut quiet, model);
    let idle = freshness(&mut quiet, 0);
    print("alone", &idle);
    let mut fills: Vec<Client> = (0..FILLS).map(|number| database(&format!("turns_fill_{number}"), model)).collect();
    for fill in &mut fills {
        large(fill, model);
    }
    let beside = freshness(&mut quiet, ROWS);
    print(&format!("beside {FILLS} large fills in other databases"), &beside);
    let left: i64 = fills
        .iter_mut()
        .map(|fill| fill.query_one("SELECT count(*) FROM large_change", &[]).unwrap().get::<_, i64>(0))
        .sum();
    println!("\n{left} documents of the fills were left in the end.");
    drop((quiet, fills));
    for number in 0..FILLS {
        remove(&format!("turns_fill_{number}"));
    }
    remove("turns_quiet");
    many(model);
}

fn many(model: &str) {
    let mut all: Vec<Client> = (0..DATABASES).map(|number| database(&format!("turns_{number}"), model)).collect();
    for client in &mut all {
        small(client, model);
    }
    // Workers that are still running have to be asked to exit first, as in practice.
    let begun = Instant::now();
    for client in &mut all {
        client.batch_execute("INSERT INTO small VALUES (1000000, 'one row in each of many databases')").unwrap();
    }
    let mut times = Vec::new();
    for client in &mut all {
        wait(client);
        times.push(begun.elapsed());
    }
    times.sort();
    println!(
        "\n{DATABASES} databases with a row each: the last was served after {:.2} s.",
        times[DATABASES - 1].as_secs_f64()
    );
    drop(all);
    (0..DATABASES).for_each(|number| remove(&format!("turns_{number}")));
}

fn freshness(client: &mut Client, first: usize) -> Vec<Duration> {
    let mut times: Vec<Duration> = (0..ROWS)
        .map(|number| {
            // Rows arrive at irregular times.
            std::thread::sleep(Duration::from_millis(200 + (number as u64 * 37) % 300));
            let begun = Instant::now();
            let text = format!("row number {} of a small corpus", first + number);
            client.execute("INSERT INTO small VALUES ($1, $2)", &[&((first + number) as i32), &text]).unwrap();
            wait(client);
            begun.elapsed()
        })
        .collect();
    times.sort();
    times
}

fn print(what: &str, times: &[Duration]) {
    let at = |share: f64| times[((times.len() as f64 * share) as usize).min(times.len() - 1)].as_secs_f64() * 1e3;
    println!("| {what} | {:.0} ms | {:.0} ms | {:.0} ms |", at(0.5), at(0.99), at(1.0));
}

fn wait(client: &mut Client) {
    assert!(client.query_one("SELECT socle.wait_for_corpus('small', '10 minutes')", &[]).unwrap().get::<_, bool>(0));
}

fn small(client: &mut Client, model: &str) {
    client.batch_execute("CREATE TABLE small (id int PRIMARY KEY, body text)").unwrap();
    client.execute("SELECT socle.create_corpus('small', 'small', ARRAY['body'], model => $1)", &[&model]).unwrap();
    wait(client);
}

fn large(client: &mut Client, model: &str) {
    client
        .batch_execute(&format!(
            "CREATE TABLE large (id int PRIMARY KEY, body text);
             INSERT INTO large SELECT i, string_agg('Word ' || i * n || ' of sentence ' || n || '.', ' ')
                 FROM generate_series(1, {DOCUMENTS}) i, generate_series(1, {SENTENCES}) n GROUP BY i"
        ))
        .unwrap();
    client.execute("SELECT socle.create_corpus('large', 'large', ARRAY['body'], model => $1)", &[&model]).unwrap();
}

fn database(name: &str, model: &str) -> Client {
    remove(name);
    connect().batch_execute(&format!("CREATE DATABASE {name} TEMPLATE template0")).unwrap();
    let mut client = at(name);
    client.batch_execute("CREATE EXTENSION socle CASCADE").unwrap();
    client.execute("SELECT socle.register_model($1, $1)", &[&model]).unwrap();
    client
}

fn remove(name: &str) {
    connect().batch_execute(&format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)")).unwrap();
}

fn at(database: &str) -> Client {
    let mut config = Config::new();
    config.host(&std::env::var("PGHOST").unwrap()).user("postgres").dbname(database).connect(NoTls).unwrap()
}
