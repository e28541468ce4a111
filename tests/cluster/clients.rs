//! The examples of clients, and the package for Python, against a real server: directly, and through a pooler in
//! transaction mode. What a machine lacks is said and skipped.

use postgres::Client;
use socle_tests::{Cluster, bin, command, eventually, run};
use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// The database of examples/clients/setup.sql.
struct Shop {
    cluster: Cluster,
}

impl Shop {
    fn new() -> Self {
        let cluster = Cluster::new("");
        cluster.start();
        let shop = Self { cluster };
        shop.psql("postgres").arg("--command=CREATE DATABASE shop").output().unwrap();
        run(shop.psql("shop").stdin(fs::File::open(examples().join("setup.sql")).unwrap()));
        shop
    }

    fn psql(&self, database: &str) -> Command {
        let mut psql = command(bin("psql"));
        psql.args(["--username=postgres", "--no-psqlrc", "--set=ON_ERROR_STOP=1"])
            .arg(format!("--host={}", self.cluster.directory().display()))
            .arg(format!("--dbname={database}"));
        psql
    }

    fn connect(&self) -> Client {
        self.cluster.connect_to("shop")
    }

    /// Where clients connect to without a pooler.
    fn directly(&self) -> (String, u16) {
        (self.cluster.directory().display().to_string(), 5432)
    }
}

/// A pooler that lends its sessions for single transactions.
struct Pooler {
    process: Child,
    port: u16,
}

impl Pooler {
    fn before(shop: &Shop) -> Option<Self> {
        let program = found("SOCLE_PGBOUNCER", "pgbouncer, which set-up could not get")?;
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let (host, _) = shop.directly();
        let file = |name: &str, text: String| {
            let path = shop.cluster.directory().join(name);
            fs::write(&path, text).unwrap();
            path
        };
        let users = file("users", "\"shop_reader\" \"\"\n\"postgres\" \"\"\n".to_string());
        // Fewer sessions than one of the clients has connections.
        let settings = file(
            "pgbouncer.ini",
            format!(
                "[databases]\nshop = host={host}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
                 unix_socket_dir =\nauth_type = trust\nauth_file = {}\npool_mode = transaction\ndefault_pool_size = 2\n\
                 ignore_startup_parameters = extra_float_digits\n",
                users.display()
            ),
        );
        let process = command(program).arg(settings).stderr(Stdio::null()).spawn().unwrap();
        let pooler = Self { process, port };
        eventually("the pooler takes connections", || TcpStream::connect(("127.0.0.1", port)).ok());
        Some(pooler)
    }

    fn connect(&self) -> Client {
        let (host, port) = self.place();
        let place = format!("host={host} port={port} user=shop_reader dbname=shop");
        Client::connect(&place, postgres::NoTls).unwrap()
    }

    /// Statements that clients have left in its sessions, all of which two transactions at once hold.
    fn left_behind(&self) -> Vec<String> {
        let mut clients = [self.connect(), self.connect()];
        let mut left = Vec::new();
        for client in &mut clients {
            client.batch_execute("BEGIN").unwrap();
            left.extend(texts(client, "SELECT statement FROM pg_prepared_statements"));
        }
        left
    }

    fn place(&self) -> (String, u16) {
        ("127.0.0.1".to_string(), self.port)
    }
}

impl Drop for Pooler {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The first column of what a statement returns that is not prepared.
fn texts(client: &mut Client, sql: &str) -> Vec<String> {
    let rows = client.simple_query(sql).unwrap();
    rows.iter()
        .filter_map(|row| match row {
            postgres::SimpleQueryMessage::Row(row) => row.get(0).map(str::to_string),
            _ => None,
        })
        .collect()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_path_buf()
}

fn examples() -> PathBuf {
    root().join("examples/clients")
}

/// What set-up has found, or a line that says what is skipped. Written to standard error itself, because the output of
/// tests that pass is not shown.
fn found(variable: &str, otherwise: &str) -> Option<String> {
    let value = std::env::var(variable).ok().filter(|value| !value.is_empty());
    if value.is_none() {
        let _ = writeln!(std::io::stderr(), "SKIPPED: {otherwise}");
    }
    value
}

/// The first line that a program says of its version.
fn version(program: &str) -> Option<String> {
    let output = Command::new(program).arg("--version").output().ok()?;
    String::from_utf8(output.stdout).ok()?.lines().next().map(str::to_string)
}

/// Java runs a file of source code from version 11 on, and this one has records and blocks of text.
fn has_java() -> bool {
    let major = version("java").and_then(|line| line.split([' ', '.']).nth(1)?.parse().ok()).unwrap_or(0);
    if major < 17 {
        let _ = writeln!(std::io::stderr(), "SKIPPED: the example of JDBC, because java 17 is not installed");
    }
    major >= 17
}

/// The programs of the examples that this machine can run, and whether they connect to sockets of the file system.
fn clients() -> Vec<(&'static str, Command, bool)> {
    let mut clients = Vec::new();
    if let Some(packages) = found("SOCLE_PYTHON_CLIENTS", "examples in Python, whose packages set-up could not get") {
        for name in ["psycopg_sync", "psycopg_async", "sqlalchemy_core", "django_orm", "asyncpg_client"] {
            let mut python = Command::new("python3");
            python.arg("-B").arg(examples().join(name).with_extension("py")).env("PYTHONPATH", &packages);
            clients.push((name, python, true));
        }
    }
    if let Some(modules) = found("SOCLE_NODE", "the example of Node.js, whose packages set-up could not get") {
        let mut node = Command::new("node");
        node.arg(examples().join("node/search.js")).env("NODE_PATH", modules);
        clients.push(("node", node, true));
    }
    if let Some(jar) =
        found("SOCLE_JDBC", "the example of JDBC, whose driver set-up could not get").filter(|_| has_java())
    {
        let mut java = Command::new("java");
        java.args(["-cp", &jar]).arg(examples().join("java/Search.java"));
        clients.push(("java", java, false));
    }
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["run", "--quiet", "--release", "--locked", "--package", "socle-example"]).current_dir(root());
    clients.push(("rust", cargo, true));
    clients
}

#[test]
fn every_client_gets_the_same_directly_and_through_a_pooler() {
    let shop = Shop::new();
    let pooler = Pooler::before(&shop);
    let expected = fs::read_to_string(examples().join("expected.txt")).unwrap();
    let mut places = vec![(shop.directly(), true)];
    places.extend(pooler.iter().map(|pooler| (pooler.place(), false)));
    for (name, mut program, takes_sockets) in clients() {
        for ((host, port), is_socket) in &places {
            if *is_socket && !takes_sockets {
                continue;
            }
            let output = program
                .envs([("PGHOST", host.as_str()), ("PGPORT", &port.to_string()), ("PGUSER", "shop_reader")])
                .env("PGDATABASE", "shop")
                .output()
                .unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{name} at {host}: {said}");
            assert_eq!(String::from_utf8_lossy(&output.stdout), expected, "{name} at {host}: {said}");
        }
        if let Some(pooler) = &pooler {
            assert_eq!(pooler.left_behind(), Vec::<String>::new(), "{name}");
        }
    }
    // The hostile filter has dropped nothing.
    let mut client = shop.connect();
    assert_eq!(client.query_one("SELECT count(*) FROM product", &[]).unwrap().get::<_, i64>(0), 8);
}

#[test]
fn settings_of_a_session_wander_in_a_pool_and_those_of_a_database_do_not() {
    let shop = Shop::new();
    let Some(pooler) = Pooler::before(&shop) else { return };
    let (mut first, mut second) = (pooler.connect(), pooler.connect());
    assert_eq!(texts(&mut first, "SHOW socle.default_model"), ["multilingual"], "that of ALTER DATABASE");
    first.batch_execute("SET socle.default_model = 'mine'").unwrap();
    assert_eq!(texts(&mut second, "SHOW socle.default_model"), ["mine"], "what the README warns of");
}

/// The package as pip installs it, in a directory of the cluster.
fn installed(shop: &Shop, packages: &str) -> PathBuf {
    let target = shop.cluster.directory().join("installed");
    let output = Command::new("python3")
        .args([
            "-m",
            "pip",
            "--disable-pip-version-check",
            "--no-input",
            "install",
            "--quiet",
            "--no-index",
            "--no-deps",
        ])
        .args(["--no-build-isolation", "--no-cache-dir"])
        .arg("--target")
        .arg(&target)
        .arg(root().join("clients/python"))
        .envs([("PYTHONPATH", packages), ("PIP_ROOT_USER_ACTION", "ignore")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(target.join("socle_client/py.typed").exists() && target.join("bin/socle-mcp").exists());
    target
}

/// Runs a file of tests of the package.
fn test_package(shop: &Shop, packages: &str, file: &str) {
    let installed = installed(shop, packages);
    let (host, port) = shop.directly();
    let output = Command::new("python3")
        .arg("-B")
        .arg(root().join("clients/python/tests").join(file))
        .env("PYTHONPATH", format!("{}:{packages}", installed.display()))
        .envs([("PGHOST", host.as_str()), ("PGPORT", &port.to_string()), ("PGUSER", "shop_reader")])
        .envs([("PGDATABASE", "shop"), ("HAYSTACK_TELEMETRY_ENABLED", "False")])
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn the_package_for_python_works_as_it_is_installed() {
    let Some(packages) = found("SOCLE_PYTHON_CLIENTS", "the package for Python, whose packages set-up could not get")
    else {
        return;
    };
    test_package(&Shop::new(), &packages, "test_client.py");
}

/// Apart, because the frameworks are large: `make test-clients`.
#[test]
#[ignore = "make test-clients runs it"]
fn the_integrations_work_with_their_frameworks_and_types_are_right() {
    let packages = std::env::var("SOCLE_PYTHON_FRAMEWORKS").expect("make test-clients sets it");
    let typed = Command::new("python3")
        .args(["-m", "mypy", "--cache-dir=/dev/null", "--no-error-summary"])
        .current_dir(root().join("clients/python"))
        .env("PYTHONPATH", &packages)
        .output()
        .unwrap();
    assert!(typed.status.success(), "{}", String::from_utf8_lossy(&typed.stdout));
    test_package(&Shop::new(), &packages, "test_frameworks.py");
}
