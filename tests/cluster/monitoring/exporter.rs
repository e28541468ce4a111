//! The files in `monitoring/`: the real exporter returns each of their metrics as a number, dashboard and alerts use no
//! others, and promtool runs the tests of the alerts.

use serde_json::Value;
use socle_tests::{Cluster, eventually};
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

/// So that each value is there: a search, a text of the generator, and a request to an endpoint, which fails.
pub const USE: &str = "
    SELECT socle.embed_query('anything', 'minilm');
    SELECT socle.register_generator('smol', 'smollm2-135m-instruct/model.gguf');
    SELECT socle.generate('Hello', 'smol', max_tokens => 2);
    SELECT socle.register_endpoint('gone', 'http://127.0.0.1:1', 'openai', 'm', allow_loopback => true);
    DO $$ BEGIN PERFORM socle.generate('Hello', 'gone'); EXCEPTION WHEN connection_exception THEN NULL; END $$;";

fn file(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../monitoring").join(name).canonicalize().unwrap()
}

fn read(name: &str) -> String {
    std::fs::read_to_string(file(name)).unwrap()
}

/// The metrics that the queries declare: the name of the query and that of a column that is no label.
fn declared() -> BTreeSet<String> {
    let mut query = String::new();
    let mut metrics = BTreeSet::new();
    for line in read("queries.yaml").lines().filter(|line| !line.starts_with('#')) {
        if let Some(name) = line.strip_suffix(':').filter(|name| !name.starts_with(' ')) {
            query = name.to_string();
        } else if let Some((column, usage)) = line.strip_prefix("    - ").and_then(|rest| rest.split_once(": {usage: "))
            && !usage.starts_with("\"LABEL\"")
        {
            metrics.insert(format!("{query}_{column}"));
        }
    }
    assert!(metrics.len() > 30, "{metrics:?}");
    metrics
}

/// The metrics of socle that a text names.
fn named(text: &str) -> BTreeSet<String> {
    let words = text.split(|letter: char| !letter.is_ascii_alphanumeric() && letter != '_');
    words.filter(|word| word.starts_with("socle_")).map(str::to_string).collect()
}

/// What has `key` in a value of JSON, at any depth.
fn collect<'a>(value: &'a Value, key: &str, found: &mut Vec<&'a str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get(key).and_then(Value::as_str));
            members.values().for_each(|member| collect(member, key, found));
        }
        Value::Array(elements) => elements.iter().for_each(|element| collect(element, key, found)),
        _ => {}
    }
}

/// The expressions of the dashboard, and the queries of its variables.
fn expressions(dashboard: &Value) -> Vec<&str> {
    let mut expressions = Vec::new();
    collect(&dashboard["panels"], "expr", &mut expressions);
    collect(&dashboard["templating"], "definition", &mut expressions);
    assert!(expressions.len() > 20, "{expressions:?}");
    expressions
}

#[test]
fn dashboard_and_alerts_use_metrics_that_there_are() {
    let declared = declared();
    let dashboard: Value = serde_json::from_str(&read("dashboard.json")).unwrap();
    assert!(dashboard["schemaVersion"].as_i64().unwrap() >= 37, "that of Grafana 10");
    let mut used = BTreeSet::new();
    for expression in expressions(&dashboard) {
        let names = named(expression);
        assert!(!names.is_empty() && names.is_subset(&declared), "{expression}");
        used.extend(names);
    }
    let alerts = read("alerts.yml");
    for expression in alerts.lines().filter_map(|line| line.trim().strip_prefix("expr: ")) {
        let names = named(expression);
        assert!(!names.is_empty() && names.is_subset(&declared), "{expression}");
    }
    let mut ids: Vec<i64> =
        dashboard["panels"].as_array().unwrap().iter().map(|panel| panel["id"].as_i64().unwrap()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert!(ids.len() == count && used.len() > 20, "{used:?}");
}

#[test]
fn each_alert_is_raised_by_what_it_is_for() {
    let Some(promtool) = found("SOCLE_PROMTOOL", "promtool, which checks the alerts") else { return };
    for arguments in [["check", "rules", "alerts.yml"], ["test", "rules", "alerts_test.yml"]] {
        let output = Command::new(&promtool).args(arguments).current_dir(file(".")).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        assert!(output.status.success(), "{arguments:?}: {}{}", text(&output.stdout), text(&output.stderr));
    }
    let tests = read("alerts_test.yml");
    for alert in read("alerts.yml").lines().filter_map(|line| line.trim().strip_prefix("- alert: ")) {
        assert!(tests.contains(&format!("alertname: {alert}")), "{alert} has no test");
    }
}

/// As rules, in which Grafana's variables have values.
#[test]
fn prometheus_can_read_the_expressions_of_the_dashboard() {
    let Some(promtool) = found("SOCLE_PROMTOOL", "promtool, which reads the expressions of the dashboard") else {
        return;
    };
    let dashboard: Value = serde_json::from_str(&read("dashboard.json")).unwrap();
    let rules: String = expressions(&dashboard)
        .into_iter()
        .filter(|expression| !expression.starts_with("label_values"))
        .map(|expression| {
            let expression =
                expression.replace("$__rate_interval", "5m").replace("$server", ".*").replace("$database", ".*");
            assert!(!expression.contains('$'), "{expression}");
            format!("      - {{record: a, expr: '{expression}'}}\n")
        })
        .collect();
    let path = std::env::temp_dir().join(format!("socle-dashboard-{}.yml", std::process::id()));
    std::fs::write(&path, format!("groups:\n  - name: dashboard\n    rules:\n{rules}")).unwrap();
    let output = Command::new(&promtool).args(["check", "rules", "--lint=none"]).arg(&path).output().unwrap();
    std::fs::remove_file(&path).unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// What set-up has found, or a line that says what is skipped: written to standard error itself, because the output of
/// tests that pass is not shown.
fn found(variable: &str, what: &str) -> Option<String> {
    let program = std::env::var(variable).ok().filter(|path| !path.is_empty());
    if program.is_none() {
        let _ = writeln!(std::io::stderr(), "SKIPPED: {what}, which set-up could not get");
    }
    program
}

struct Exporter(Child);

impl Drop for Exporter {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// The metrics of socle and what the exporter said, if there is one.
fn export(cluster: &Cluster) -> Option<(Vec<String>, String)> {
    let program = found("SOCLE_EXPORTER", "the exporter for Prometheus")?;
    let free: SocketAddr = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let child = Command::new(program)
        .arg(format!("--web.listen-address={free}"))
        .arg(format!("--extend.query-path={}", file("queries.yaml").display()))
        .args(["--disable-default-metrics", "--disable-settings-metrics", "--log.level=error"])
        .env(
            "DATA_SOURCE_NAME",
            format!("host={} user=watcher dbname=postgres sslmode=disable", cluster.directory().display()),
        )
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut exporter = Exporter(child);
    let metrics = eventually("the exporter answers", || {
        let mut stream = TcpStream::connect(free).ok()?;
        stream.write_all(b"GET /metrics HTTP/1.0\r\nHost: localhost\r\n\r\n").ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).ok()?;
        answer.contains("socle_").then_some(answer)
    });
    let _ = exporter.0.kill();
    let mut said = String::new();
    exporter.0.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    let ours = metrics.lines().filter(|line| line.starts_with("socle_")).map(str::to_string).collect();
    Some((ours, said))
}

/// The real exporter, under the role `watcher`, which has the privileges of pg_monitor and no others. The corpus `paused`
/// cannot be counted.
pub fn reads_numbers(cluster: &Cluster) {
    let Some((ours, said)) = export(cluster) else { return };
    // Queries that the exporter brings along may be older than the server.
    let complaints: Vec<&str> = said.lines().filter(|line| line.contains("socle")).collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    let (uncounted, counted): (Vec<&String>, Vec<&String>) =
        ours.iter().partition(|line| line.contains("name=\"paused\""));
    let mut emitted = BTreeSet::new();
    let value = |line: &str| line.rsplit(' ').next().unwrap().parse::<f64>().unwrap();
    for line in &counted {
        assert!(value(line).is_finite(), "{line}");
        emitted.insert(line.split(['{', ' ']).next().unwrap().to_string());
    }
    assert_eq!(emitted, declared(), "{said}");
    let metric = |name: &str| -> f64 {
        let line = counted.iter().find(|line| line.starts_with(name));
        value(line.unwrap_or_else(|| panic!("no {name}: {counted:#?}")))
    };
    assert!((metric("socle_corpus_document_count"), metric("socle_corpus_failed_count")) == (21.0, 1.0), "{ours:#?}");
    assert!(
        metric("socle_corpus_lag_seconds") == 0.0 && metric("socle_corpus_documents_per_second") > 0.0,
        "{ours:#?}"
    );
    assert!(metric("socle_engine_up") == 1.0 && metric("socle_engine_memory_bytes") > 1e6, "{ours:#?}");
    assert!(metric("socle_generator_process_up") == 1.0 && metric("socle_generator_loaded") == 1.0, "{ours:#?}");
    assert!(metric("socle_failure_count") == 1.0 && metric("socle_corpus_broken") == 0.0, "{ours:#?}");
    // What SocleCorpusNotCounted compares.
    let pending = uncounted.iter().find(|line| line.starts_with("socle_corpus_pending_count")).unwrap();
    let paused = uncounted.iter().find(|line| line.starts_with("socle_corpus_paused")).unwrap();
    assert!(value(pending).is_nan() && value(paused) == 1.0, "{uncounted:#?}");
}
