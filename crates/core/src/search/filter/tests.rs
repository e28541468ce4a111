//! Filters as users write them, those that are refused, and what no filter can do: become part of the SQL.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};

/// A column with the operators of `schema`, none for an empty one.
fn column(name: &str, type_name: &str, kind: ColumnKind, category: char, schema: &str) -> FilterColumn {
    let operator = |name: &str| (!schema.is_empty()).then(|| format!("OPERATOR({schema}.{name})"));
    let array = type_name.strip_suffix("[]").map(|element| format!("_{element}"));
    FilterColumn {
        name: name.to_string(),
        type_name: type_name.to_string(),
        type_sql: format!(
            "{}.{}",
            if schema.is_empty() { "pg_catalog" } else { schema },
            array.unwrap_or(type_name.to_string())
        ),
        type_id: u32::try_from(type_name.len()).unwrap(),
        array_id: 1_000,
        kind,
        category,
        operators: Operators {
            equal: operator("="),
            not_equal: operator("<>"),
            less: operator("<"),
            less_or_equal: operator("<="),
            greater: operator(">"),
            greater_or_equal: operator(">="),
            like: (schema != "pg_catalog" && category == 'S').then(|| format!("OPERATOR({schema}.~~)")),
            ilike: (schema != "pg_catalog" && category == 'S').then(|| format!("OPERATOR({schema}.~~*)")),
        },
    }
}

fn columns() -> Vec<FilterColumn> {
    use ColumnKind::{Array, Json, Scalar};
    vec![
        column("lang", "text", Scalar, 'S', "pg_catalog"),
        column("year", "int4", Scalar, 'N', "pg_catalog"),
        column("price", "numeric", Scalar, 'N', "pg_catalog"),
        column("draft", "bool", Scalar, 'B', "pg_catalog"),
        column("at", "timestamptz", Scalar, 'D', "pg_catalog"),
        column("tags", "text[]", Array, 'S', "pg_catalog"),
        column("numbers", "int4[]", Array, 'N', "pg_catalog"),
        column("meta", "jsonb", Json, 'U', "pg_catalog"),
        column("name", "citext", Scalar, 'S', "ext"),
        column("place", "point", Scalar, 'G', ""),
        column("or", "text", Scalar, 'S', "pg_catalog"),
        column("a\" OR 1=1 --", "text", Scalar, 'S', "pg_catalog"),
    ]
}

fn compiled(filter: &str) -> Condition {
    compile(filter, &columns(), "s", 5).unwrap_or_else(|error| panic!("{filter}: {error}"))
}

#[track_caller]
fn assert_compiled(filter: &str, sql: &str, values: &[&str]) {
    let condition = compiled(filter);
    assert_eq!(condition.sql, sql, "{filter}");
    let found: Vec<&str> = condition.parameters.iter().map(|parameter| parameter.value.as_str()).collect();
    assert_eq!(found, values, "{filter}");
}

#[track_caller]
fn assert_refused(filter: &str, kind: Kind, words: &[&str]) {
    let error = compile(filter, &columns(), "s", 1).expect_err(filter);
    assert_eq!(error.kind, kind, "{filter}: {error}");
    for word in words {
        assert!(error.message.contains(word), "{filter}: {error}");
    }
}

#[test]
fn a_value_alone_is_equality_and_a_list_is_in() {
    assert_compiled(r#"{"lang": "fr"}"#, r#"(s."lang" OPERATOR(pg_catalog.=) ($5)::pg_catalog.text)"#, &["fr"]);
    assert_compiled(
        r#"{"lang": ["fr", "de"]}"#,
        r#"(s."lang" OPERATOR(pg_catalog.=) ANY (($5)::pg_catalog.text[]))"#,
        &[r#"{"fr","de"}"#],
    );
    assert_eq!(compiled(r#"{"lang": ["fr"]}"#), compiled(r#"{"lang": {"in": ["fr"]}}"#));
    assert_eq!(compiled(r#"{"lang": "fr"}"#), compiled(r#"{"lang": {"=": "fr"}}"#));
    assert_eq!(compiled(r#"{"lang": {"<>": "fr"}}"#).sql, compiled(r#"{"lang": {"!=": "fr"}}"#).sql);
}

#[test]
fn several_conditions_all_hold() {
    assert_compiled(
        r#"{"year": {">=": 2020, "<": 2024}, "draft": false}"#,
        r#"((s."draft" OPERATOR(pg_catalog.=) ($5)::pg_catalog.bool) AND ((s."year" OPERATOR(pg_catalog.<) ($6)::pg_catalog.int4) AND (s."year" OPERATOR(pg_catalog.>=) ($7)::pg_catalog.int4)))"#,
        &["false", "2024", "2020"],
    );
    let parameter = &compiled(r#"{"year": {"<=": 1}}"#).parameters[0];
    assert_eq!((parameter.column.as_str(), parameter.type_id), ("year", 4));
    let types =
        |filter: &str| compiled(filter).parameters.iter().map(|parameter| parameter.type_id).collect::<Vec<_>>();
    assert_eq!(
        types("{\"year\": [2020], \"meta\": {\"contains\": {}}, \"name\": {\"like\": \"a%\"}}"),
        [3_802, 25, 1_000]
    );
}

#[test]
fn words_of_logic_nest() {
    assert_compiled(
        r#"{"or": [{"year": 1}, {"not": {"lang": null}}, {"and": [{"year": {">": 2}}, {}]}]}"#,
        r#"((s."year" OPERATOR(pg_catalog.=) ($5)::pg_catalog.int4) OR (NOT (s."lang" IS NULL)) OR ((s."year" OPERATOR(pg_catalog.>) ($6)::pg_catalog.int4) AND TRUE))"#,
        &["1", "2"],
    );
    assert_compiled("{}", "TRUE", &[]);
    assert_compiled(r#" { "and" : [ ] } "#, "TRUE", &[]);
    assert_compiled(r#"{"not": {"or": []}}"#, "(NOT FALSE)", &[]);
}

#[test]
fn null_is_is_null() {
    assert_compiled(r#"{"at": null}"#, r#"(s."at" IS NULL)"#, &[]);
    assert_compiled(r#"{"at": {"<>": null}}"#, r#"(s."at" IS NOT NULL)"#, &[]);
    assert_compiled(r#"{"meta": null, "tags": {"=": null}}"#, r#"((s."meta" IS NULL) AND (s."tags" IS NULL))"#, &[]);
    assert_compiled(
        r#"{"lang": ["fr", null]}"#,
        r#"(s."lang" OPERATOR(pg_catalog.=) ANY (($5)::pg_catalog.text[]) OR s."lang" IS NULL)"#,
        &[r#"{"fr"}"#],
    );
    assert_refused(r#"{"year": {"<": null}}"#, Kind::WrongColumnType, &["\"<\"", "\"year\"", "null"]);
    assert_refused(r#"{"tags": {"contains": null}}"#, Kind::WrongColumnType, &["\"contains\"", "\"tags\"", "null"]);
}

#[test]
fn arrays_and_json_contain() {
    assert_compiled(
        r#"{"tags": {"contains": ["a", "b\"\\{,}"], "overlaps": "NULL"}}"#,
        r#"((s."tags" OPERATOR(pg_catalog.@>) ($5)::pg_catalog._text) AND (s."tags" OPERATOR(pg_catalog.&&) ($6)::pg_catalog._text))"#,
        &[r#"{"a","b\"\\{,}"}"#, r#"{"NULL"}"#],
    );
    assert_compiled(
        r#"{"numbers": {"=": [1, 2.50]}}"#,
        r#"(s."numbers" OPERATOR(pg_catalog.=) ($5)::pg_catalog._int4)"#,
        &[r#"{"1","2.50"}"#],
    );
    assert_compiled(
        r#"{"meta": {"contains": {"a": [1.0, "é"]}}}"#,
        r#"((s."meta")::pg_catalog.jsonb OPERATOR(pg_catalog.@>) ($5)::pg_catalog.jsonb)"#,
        &[r#"{"a": [1.0, "é"]}"#],
    );
    assert_compiled(
        r#"{"meta": 5}"#,
        r#"((s."meta")::pg_catalog.jsonb OPERATOR(pg_catalog.=) ($5)::pg_catalog.jsonb)"#,
        &["5"],
    );
}

#[test]
fn patterns_are_for_texts_of_any_type() {
    assert_compiled(r#"{"name": {"ilike": "%x_"}}"#, r#"(s."name" OPERATOR(ext.~~*) ($5)::pg_catalog.text)"#, &["%x_"]);
    assert_compiled(
        r#"{"lang": {"like": "f%"}}"#,
        r#"((s."lang")::pg_catalog.text OPERATOR(pg_catalog.~~) ($5)::pg_catalog.text)"#,
        &["f%"],
    );
    assert_refused(r#"{"name": {"like": "a\\"}}"#, Kind::InvalidArgument, &["escape", "\"name\""]);
    assert_refused(r#"{"year": {"like": "19%"}}"#, Kind::WrongColumnType, &["\"like\"", "\"year\""]);
    assert_refused(r#"{"tags": {"like": "19%"}}"#, Kind::WrongColumnType, &["\"like\"", "\"tags\""]);
}

#[test]
fn types_of_extensions_have_their_own_operators_and_some_have_none() {
    assert_compiled(r#"{"name": "É"}"#, r#"(s."name" OPERATOR(ext.=) ($5)::ext.citext)"#, &["É"]);
    assert_compiled(r#"{"place": {"<>": null}}"#, r#"(s."place" IS NOT NULL)"#, &[]);
    for operator in ["=", "<>", "<", ">=", "overlaps", "contains"] {
        let filter = json!({"place": {operator: "(1,2)"}}).to_string();
        assert_refused(&filter, Kind::WrongColumnType, &[operator, "\"place\""]);
    }
    assert_refused(r#"{"place": ["(1,2)"]}"#, Kind::WrongColumnType, &["\"in\"", "\"place\""]);
}

#[test]
fn columns_called_like_words_of_logic_are_quoted() {
    assert_compiled(r#"{"\"or\"": "x"}"#, r#"(s."or" OPERATOR(pg_catalog.=) ($5)::pg_catalog.text)"#, &["x"]);
    assert_eq!(compiled(r#"{"\"lang\"": "x"}"#), compiled(r#"{"lang": "x"}"#));
    let odd = r#"(s."a"" OR 1=1 --" OPERATOR(pg_catalog.=) ($5)::pg_catalog.text)"#;
    assert_compiled(r#"{"a\" OR 1=1 --": "x"}"#, odd, &["x"]);
    assert_compiled(r#"{"\"a\"\" OR 1=1 --\"": "x"}"#, odd, &["x"]);
    let error = compile(r#"{"or": "x"}"#, &columns(), "s", 1).unwrap_err();
    assert!(error.hint.unwrap().contains(r#"{"\"or\"": …}"#));
}

#[test]
fn numbers_keep_their_digits() {
    let digits = "12345678901234567890.12345678901234567890";
    let sql = r#"(s."price" OPERATOR(pg_catalog.=) ($5)::pg_catalog.numeric)"#;
    assert_compiled(&format!("{{\"price\": {digits}}}"), sql, &[digits]);
    assert_compiled(r#"{"price": 1e400}"#, sql, &["1e400"]);
    assert_compiled(r#"{"price": "NaN"}"#, sql, &["NaN"]);
}

#[test]
fn values_of_another_type_name_the_column() {
    assert_refused(r#"{"year": true}"#, Kind::WrongColumnType, &["\"year\"", "a boolean"]);
    assert_refused(r#"{"lang": 5}"#, Kind::WrongColumnType, &["\"lang\"", "a number"]);
    assert_refused(r#"{"at": {">": 2020}}"#, Kind::WrongColumnType, &["\"at\"", "\">\"", "a number"]);
    assert_refused(r#"{"lang": {"=": ["fr"]}}"#, Kind::WrongColumnType, &["\"lang\"", "a list"]);
    assert_refused(r#"{"lang": {"=": {}}}"#, Kind::WrongColumnType, &["\"lang\"", "an object"]);
    assert_refused(r#"{"lang": {"in": "fr"}}"#, Kind::WrongColumnType, &["\"lang\"", "a text"]);
    assert_refused(r#"{"lang": [["fr"]]}"#, Kind::WrongColumnType, &["\"lang\"", "a list"]);
    assert_refused(r#"{"tags": "a"}"#, Kind::WrongColumnType, &["\"tags\"", "a text"]);
    assert_refused(r#"{"tags": ["a"]}"#, Kind::WrongColumnType, &["\"tags\"", "a list"]);
    assert_refused(r#"{"tags": {"<": ["a"]}}"#, Kind::WrongColumnType, &["\"tags\"", "\"<\""]);
    assert_refused(r#"{"numbers": {"contains": "a", "overlaps": true}}"#, Kind::WrongColumnType, &["\"numbers\""]);
    assert_refused(r#"{"meta": {"overlaps": ["a"]}}"#, Kind::WrongColumnType, &["\"meta\"", "\"overlaps\""]);
}

#[test]
fn what_is_not_a_filter_is_refused() {
    for filter in ["", "{", "{\"lang\": }", "{} x", "nul"] {
        assert_refused(filter, Kind::InvalidArgument, &["JSON"]);
    }
    for filter in ["null", "[]", "5", "\"x\"", r#"{"not": []}"#, r#"{"and": [5]}"#] {
        assert_refused(filter, Kind::InvalidArgument, &["must be an object"]);
    }
    assert_refused(r#"{"and": {}}"#, Kind::InvalidArgument, &["\"and\"", "list"]);
    assert_refused(r#"{"Lang": "x"}"#, Kind::UnknownColumn, &["\"Lang\""]);
    assert_refused(r#"{"": "x"}"#, Kind::UnknownColumn, &["\"\""]);
    assert_refused(r#"{"lang": {}}"#, Kind::InvalidArgument, &["\"lang\""]);
    assert_refused(r#"{"lang": {"$eq": "x"}}"#, Kind::InvalidArgument, &["\"$eq\"", "\"lang\""]);
    assert_refused(r#"{"lang": "a\u0000b"}"#, Kind::InvalidArgument, &["\"lang\"", "U+0000"]);
}

#[test]
fn depth_and_number_are_limited() {
    let nested = |depth: usize| format!("{}{{}}{}", "{\"not\":".repeat(depth - 1), "}".repeat(depth - 1));
    compiled(&nested(MAX_DEPTH));
    assert_refused(&nested(MAX_DEPTH + 1), Kind::InvalidArgument, &["deeper"]);
    assert_refused(&nested(100_000), Kind::InvalidArgument, &["deeper"]);
    assert_refused(&"[".repeat(100_000), Kind::InvalidArgument, &["JSON"]);
    let many = |count: usize| json!({"or": vec![json!({"year": 1}); count]}).to_string();
    assert_eq!(compiled(&many(MAX_CONDITIONS)).parameters.len(), MAX_CONDITIONS);
    assert_refused(&many(MAX_CONDITIONS + 1), Kind::InvalidArgument, &["more than"]);
    let list = json!({"year": vec![1; 100 * MAX_CONDITIONS]}).to_string();
    assert_eq!(compiled(&list).parameters.len(), 1);
}

/// Values with everything that could end a literal.
fn value() -> impl Strategy<Value = Value> {
    let scalar = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z'\"\\\\;$()\\[\\]{}, -]{0,12}".prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    prop_oneof![scalar.clone(), proptest::collection::vec(scalar, 0..4).prop_map(Value::from)]
}

fn filter() -> impl Strategy<Value = Value> {
    let names: Vec<String> =
        columns().into_iter().map(|column| if column.name == "or" { "\"or\"".into() } else { column.name }).collect();
    let name = proptest::sample::select(names);
    let operator = prop_oneof![
        9 => proptest::sample::select(vec!["=", "<>", "<", ">=", "in", "like", "contains", "overlaps"]).prop_map(String::from),
        1 => any::<String>(),
    ];
    let comparison =
        (name, proptest::option::of(operator), value()).prop_map(|(name, operator, value)| match operator {
            Some(operator) => json!({name: {operator: value}}),
            None => json!({name: value}),
        });
    comparison.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|list| json!({"or": list})),
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|list| json!({"and": list})),
            inner.prop_map(|filter| json!({"not": filter})),
        ]
    })
}

/// The words of an SQL text outside of quoted names, which must be those of `columns`.
fn words(sql: &str) -> Vec<String> {
    let mut sql = sql.to_string();
    for column in columns() {
        sql = sql.replace(&format!("s.{}", column::quoted(&column.name)), " column ");
    }
    sql.split([' ', '(', ')']).filter(|word| !word.is_empty()).map(str::to_string).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn nothing_of_a_filter_becomes_sql(filter in filter()) {
        let Ok(condition) = compile(&filter.to_string(), &columns(), "s", 1) else { return Ok(()) };
        let mut numbers = 0;
        for word in words(&condition.sql) {
            let is_operator = ["=", "<>", "<", ">=", "@>", "&&", "~~"]
                .iter()
                .any(|name| word == format!("pg_catalog.{name}") || word == format!("ext.{name}"));
            let is_type = columns().iter().any(|column| {
                word == format!("::{}", column.type_sql) || word == format!("::{}[]", column.type_sql)
            });
            if word.starts_with('$') {
                numbers += 1;
                prop_assert_eq!(word, format!("${numbers}"));
            } else {
                let known = ["column", "AND", "OR", "NOT", "IS", "NULL", "ANY", "TRUE", "FALSE", "OPERATOR"];
                prop_assert!(is_operator || is_type || known.contains(&word.as_str()), "{word} in {}", condition.sql);
            }
        }
        prop_assert_eq!(numbers, condition.parameters.len());
    }
}

fn facets_of(names: &[&str], ranges: Option<&str>) -> Result<Vec<Facet>> {
    let names: Vec<String> = names.iter().map(|name| (*name).to_string()).collect();
    facets(&names, ranges, &columns(), "s", 5)
}

#[test]
fn facets_are_values_elements_and_ranges() {
    let found = facets_of(&["lang", "meta", "lang", "a\" OR 1=1 --"], None).unwrap();
    let values: Vec<&str> = found.iter().map(|facet| facet.value.as_str()).collect();
    assert_eq!(values, [r#"s."lang""#, r#"(s."meta")::pg_catalog.jsonb"#, r#"s."a"" OR 1=1 --""#]);
    assert!(found.iter().all(|facet| facet.join.is_empty() && facet.bounds.is_none()));

    let tags = facets_of(&["tags"], None).unwrap().remove(0);
    assert_eq!((tags.column.as_str(), tags.value.as_str()), ("tags", "v.element"));
    assert_eq!(
        tags.join,
        " CROSS JOIN LATERAL (SELECT DISTINCT u.element FROM pg_catalog.unnest(coalesce(s.\"tags\", \
         pg_catalog.array_append(s.\"tags\", NULL))) AS u (element)) AS v"
    );

    let ranges = facets_of(&[], Some(r#"{"year": [2020, 2000], "at": ["2024-01-01"]}"#)).unwrap();
    let bounds: Vec<&Bounds> = ranges.iter().filter_map(|facet| facet.bounds.as_ref()).collect();
    assert_eq!((bounds[0].sql.as_str(), bounds[0].parameter.value.as_str()), ("$5", r#"{"2024-01-01"}"#));
    assert_eq!((bounds[1].sql.as_str(), bounds[1].parameter.value.as_str()), ("$5", r#"{"2020","2000"}"#));
    assert_eq!((bounds[1].parameter.column.as_str(), bounds[1].parameter.type_id), ("year", 1_000));
}

#[test]
fn what_cannot_be_a_facet_is_refused_by_name() {
    let many = format!(r#"{{"year": [{}0]}}"#, "1, ".repeat(MAX_BOUNDS));
    for (names, ranges, kind, words) in [
        (&["colour"][..], None, Kind::UnknownColumn, "facet column \"colour\" does not exist"),
        (&["place"], None, Kind::WrongColumnType, "facets are not possible on column \"place\""),
        (&[], Some(r#"{"colour": [1]}"#), Kind::UnknownColumn, "range column \"colour\" does not exist"),
        (&[], Some(r#"{"place": ["(0,0)"]}"#), Kind::WrongColumnType, "ranges are not possible on column \"place\""),
        (&[], Some(r#"{"tags": ["a"]}"#), Kind::WrongColumnType, "ranges are not possible on column \"tags\""),
        // As in a filter, a column that is named like an operator may be quoted.
        (&["or"], Some(r#"{"\"or\"": ["m"]}"#), Kind::WrongColumnType, "ranges are not possible on column \"or\""),
        (&[], Some(r#"{"meta": [1]}"#), Kind::WrongColumnType, "ranges are not possible on column \"meta\""),
        (&[], Some("[1]"), Kind::InvalidArgument, "ranges must be an object, not a list"),
        (&[], Some("null"), Kind::InvalidArgument, "ranges must be an object, not null"),
        (&[], Some(r#"{"year": 1}"#), Kind::InvalidArgument, "must be a list, not a number"),
        (&[], Some(r#"{"year": []}"#), Kind::InvalidArgument, "must have 1 to"),
        (&[], Some(many.as_str()), Kind::InvalidArgument, "must have 1 to"),
        (&[], Some(r#"{"year": [1, null]}"#), Kind::InvalidArgument, "must be a value, not null"),
        (&[], Some(r#"{"year": [[1]]}"#), Kind::InvalidArgument, "must be a value, not a list"),
        (&[], Some(r#"{"at": [2024]}"#), Kind::WrongColumnType, "a bound of column \"at\" cannot be a number"),
        (&[], Some(r#"{"year": [true]}"#), Kind::WrongColumnType, "a bound of column \"year\" cannot be a boolean"),
    ] {
        let error = facets_of(names, ranges).expect_err(words);
        assert!(error.kind == kind && error.message.contains(words), "{words}: {error}");
    }
    let names: Vec<FilterColumn> = (0..=MAX_FACETS)
        .map(|number| column(&format!("c{number}"), "text", ColumnKind::Scalar, 'S', "pg_catalog"))
        .collect();
    let all: Vec<String> = names.iter().map(|column| column.name.clone()).collect();
    assert_eq!(facets(&all, None, &names, "s", 3).expect_err("too many").kind, Kind::InvalidArgument);
    assert_eq!(facets(&all[1..], None, &names, "s", 3).unwrap().len(), MAX_FACETS);
}
