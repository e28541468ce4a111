//! Curves by hand, boosts that are refused, and what no boost can do: raise a bad result above its floor, or become part
//! of the SQL.

use super::*;
use crate::search::filter::{ColumnKind, Operators};
use proptest::prelude::*;

fn column(name: &str, type_name: &str, type_id: u32) -> FilterColumn {
    FilterColumn {
        name: name.to_string(),
        type_name: type_name.to_string(),
        type_sql: format!("pg_catalog.{type_name}"),
        type_id,
        array_id: 0,
        kind: ColumnKind::Scalar,
        category: 'N',
        operators: Operators::default(),
    }
}

fn columns() -> Vec<FilterColumn> {
    vec![
        column("published", "timestamptz", 1184),
        column("day", "date", 1082),
        column("views", "int4", 23),
        column("price", "numeric", 1700),
        column("title", "text", 25),
        column("a\" OR 1=1 --", "int8", 20),
    ]
}

/// Reads "n days".
fn seconds(parameter: &Parameter) -> Result<f64> {
    let days = parameter.value.strip_suffix(" days").and_then(|days| days.parse::<f64>().ok());
    days.map(|days| days * 86_400.0).ok_or_else(|| Error::new(Kind::InvalidArgument, "no interval"))
}

fn compile(boost: &str) -> Result<Option<Boosts>> {
    Boosts::compile(boost, &columns(), "s", 3, &seconds)
}

fn compiled(boost: &str) -> Boosts {
    compile(boost).unwrap_or_else(|error| panic!("{boost}: {error}")).unwrap()
}

#[track_caller]
fn assert_factor(boost: &str, value: Option<f64>, wanted: f64) {
    let factor = compiled(boost).factor(&[value]);
    assert!((factor - wanted).abs() < 1e-12, "{boost}: {factor} is not {wanted}");
}

#[test]
fn decays_are_those_of_opensearch() {
    let decay = |curve: &str| {
        format!(
            r#"{{"column": "views", "decay": "{curve}", "origin": 10, "scale": 4, "offset": 1, "decay_at_scale": 0.25}}"#
        )
    };
    for curve in ["exponential", "gaussian", "linear"] {
        assert_factor(&decay(curve), Some(10.0), 1.0);
        assert_factor(&decay(curve), Some(11.0), 1.0);
        assert_factor(&decay(curve), Some(15.0), 0.25);
        assert_factor(&decay(curve), Some(5.0), 0.25);
        assert_factor(&decay(curve), None, 0.0);
        assert_factor(&decay(curve), Some(f64::NAN), 0.0);
        assert_factor(&decay(curve), Some(f64::INFINITY), 0.0);
    }
    assert_factor(&decay("exponential"), Some(13.0), 0.5);
    assert_factor(&decay("gaussian"), Some(13.0), 0.25_f64.powf(0.25));
    assert_factor(&decay("linear"), Some(13.0), 0.625);
    assert_factor(&decay("linear"), Some(100.0), 0.0);
}

#[test]
fn weights_bound_factors_and_several_are_multiplied() {
    let half = r#"{"column": "views", "decay": "linear", "origin": 0, "scale": 1, "weight": 0.4}"#;
    assert_factor(half, Some(1.0), 0.8);
    assert_factor(half, None, 0.6);
    let logarithm = r#"{"column": "views", "function": "logarithm", "weight": 0.2}"#;
    assert_factor(logarithm, Some(std::f64::consts::E - 1.0), 1.2);
    assert_factor(logarithm, Some(-5.0), 1.0);
    assert_factor(logarithm, None, 1.0);
    assert_factor(logarithm, Some(f64::INFINITY), 1.0 + 0.2 * f64::MAX.ln());
    let both = compiled(&format!("[{half}, {logarithm}]"));
    assert!((both.factor(&[Some(1.0), Some(std::f64::consts::E - 1.0)]) - 0.96).abs() < 1e-12);
    assert!((both.factor(&[]) - 0.6).abs() < 1e-12, "a row that is gone counts as NULL");
    assert_eq!(compile("[]").unwrap(), None);
}

#[test]
fn times_are_distances_in_seconds_from_now_or_a_moment() {
    let boosts = compiled(
        r#"[{"column": "published", "decay": "exponential", "scale": "2 days"},
            {"column": "day", "decay": "linear", "scale": "10 days", "origin": "2024-01-01", "offset": "1 days"},
            {"column": "price", "function": "logarithm"}]"#,
    );
    assert_eq!(
        boosts.sql(),
        "(pg_catalog.extract('epoch', (s.\"published\")::pg_catalog.timestamptz)::pg_catalog.float8 OPERATOR(pg_catalog.-) \
         pg_catalog.extract('epoch', ($3)::pg_catalog.timestamptz)::pg_catalog.float8), \
         (pg_catalog.extract('epoch', (s.\"day\")::pg_catalog.date)::pg_catalog.float8 OPERATOR(pg_catalog.-) \
         pg_catalog.extract('epoch', ($4)::pg_catalog.date)::pg_catalog.float8), (s.\"price\")::pg_catalog.numeric"
    );
    let parameters: Vec<(u32, &str)> =
        boosts.parameters.iter().map(|parameter| (parameter.type_id, parameter.value.as_str())).collect();
    assert_eq!(parameters, [(1184, "now"), (1082, "2024-01-01")]);
    assert_eq!(boosts.are_texts().collect::<Vec<_>>(), [false, false, true]);
    let factor = boosts.factor(&[Some(-2.0 * 86_400.0), Some(86_400.0), Some(0.0)]);
    assert!((factor - 0.5).abs() < 1e-12, "{factor}");
}

#[test]
fn what_cannot_be_meant_is_refused_by_name() {
    for (boost, kind, words) in [
        ("null", Kind::InvalidArgument, "boost must be an object or a list of objects"),
        ("7", Kind::InvalidArgument, "boost must be an object or a list of objects"),
        ("{}", Kind::InvalidArgument, "boost is not valid"),
        ("[1]", Kind::InvalidArgument, "boost must be an object or a list of objects"),
        (r#"[["views", null, "logarithm"]]"#, Kind::InvalidArgument, "boost must be an object or a list of objects"),
        (r#"{"column": "views", "colour": 1}"#, Kind::InvalidArgument, "boost is not valid"),
        (r#"{"column": "views", "function": "logarithm", "weight": "1"}"#, Kind::InvalidArgument, "boost is not valid"),
        (r#"{"column": "views"}"#, Kind::InvalidArgument, "needs either"),
        (r#"{"column": "views", "decay": "linear", "function": "logarithm"}"#, Kind::InvalidArgument, "needs either"),
        (
            r#"{"column": "views", "decay": "quick", "scale": 1}"#,
            Kind::InvalidArgument,
            "decay \"quick\" does not exist",
        ),
        (r#"{"column": "views", "function": "sqrt"}"#, Kind::InvalidArgument, "function \"sqrt\" does not exist"),
        (r#"{"column": "views", "function": "logarithm", "scale": 1}"#, Kind::InvalidArgument, "no \"scale\""),
        (r#"{"column": "views", "function": "logarithm", "weight": 1.5}"#, Kind::InvalidArgument, "\"weight\" from 0"),
        (r#"{"column": "views", "decay": "linear", "scale": 1}"#, Kind::InvalidArgument, "needs an \"origin\""),
        (r#"{"column": "views", "decay": "linear", "origin": 1}"#, Kind::InvalidArgument, "needs a \"scale\""),
        (r#"{"column": "views", "decay": "linear", "origin": 1, "scale": 0}"#, Kind::InvalidArgument, "greater than 0"),
        (
            r#"{"column": "views", "decay": "linear", "origin": 1, "scale": 1, "offset": -1}"#,
            Kind::InvalidArgument,
            "\"offset\" of at least 0",
        ),
        (
            r#"{"column": "views", "decay": "linear", "origin": 1, "scale": 1, "decay_at_scale": 1}"#,
            Kind::InvalidArgument,
            "\"decay_at_scale\" greater than 0 and less than 1",
        ),
        (r#"{"column": "views", "decay": "linear", "origin": "now", "scale": 1}"#, Kind::WrongColumnType, "a number"),
        (r#"{"column": "published", "decay": "linear", "scale": 30}"#, Kind::WrongColumnType, "must be a text"),
        (r#"{"column": "published", "decay": "linear", "scale": "soon"}"#, Kind::InvalidArgument, "no interval"),
        (r#"{"column": "published", "function": "logarithm"}"#, Kind::WrongColumnType, "is not possible"),
        (r#"{"column": "title", "function": "logarithm"}"#, Kind::WrongColumnType, "is not possible"),
        (r#"{"column": "colour", "function": "logarithm"}"#, Kind::UnknownColumn, "boost column \"colour\""),
    ] {
        let error = compile(boost).unwrap_err();
        assert!(error.kind == kind && error.message.contains(words), "{boost}: {:?} {error}", error.kind);
        // That of an interval is the caller's, who reads it.
        assert!(error.hint.is_some() || words == "no interval", "{boost}: {error}");
    }
    let many = vec![r#"{"column": "views", "function": "logarithm"}"#; MAX_BOOSTS + 1].join(",");
    assert_eq!(compile(&format!("[{many}]")).unwrap_err().kind, Kind::InvalidArgument);
}

#[test]
fn names_are_quoted_and_values_are_parameters() {
    let boosts = compiled(r#"{"column": "a\" OR 1=1 --", "function": "logarithm"}"#);
    assert_eq!(boosts.sql(), "(s.\"a\"\" OR 1=1 --\")::pg_catalog.float8");
    let boosts = compiled(r#"{"column": "published", "decay": "linear", "scale": "1 days", "origin": "'; --"}"#);
    assert!(!boosts.sql().contains("--"));
    assert_eq!(boosts.parameters[0].value, "'; --");
}

#[test]
fn floors_lie_below_all_scores_unless_these_are_equal() {
    assert!((floor(&[0.8, 0.6, f64::NAN]) - 0.5).abs() < 1e-12);
    assert_eq!(floor(&[0.7, 0.7]), 0.0);
    assert_eq!(floor(&[]), 0.0);
    assert_eq!(floor(&[-1.0, 1.0]), -2.0);
}

proptest! {
    /// A factor below 1 never raises a score, one above 1 never lowers it, and better scores stay better at one factor.
    #[test]
    fn a_boost_keeps_what_it_must(score in -9.0..9.0_f64, other in -9.0..9.0_f64, floor in -9.0..9.0_f64, factor in 0.0..9.0_f64) {
        let raised = boosted(score, floor, factor);
        prop_assert!((factor > 1.0 || raised <= score) && (factor < 1.0 || raised >= score));
        prop_assert!(raised >= floor.min(score));
        prop_assert!(score <= other || raised >= boosted(other, floor, factor));
    }

    #[test]
    fn garbage_never_panics(text in ".{0,60}") {
        let _ = compile(&text);
        let _ = compile(&format!("{{\"column\": \"views\", {text}}}"));
    }
}
