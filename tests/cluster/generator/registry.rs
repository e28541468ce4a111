//! The registry: who may write it, what is refused, files that change under a running server, dumps and standbys.

use super::{FILE, cluster, generate, status, use_own_directory};
use crate::sqlstate;
use socle_tests::{Cluster, bin, command, error_of, eventually, run};
use std::fs;

#[test]
fn a_generator_is_registered_tried_and_dropped() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    let sql = "SELECT name, architecture, template, template_source, digest, context_tokens, trained_context_tokens,
                      parameter_count, memory_bytes, license
               FROM socle.register_generator('smol', $1, context_tokens => 1024, license => 'Apache-2.0')";
    let row = client.query_one(sql, &[&FILE]).unwrap();
    assert_eq!((row.get::<_, &str>(0), row.get::<_, &str>(1)), ("smol", "llama"));
    assert_eq!((row.get::<_, &str>(2), row.get::<_, &str>(3)), ("chatml", "file"));
    assert_eq!(row.get::<_, &str>(4).len(), 64);
    assert!(row.get::<_, i32>(5) == 1024 && row.get::<_, i32>(6) >= 2048);
    assert!((100_000_000..200_000_000).contains(&row.get::<_, i64>(7)));
    assert!(row.get::<_, i64>(8) > 50_000_000);
    assert_eq!(row.get::<_, &str>(9), "Apache-2.0");
    let kept =
        "SELECT file, file_bytes > 50000000, length(file_sha256), registered_by::text, digest FROM socle.generator";
    let kept = client.query_one(kept, &[]).unwrap();
    assert_eq!((kept.get::<_, &str>(0), kept.get::<_, bool>(1), kept.get::<_, i32>(2)), (FILE, true, 64));
    assert_eq!((kept.get::<_, &str>(3), kept.get::<_, &str>(4)), ("postgres", row.get::<_, &str>(4)));
    generate(&mut client, "Hi").unwrap_err();
    client.batch_execute("SET socle.default_generator = 'smol'").unwrap();
    generate(&mut client, "Hi").unwrap();
    assert!(status::<bool>(&mut client, "loaded"));
    assert!(status::<i64>(&mut client, "memory_bytes") > 50_000_000);

    let again = client.execute("SELECT socle.register_generator('smol', $1)", &[&FILE]);
    assert_eq!(sqlstate(again), "42710");
    client.execute("SELECT socle.drop_generator('smol')", &[]).unwrap();
    assert_eq!(sqlstate(client.execute("SELECT socle.drop_generator('smol')", &[])), "42704");
    assert_eq!(sqlstate(generate(&mut client, "Hi")), "42704");
    let rows = client.query("SELECT * FROM socle.generator_status", &[]).unwrap();
    assert_eq!(rows.len(), 0);
}

#[test]
fn only_superusers_and_whom_they_allow_register_generators() {
    let cluster = cluster("");
    let mut superuser = cluster.connect();
    superuser
        .batch_execute(
            "CREATE ROLE application LOGIN; CREATE ROLE librarian LOGIN; CREATE ROLE refused LOGIN;
             GRANT EXECUTE ON FUNCTION socle.register_generator, socle.drop_generator TO librarian",
        )
        .unwrap();
    let connect = |user: &str| cluster.configuration().user(user).connect(postgres::NoTls).unwrap();
    let (mut application, mut librarian) = (connect("application"), connect("librarian"));
    let register = "SELECT socle.register_generator('mine', $1)";
    assert_eq!(sqlstate(application.execute(register, &[&FILE])), "42501");
    assert_eq!(sqlstate(application.execute("SELECT socle.drop_generator('smol')", &[])), "42501");
    assert_eq!(sqlstate(application.execute("DELETE FROM socle.generator", &[])), "42501");
    application.execute("SELECT socle.version()", &[]).unwrap();
    for setting in ["generator_threads = 1", "generator_memory_limit = 100", "generator_idle_timeout = 1"] {
        assert_eq!(sqlstate(application.execute(&format!("SET socle.{setting}"), &[])), "55P02", "{setting}");
    }
    generate(&mut application, "everybody uses one").unwrap();
    let activity = "connection_count, running_count, queued_count, request_count, prompt_token_count, answer_token_count, tokens_per_second, first_token_p50_ms, used_at";
    let shown = |client: &mut postgres::Client| -> (String, bool, i32) {
        let sql =
            format!("SELECT state, loaded, num_nonnulls({activity}) FROM socle.generator_status WHERE name = 'smol'");
        let row = client.query_one(&sql, &[]).unwrap();
        (row.get(0), row.get(1), row.get(2))
    };
    assert_eq!(shown(&mut application), ("running".into(), true, 0), "what others do with it is not told");
    assert_eq!(shown(&mut superuser), ("running".into(), true, 9));
    superuser.batch_execute("GRANT pg_monitor TO application").unwrap();
    assert_eq!(shown(&mut application), ("running".into(), true, 9));
    superuser.batch_execute("REVOKE pg_monitor FROM application").unwrap();
    let report =
        "SELECT socle.generator_report() - 'generators' @> '{\"request_count\": null, \"prompt_token_count\": null}'";
    assert!(application.query_one(report, &[]).unwrap().get::<_, bool>(0));

    librarian.execute(register, &[&FILE]).unwrap();
    let by = "SELECT registered_by::text FROM socle.generator WHERE name = 'mine'";
    assert_eq!(librarian.query_one(by, &[]).unwrap().get::<_, String>(0), "librarian");
    librarian.execute("SELECT socle.drop_generator('mine')", &[]).unwrap();

    // A row that a role inserts is skipped; one that a superuser changes by hand is noticed.
    application
        .batch_execute("INSERT INTO socle.generator SELECT 'own' AS name, file, file_bytes, file_sha256, template,
                            context_tokens, architecture, parameter_count, quantization, license, digest FROM socle.generator")
        .unwrap();
    assert_eq!(sqlstate(application.execute("SELECT socle.generate('Hi', 'own')", &[])), "42704");
    // Whoever may not read the registry uses no generator, and learns no name.
    superuser
        .batch_execute("REVOKE SELECT ON socle.generator FROM PUBLIC; GRANT SELECT ON socle.generator TO application")
        .unwrap();
    generate(&mut application, "Hi").unwrap();
    let mut refused = connect("refused");
    assert_eq!(sqlstate(generate(&mut refused, "Hi")), "42501");
    assert_eq!(sqlstate(refused.execute("SELECT socle.count_generator_tokens('Hi', 'no such')", &[])), "42501");
    superuser.execute("UPDATE socle.generator SET context_tokens = 100", &[]).unwrap();
    assert_eq!(sqlstate(generate(&mut superuser, "Hi")), "XX001");
}

#[test]
fn files_that_are_no_models_are_refused_and_one_that_changes_is_an_error_that_names_it() {
    let cluster = Cluster::with_models("");
    let models = use_own_directory(&cluster);
    let file = models.join("model.gguf");
    let sound = fs::read(&file).unwrap();
    fs::write(models.join("text.gguf"), "no model").unwrap();
    fs::write(models.join("empty.gguf"), "").unwrap();
    fs::write(models.join("cut.gguf"), &sound[..sound.len() / 2]).unwrap();
    fs::create_dir(models.join("directory.gguf")).unwrap();
    std::os::unix::fs::symlink(&file, models.join("link.gguf")).unwrap();
    let mut client = cluster.connect();
    for name in ["text.gguf", "empty.gguf", "cut.gguf", "directory.gguf", "link.gguf", "../model.gguf", "nowhere.gguf"]
    {
        let error = error_of(&client.execute("SELECT socle.register_generator('x', $1)", &[&name]).unwrap_err());
        assert!(["XX001", "58P01", "58030", "0A000", "22023"].contains(&error.0.as_str()), "{name}: {error:?}");
        let told = format!("{} {} {}", error.1, error.2, error.3);
        assert!(told.contains(name) && !error.3.is_empty(), "{name}: {error:?}");
    }
    let absolute = file.to_string_lossy().into_owned();
    for (name, hint) in [
        (absolute.as_str(), "relative to socle.model_directory"),
        ("../models/model.gguf", "smollm2-135m-instruct/model.gguf"),
        ("directory.gguf", "Name the file in it."),
        ("link.gguf", "Copy the file itself"),
        ("nowhere.gguf", "the path, which is relative to it"),
        ("text.gguf", "format GGUF"),
    ] {
        let error = error_of(&client.execute("SELECT socle.register_generator('x', $1)", &[&name]).unwrap_err());
        assert!(error.3.contains(hint), "{name}: {error:?}");
    }
    for arguments in
        ["NULL, 'model.gguf'", "'', 'model.gguf'", "'x', NULL", "'x', ''", "'x', 'model.gguf', 'no such template'"]
    {
        let refused = client.execute(&format!("SELECT socle.register_generator({arguments})"), &[]);
        assert_eq!(sqlstate(refused), "22023", "{arguments}");
    }
    for tokens in ["0", "-1", "2147483647"] {
        let sql = format!("SELECT socle.register_generator('x', 'model.gguf', context_tokens => {tokens})");
        let code = sqlstate(client.execute(&sql, &[]));
        assert!(["22023", "53200"].contains(&code.as_str()), "{tokens}: {code}");
    }

    client.execute("SELECT socle.register_generator('smol', 'model.gguf')", &[]).unwrap();
    client.batch_execute("SET socle.default_generator = 'smol'").unwrap();
    generate(&mut client, "Hi").unwrap();
    let mut damaged = sound.clone();
    let last = damaged.len() - 1;
    damaged[last] ^= 1;
    fs::write(models.join("new"), &damaged).unwrap();
    fs::rename(models.join("new"), &file).unwrap();
    let (code, message, _, _) = error_of(&generate(&mut client, "Hi").unwrap_err());
    assert_eq!(code, "XX001");
    assert!(message.contains("model.gguf"), "{message}");
    fs::remove_file(&file).unwrap();
    let (code, message, _, _) = error_of(&generate(&mut client, "Hi").unwrap_err());
    assert_eq!(code, "58P01");
    assert!(message.contains("model.gguf"), "{message}");
    fs::write(models.join("new"), &sound).unwrap();
    fs::rename(models.join("new"), &file).unwrap();
    generate(&mut client, "the file is back").unwrap();
}

#[test]
fn a_generator_and_a_model_may_have_the_same_name() {
    let cluster = cluster("");
    let mut client = cluster.connect();
    client.execute("SELECT socle.register_model('smol', 'all-minilm-l6-v2')", &[]).unwrap();
    generate(&mut client, "Hi").unwrap();
    client.execute("SELECT socle.embed('Hi', 'smol')", &[]).unwrap();
    client.execute("SELECT socle.drop_model('smol')", &[]).unwrap();
    generate(&mut client, "Hi").unwrap();
    assert_eq!(sqlstate(client.execute("SELECT socle.embed('Hi', 'smol')", &[])), "42704");
}

#[test]
fn a_dump_keeps_generators() {
    let cluster = cluster("");
    let mut client = cluster.connect();
    client.batch_execute("CREATE ROLE tenant LOGIN").unwrap();
    client.batch_execute("CREATE DATABASE restored TEMPLATE template0").unwrap();
    client.batch_execute("CREATE DATABASE owned OWNER tenant TEMPLATE template0").unwrap();
    let host = format!("--host={}", cluster.directory().display());
    let file = format!("--file={}", cluster.directory().join("dump.sql").display());
    run(command(bin("pg_dump")).args([&host, "--username=postgres", "--no-owner", &file, "postgres"]));
    let restore = |database: &str, user: &str| {
        let (user, database) = (format!("--username={user}"), format!("--dbname={database}"));
        run(command(bin("psql")).args([&host, &user, &database, "--no-psqlrc", "--quiet", &file]))
    };
    restore("restored", "postgres");
    let mut restored = cluster.connect_to("restored");
    restored.query_one("SELECT socle.generate('Hi', 'smol', max_tokens => 3)", &[]).unwrap();
    // The owner of a database adds none, and is told so.
    let mut owned = cluster.connect_to("owned");
    owned.batch_execute("CREATE EXTENSION socle CASCADE").unwrap();
    let said = String::from_utf8_lossy(&restore("owned", "tenant").stderr).into_owned();
    assert!(said.contains("a generator of the dump is not registered in this database"), "{said}");
    let count: i64 = owned.query_one("SELECT count(*) FROM socle.generator", &[]).unwrap().get(0);
    assert_eq!(count, 0);
}

#[test]
fn a_standby_writes_texts_and_registers_nothing() {
    let primary = cluster("");
    let standby = Cluster::standby_of(&primary);
    standby.start();
    let mut reader = standby.wait_for_connection();
    generate(&mut reader, "Hi").unwrap();
    assert_eq!(sqlstate(reader.execute("SELECT socle.register_generator('x', $1)", &[&FILE])), "25006");
    assert_eq!(sqlstate(reader.execute("SELECT socle.drop_generator('smol')", &[])), "25006");
    let generator = standby.generator_pid().unwrap();
    assert_ne!(Some(generator), primary.generator_pid());
    standby.promote();
    eventually("it is promoted", || reader.execute("SELECT socle.register_generator('x', $1)", &[&FILE]).ok());
    assert_eq!(standby.generator_pid(), Some(generator));
}
