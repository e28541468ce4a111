//! The application in `examples/web` on a real server: over HTTP, and in Chromium where it is installed. What is asked and
//! expected is in the scripts beside this file.

use socle_tests::Cluster;
use std::io::Write;
use std::path::Path;
use std::process::Command;

/// Runs a script against a cluster that has the data of the example.
fn run_script(script: &str, packages: &str) {
    let cluster = Cluster::with_models("socle.import_directories = ''");
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let output = Command::new("python3")
        .arg(here.join("cluster/web").join(script))
        .env("PYTHONPATH", packages)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PGHOST", cluster.directory())
        .env("PGDATABASE", "postgres")
        .env("SOCLE_WEB", here.join("../examples/web"))
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(output.status.success(), "{said}\n{}", cluster.log());
    assert!(said.contains("\nOK"), "{said}");
}

fn packages(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|path| !path.is_empty())
}

#[test]
fn the_web_example_answers_each_tenant_from_what_it_may_see() {
    let packages = packages("SOCLE_PYTHON_WEB").expect("run the tests with \"make test\", which sets SOCLE_PYTHON_WEB");
    run_script("over_http.py", &packages);
}

#[test]
fn the_page_of_the_web_example_works_in_a_browser() {
    let web = packages("SOCLE_PYTHON_WEB").expect("run the tests with \"make test\", which sets SOCLE_PYTHON_WEB");
    let Some(browser) = packages("SOCLE_PYTHON_BROWSER") else {
        // Written to stderr directly, as the output of tests that pass is captured.
        let _ = writeln!(std::io::stderr(), "SKIPPED: the page of examples/web, because chromium is not installed");
        return;
    };
    run_script("in_browser.py", &format!("{web}:{browser}"));
}
