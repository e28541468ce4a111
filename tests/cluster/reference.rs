//! Results equal those of a reference in Python that shares no code with socle.

use serde_json::{Value, json};
use socle_tests::{Cluster, MODELS, model_directory};
use std::io::Write;
use std::process::{Command, Stdio};

/// Sentences of documentation in many languages, and what tends to go wrong.
const TEXTS: [&str; 24] = [
    "The postmaster starts one background process for every connection.",
    "pg_dump makes consistent backups even if the database is being used concurrently.",
    "PostgreSQL écrit d'abord les modifications dans le journal, puis dans les fichiers de données.",
    "Pour restaurer une sauvegarde, créez une base vide et lisez le fichier avec psql.",
    "Die Wiederherstellung spielt alle Änderungen seit der letzten Basissicherung erneut ein.",
    "Größenänderungen an Spalten vom Typ „numeric“ überschreiben die Tabelle nicht.",
    "Kopia zapasowa jest tyle warta, ile próba jej odtworzenia.",
    "Gęśla jaźń, pchnąć w tę łódź jeża.",
    "Una copia de seguridad que nunca se ha probado no es una copia de seguridad.",
    "Il registro delle transazioni viene scritto prima delle pagine di dati.",
    "O servidor recusa ligações enquanto recupera.",
    "De server weigert verbindingen tijdens het herstel.",
    "Журнал предзаписи позволяет восстановить базу данных после сбоя.",
    "データベースは、障害の後でログから復元されます。",
    "数据库在故障后通过日志恢复。",
    "데이터베이스는 장애 후 로그에서 복구됩니다.",
    "ฐานข้อมูลจะกู้คืนจากบันทึกหลังจากล้มเหลว",
    "يتم استرداد قاعدة البيانات من السجل بعد الفشل.",
    "Yedek, geri yüklenebildiği kadar değerlidir.",
    "SELECT count(*) FROM pg_stat_activity WHERE wait_event IS NOT NULL; -- ERR-4042",
    "emoji 👩‍👩‍👧‍👦🇫🇷 and combining e\u{301}, ﬁ ligature, ㎏, ½, non\u{a0}breaking",
    "x",
    "   leading   and   doubled   spaces   ",
    "tab\tnew\nline\r\nand a very-long-hyphenated-identifier_with_underscores.and.dots/and/slashes",
];

const QUERY: &str = "How is a database restored after a crash?";

#[test]
fn vectors_and_scores_equal_the_reference() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    let long: Vec<String> =
        (1..6).map(|times| TEXTS[..12].join(" ").repeat(times).chars().take(400).collect()).collect();
    let texts: Vec<&str> = TEXTS.into_iter().chain(long.iter().map(String::as_str)).collect();
    let pairs: Vec<[&str; 2]> = texts.iter().map(|text| [QUERY, text]).collect();
    let mut request = serde_json::Map::new();
    for (name, directory) in MODELS {
        let value = if ["reranker", "colbert"].contains(&name) { json!(pairs) } else { json!(texts) };
        request.insert(directory.to_string(), value);
    }
    let reference = reference(&Value::Object(request));
    for (name, directory) in MODELS {
        let expected: Vec<Vec<f32>> = serde_json::from_value(reference[directory].clone()).unwrap();
        let actual: Vec<Vec<f32>> = if ["reranker", "colbert"].contains(&name) {
            let rows = client
                .query("SELECT score FROM socle.rerank($1, $2, $3) ORDER BY ordinal", &[&QUERY, &texts, &name])
                .unwrap();
            rows.iter().map(|row| vec![row.get(0)]).collect()
        } else {
            let sql =
                "SELECT v::real[] FROM unnest(socle.embed($1::text[], $2)) WITH ORDINALITY AS u (v, n) ORDER BY n";
            client.query(sql, &[&texts, &name]).unwrap().iter().map(|row| row.get(0)).collect()
        };
        assert_eq!(actual.len(), expected.len());
        for ((actual, expected), text) in actual.iter().zip(&expected).zip(&texts) {
            let difference = actual.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
            // A sum over the tokens of the query, not one value.
            let accepted = if name == "colbert" { 1e-3 } else { 1e-4 };
            assert!(difference <= accepted, "{name}: {difference} for {text:?}");
        }
    }
}

fn reference(texts: &Value) -> Value {
    let packages = std::env::var("SOCLE_PYTHON").expect("run the tests with \"make test\", which sets SOCLE_PYTHON");
    let mut python = Command::new("python3")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/cluster/reference.py"))
        .arg(model_directory())
        .env("PYTHONPATH", packages)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    python.stdin.take().unwrap().write_all(texts.to_string().as_bytes()).unwrap();
    let output = python.wait_with_output().unwrap();
    assert!(output.status.success());
    serde_json::from_slice(&output.stdout).unwrap()
}
