//! Arguments that cannot be meant are refused, and say so.

use super::{FILE, cluster, generate};
use socle_tests::{Cluster, error_of};

#[test]
fn what_cannot_be_generated_is_refused_by_name() {
    let cluster = cluster("");
    let mut client = cluster.connect();
    let refused = [
        ("'Hi', 'nowhere'", "42704", "generator \"nowhere\" does not exist"),
        ("''", "22023", "prompt must not be empty"),
        ("E' \\n '", "22023", "prompt must not be empty"),
        ("'Hi', max_tokens => 0", "22023", "max_tokens must be at least 1"),
        ("'Hi', max_tokens => -1", "22023", "max_tokens must be at least 1"),
        ("'Hi', temperature => -0.1", "22023", "temperature must be between 0 and 2"),
        ("'Hi', temperature => 'NaN'", "22023", "temperature must be between 0 and 2"),
        ("'Hi', temperature => 'Infinity'", "22023", "temperature must be between 0 and 2"),
        ("'Hi', stop => ARRAY['a', NULL]", "22023", "stop must not contain NULL"),
        ("'Hi', stop => ARRAY['']", "22023", "stop must not contain NULL or an empty text"),
        ("'Hi', choices => '{}'", "22023", "choices must not be an empty array"),
        ("'Hi', choices => '{a,NULL}'", "22023", "choices must not contain NULL"),
        ("'Hi', choices => '{a}', json_schema => '{}'", "22023", "choices and json_schema exclude each other"),
        ("'Hi', choices => '{yes}', stop => '{e}'", "22023", "stop is not possible with choices or json_schema"),
        ("'Hi', json_schema => '[]'", "22023", ""),
        ("'Hi', json_schema => '{\"type\": \"nothing\"}'", "22023", ""),
        ("'{}'::jsonb", "22023", "messages must be an array"),
        ("'[]'::jsonb", "22023", "messages must be an array"),
        ("'[1]'::jsonb", "22023", "messages must be an array"),
        ("'[{\"role\": \"user\"}]'::jsonb", "22023", "messages must be an array"),
        ("'[{\"role\": \"tool\", \"content\": \"x\"}]'::jsonb", "22023", "messages must be an array"),
        ("'[{\"role\": \"user\", \"content\": 1}]'::jsonb", "22023", "messages must be an array"),
        ("'[{\"role\": \"user\", \"content\": \"x\", \"name\": \"y\"}]'::jsonb", "22023", "messages must be an array"),
        ("'[{\"role\": \"user\", \"content\": \" \"}]'::jsonb", "22023", "messages must not all be empty"),
        ("repeat('word ', 20000)", "54000", ""),
        ("repeat('word ', 2000000)", "54000", "prompt has 10000000 bytes"),
    ];
    for (arguments, code, message) in refused {
        let error = error_of(&client.execute(&format!("SELECT socle.generate({arguments})"), &[]).unwrap_err());
        assert_eq!(error.0, code, "{arguments}: {error:?}");
        assert!(error.1.contains(message) && error.1.starts_with(|letter: char| !letter.is_uppercase()), "{error:?}");
    }
    generate(&mut client, "the session goes on").unwrap();
    // Far more than the context holds is not counted, and whatever might fit is.
    let count = |client: &mut postgres::Client, words: i32| {
        client
            .query_one("SELECT socle.count_generator_tokens(repeat('word ', $1))", &[&words])
            .map(|row| row.get::<_, i32>(0))
            .map_err(|error| error_of(&error))
    };
    assert!(count(&mut client, 100_000).is_ok_and(|count| count > 100_000));
    let error = count(&mut client, 110_000).unwrap_err();
    assert_eq!((error.0.as_str(), error.1.as_str()), ("54000", "the text is too long for its tokens to be counted"));
    assert!(error.2.contains("550000 bytes") && error.3.contains("Up to 524288 bytes"), "{error:?}");
    for null in ["NULL::text", "NULL::jsonb"] {
        let row = client.query_one(&format!("SELECT socle.generate({null}, 'nowhere')"), &[]).unwrap();
        assert_eq!(row.get::<_, Option<String>>(0), None);
    }
}

#[test]
fn without_a_generator_the_hint_says_how_to_get_one() {
    let cluster = Cluster::with_models("");
    let mut client = cluster.connect();
    let (code, message, _, hint) = error_of(&generate(&mut client, "Hi").unwrap_err());
    assert_eq!((code.as_str(), message.as_str()), ("22023", "no generator specified"));
    assert!(hint.contains("socle.default_generator") && hint.contains("socle.register_generator()"), "{hint}");
    client.execute("SELECT socle.register_generator('smol', $1)", &[&FILE]).unwrap();
    let (_, _, _, hint) = error_of(&generate(&mut client, "Hi").unwrap_err());
    assert!(hint.contains("Registered generators are \"smol\"."), "{hint}");
    client.batch_execute("SET socle.default_generator = 'smol'").unwrap();
    generate(&mut client, "Hi").unwrap();
}
