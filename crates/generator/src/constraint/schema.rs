//! A JSON Schema as a pattern. Only what can be enforced exactly is accepted; every other keyword is refused by its name.
//!
//! Values are written without superfluous white space, objects with the required properties first, in the order of
//! `required`, then the others.

use super::pattern::Pattern;
use serde_json::{Map, Value};
use socle_core::{Error, Kind, Result};
use std::sync::Arc;

/// Most bytes of a schema.
const MAX_BYTES: usize = 16 << 10;

/// Deepest nesting of a schema.
const MAX_DEPTH: usize = 8;

/// Most properties of an object.
const MAX_PROPERTIES: usize = 64;

/// Most values of an enumeration.
const MAX_VALUES: usize = 256;

/// Keywords that describe and do not restrict.
const ANNOTATIONS: [&str; 7] = ["title", "description", "$schema", "$id", "$comment", "examples", "default"];

/// Keywords that are enforced.
const KEYWORDS: [&str; 7] = ["type", "properties", "required", "items", "enum", "const", "additionalProperties"];

const TYPES: [&str; 7] = ["object", "array", "string", "number", "integer", "boolean", "null"];

/// The pattern of the values that a schema describes.
///
/// # Errors
/// `InvalidArgument` when the schema is not JSON, is too large, or has parts that cannot be enforced.
pub fn pattern(schema: &str) -> Result<Pattern> {
    if schema.len() > MAX_BYTES {
        return Err(invalid("the JSON schema is too large")
            .detail(format!("It has {} bytes, the limit is {MAX_BYTES}.", schema.len())));
    }
    let value: Value = serde_json::from_str(schema)
        .map_err(|error| invalid("the JSON schema is not valid JSON").detail(error.to_string()))?;
    value_pattern(&value, 1)
}

fn value_pattern(schema: &Value, depth: usize) -> Result<Pattern> {
    let Value::Object(schema) = schema else {
        return Err(invalid("a JSON schema must be an object"));
    };
    if depth > MAX_DEPTH {
        return Err(invalid("the JSON schema is nested too deeply").detail(format!("The limit is {MAX_DEPTH} levels.")));
    }
    let known = |keyword: &&String| KEYWORDS.contains(&keyword.as_str()) || ANNOTATIONS.contains(&keyword.as_str());
    if let Some(unknown) = schema.keys().find(|keyword| !known(keyword)) {
        return Err(invalid(format!("the JSON schema has the keyword \"{unknown}\", which is not supported"))
            .detail(format!("Supported are {}.", KEYWORDS.join(", "))));
    }
    if schema.contains_key("const") || schema.contains_key("enum") {
        return enumeration(schema);
    }
    match schema.get("type") {
        Some(Value::String(name)) => typed(name, schema, depth),
        // Each type once: otherwise nested lists of one type would multiply.
        Some(Value::Array(names))
            if !names.is_empty() && (1..names.len()).all(|at| !names[..at].contains(&names[at])) =>
        {
            let one = |name: &Value| typed(name.as_str().unwrap_or_default(), schema, depth);
            Ok(Pattern::OneOf(names.iter().map(one).collect::<Result<_>>()?))
        }
        Some(_) => Err(invalid("the keyword \"type\" of a JSON schema must name a type, or several different ones")),
        None => Err(invalid("a JSON schema has none of the keywords \"type\", \"enum\" and \"const\"")
            .hint("State the type of every value.")),
    }
}

fn typed(name: &str, schema: &Map<String, Value>, depth: usize) -> Result<Pattern> {
    match name {
        "object" => object(schema, depth),
        "array" => array(schema, depth),
        "string" => Ok(string()),
        "number" => Ok(number()),
        "integer" => Ok(integer()),
        "boolean" => Ok(Pattern::OneOf(vec![Pattern::text("true"), Pattern::text("false")])),
        "null" => Ok(Pattern::text("null")),
        other => Err(invalid(format!("the JSON schema has the type \"{other}\", which does not exist"))
            .detail(format!("The types are {}.", TYPES.join(", ")))),
    }
}

/// The values that `enum` and `const` state, as far as both have them and they are of a type that is stated.
fn enumeration(schema: &Map<String, Value>) -> Result<Pattern> {
    let listed = match schema.get("enum") {
        None => None,
        Some(Value::Array(values)) if !values.is_empty() && values.len() <= MAX_VALUES => Some(values.as_slice()),
        Some(_) => {
            return Err(invalid(format!(
                "the keyword \"enum\" of a JSON schema must be an array of 1 to {MAX_VALUES} values"
            )));
        }
    };
    let only = schema.get("const").map(std::slice::from_ref);
    let values = only.or(listed).unwrap_or_default().iter();
    let is_listed = |value: &&Value| listed.is_none_or(|listed| listed.contains(value));
    let has_type = |value: &&Value| match schema.get("type") {
        None => true,
        Some(Value::Array(names)) => names.iter().any(|name| is_of_type(value, name)),
        Some(name) => is_of_type(value, name),
    };
    let patterns = values.filter(is_listed).filter(has_type).map(literal).collect::<Result<Vec<_>>>()?;
    if patterns.is_empty() {
        return Err(invalid("no value satisfies the JSON schema")
            .detail("None of the values of \"enum\" and \"const\" is in both, and of a stated type."));
    }
    Ok(Pattern::OneOf(patterns))
}

fn is_of_type(value: &Value, name: &Value) -> bool {
    match name.as_str().unwrap_or_default() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "number" => value.is_number(),
        "integer" => value.is_i64() || value.is_u64() || value.as_f64().is_some_and(|number| number.fract() == 0.0),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        _ => false,
    }
}

/// The value as it is written.
fn literal(value: &Value) -> Result<Pattern> {
    serde_json::to_vec(value)
        .map(Pattern::Bytes)
        .map_err(|error| invalid("a value of the JSON schema cannot be written").detail(error.to_string()))
}

fn object(schema: &Map<String, Value>, depth: usize) -> Result<Pattern> {
    // Where others are permitted, none is written either, so that true changes nothing.
    if !matches!(schema.get("additionalProperties"), None | Some(Value::Bool(_))) {
        return Err(invalid("the keyword \"additionalProperties\" of a JSON schema must be true or false")
            .detail("Only the properties under \"properties\" are written.")
            .hint("State every property there."));
    }
    let Some(Value::Object(properties)) = schema.get("properties") else {
        return Err(invalid("an object of the JSON schema has no \"properties\""));
    };
    if properties.len() > MAX_PROPERTIES {
        return Err(invalid(format!("an object of the JSON schema has more than {MAX_PROPERTIES} properties")));
    }
    let required = required(schema, properties)?;
    let member = |name: &str, value: &Value| -> Result<Pattern> {
        let name = literal(&Value::String(name.to_string()))?;
        Ok(Pattern::Sequence(vec![name, Pattern::text(":"), space(), value_pattern(value, depth + 1)?]))
    };
    let comma = || Pattern::Sequence(vec![Pattern::text(","), space()]);
    let mut parts = vec![Pattern::text("{")];
    for (at, name) in required.iter().enumerate() {
        parts.extend((at > 0).then(comma));
        parts.push(member(name, &properties[*name])?);
    }
    // What may follow the required properties: each other one or not, in order.
    let mut rest = Pattern::Sequence(Vec::new());
    let mut first = Pattern::Sequence(Vec::new());
    for (name, value) in properties.iter().rev().filter(|(name, _)| !required.contains(&name.as_str())) {
        let member = Pattern::Shared(Arc::new(member(name, value)?));
        first = Pattern::OneOf(vec![Pattern::Sequence(vec![member.clone(), rest.clone()]), first]);
        rest = Pattern::Sequence(vec![Pattern::optional(Pattern::Sequence(vec![comma(), member])), rest]);
        rest = Pattern::Shared(Arc::new(rest));
    }
    parts.push(if required.is_empty() { first } else { rest });
    parts.push(Pattern::text("}"));
    Ok(Pattern::Sequence(parts))
}

/// The names of the required properties.
fn required<'a>(schema: &'a Map<String, Value>, properties: &Map<String, Value>) -> Result<Vec<&'a str>> {
    let names: Vec<&str> = match schema.get("required") {
        None => Vec::new(),
        Some(Value::Array(names)) => names.iter().map(|name| name.as_str().unwrap_or_default()).collect(),
        Some(_) => return Err(invalid("the keyword \"required\" of a JSON schema must be an array of names")),
    };
    let mut distinct: Vec<&str> = Vec::new();
    for name in names {
        if !properties.contains_key(name) {
            return Err(invalid(format!(
                "the JSON schema requires the property \"{name}\", which it does not describe"
            )));
        }
        if !distinct.contains(&name) {
            distinct.push(name);
        }
    }
    Ok(distinct)
}

fn array(schema: &Map<String, Value>, depth: usize) -> Result<Pattern> {
    let Some(items) = schema.get("items") else {
        return Err(invalid("an array of the JSON schema has no \"items\""));
    };
    let item = Pattern::Shared(Arc::new(value_pattern(items, depth + 1)?));
    let more = Pattern::Sequence(vec![Pattern::text(","), space(), item.clone()]);
    let items = Pattern::Sequence(vec![item, Pattern::Repeat(Box::new(more))]);
    Ok(Pattern::Sequence(vec![Pattern::text("["), Pattern::optional(items), Pattern::text("]")]))
}

fn space() -> Pattern {
    Pattern::optional(Pattern::text(" "))
}

/// A JSON string in UTF-8. `\u` is left out: it could stand for what is no character, and is never needed.
fn string() -> Pattern {
    let byte = |low: u8, high: u8| Pattern::Byte(vec![(low, high)]);
    let following = || byte(0x80, 0xbf);
    let sequence = Pattern::Sequence;
    let character = Pattern::OneOf(vec![
        Pattern::Byte(vec![(b' ', b'!'), (b'#', b'['), (b']', 0x7f)]),
        sequence(vec![Pattern::text("\\"), Pattern::Byte(b"\"\\/bfnrt".iter().map(|byte| (*byte, *byte)).collect())]),
        // The well-formed sequences of the Unicode standard, table 3-7.
        sequence(vec![byte(0xc2, 0xdf), following()]),
        sequence(vec![byte(0xe0, 0xe0), byte(0xa0, 0xbf), following()]),
        sequence(vec![Pattern::Byte(vec![(0xe1, 0xec), (0xee, 0xef)]), following(), following()]),
        sequence(vec![byte(0xed, 0xed), byte(0x80, 0x9f), following()]),
        sequence(vec![byte(0xf0, 0xf0), byte(0x90, 0xbf), following(), following()]),
        sequence(vec![byte(0xf1, 0xf3), following(), following(), following()]),
        sequence(vec![byte(0xf4, 0xf4), byte(0x80, 0x8f), following(), following()]),
    ]);
    sequence(vec![Pattern::text("\""), Pattern::Repeat(Box::new(character)), Pattern::text("\"")])
}

/// An integer of at most 18 digits.
fn integer() -> Pattern {
    let more = Pattern::optional(Pattern::up_to(&digit(), 17));
    let positive = Pattern::Sequence(vec![Pattern::Byte(vec![(b'1', b'9')]), more]);
    let magnitude = Pattern::OneOf(vec![Pattern::text("0"), positive]);
    Pattern::Sequence(vec![Pattern::optional(Pattern::text("-")), magnitude])
}

/// A number of bounded length.
fn number() -> Pattern {
    let fraction = Pattern::Sequence(vec![Pattern::text("."), Pattern::up_to(&digit(), 17)]);
    let sign = Pattern::optional(Pattern::Byte(vec![(b'+', b'+'), (b'-', b'-')]));
    let exponent =
        Pattern::Sequence(vec![Pattern::Byte(vec![(b'e', b'e'), (b'E', b'E')]), sign, Pattern::up_to(&digit(), 2)]);
    Pattern::Sequence(vec![integer(), Pattern::optional(fraction), Pattern::optional(exponent)])
}

fn digit() -> Pattern {
    Pattern::Byte(vec![(b'0', b'9')])
}

fn invalid(message: impl Into<String>) -> Error {
    Error::new(Kind::InvalidArgument, message)
}

#[cfg(test)]
mod tests {
    use super::super::pattern::Automaton;
    use super::*;

    fn automaton(schema: &str) -> Automaton {
        Automaton::new(&pattern(schema).unwrap()).unwrap()
    }

    fn check(schema: &str, good: &[&str], bad: &[&str]) {
        let automaton = automaton(schema);
        for text in good {
            assert!(serde_json::from_str::<Value>(text).is_ok(), "{text} is no JSON");
            assert!(automaton.matches(text.as_bytes()), "{schema} refuses {text}");
        }
        for text in bad {
            assert!(!automaton.matches(text.as_bytes()), "{schema} accepts {text}");
        }
    }

    #[test]
    fn values() {
        check(r#"{"type":"boolean"}"#, &["true", "false"], &["", "True", "null", "true "]);
        check(r#"{"type":"null"}"#, &["null"], &["0"]);
        check(r#"{"type":"integer"}"#, &["0", "-1", "120"], &["01", "-", "1.0", "1e3", "1234567890123456789"]);
        check(r#"{"type":"number"}"#, &["0", "-1.5", "1e-3", "120.25E+10"], &[".5", "1.", "+1", "1e", "NaN"]);
        check(r#"{"type":["string","null"]}"#, &["null", "\"\""], &["1"]);
        check(r#"{"enum":["a", 1, null]}"#, &["\"a\"", "1", "null"], &["a", "2"]);
        check(
            r#"{"type":["integer","string"],"enum":["a", 1, null, 2.5, 3.0]}"#,
            &["\"a\"", "1", "3.0"],
            &["null", "2.5"],
        );
        check(r#"{"enum":["a", "b"],"const":"b","default":"b"}"#, &["\"b\""], &["\"a\""]);
        check(r#"{"const":{"a":[1]}}"#, &[r#"{"a":[1]}"#], &["{}"]);
    }

    #[test]
    fn strings_are_json_in_utf_8() {
        let good = ["\"\"", "\"Straße\"", "\"日本 \u{1f600}\"", r#""a \"quoted\" \n word""#];
        check(r#"{"type":"string"}"#, &good, &["\"", "\"\n\"", "\"\\\"", "\"\\x\"", "\"\\u0000\"", "a"]);
        let automaton = automaton(r#"{"type":"string"}"#);
        for bytes in [&b"\"\xff\""[..], b"\"\xc3\"", b"\"\xed\xa0\x80\"", b"\"\xc0\x80\""] {
            assert!(!automaton.matches(bytes), "{bytes:?}");
        }
    }

    #[test]
    fn objects_and_arrays() {
        let schema = r#"{"type":"object","required":["b","a"],"additionalProperties":false,"title":"t",
            "properties":{"a":{"type":"integer"},"b":{"type":"string"},"c":{"type":"null"},"d":{"type":"null"}}}"#;
        let good = [r#"{"b": "x", "a": 1}"#, r#"{"b":"x","a":1,"d":null}"#, r#"{"b":"x","a":1,"c":null,"d":null}"#];
        check(
            schema,
            &good,
            &["{}", r#"{"a":1,"b":"x"}"#, r#"{"b":"x","a":1,"d":null,"c":null}"#, r#"{"b":"x","a":1,}"#],
        );
        // Others may be permitted, and are not written.
        check(&schema.replace("false", "true"), &good, &["{}", r#"{"b":"x","a":1,"e":null}"#]);
        let optional = r#"{"type":"object","properties":{"a":{"type":"null"},"b":{"type":"null"}}}"#;
        check(
            optional,
            &["{}", r#"{"a":null}"#, r#"{"b":null}"#, r#"{"a":null,"b":null}"#],
            &["{,}", r#"{"b":null,"a":null}"#],
        );
        let list = r#"{"type":"array","items":{"type":"array","items":{"type":"boolean"}}}"#;
        check(list, &["[]", "[[]]", "[[true, false],[]]"], &["[", "[,]", "[true]", "[[],]"]);
    }

    #[test]
    fn what_cannot_be_enforced_is_refused_by_name() {
        let message = |schema: &str| pattern(schema).unwrap_err().message;
        assert!(message(r#"{"type":"string","pattern":"a"}"#).contains("\"pattern\""));
        assert!(message(r#"{"$ref":"x"}"#).contains("\"$ref\""));
        assert!(message(r#"{"type":"text"}"#).contains("\"text\""));
        for nothing in [r#"{"type":"integer","enum":["a"]}"#, r#"{"enum":[1],"const":2}"#] {
            assert_eq!(message(nothing), "no value satisfies the JSON schema");
        }
        assert!(
            message(r#"{"type":"object","properties":{},"additionalProperties":{"type":"string"}}"#)
                .contains("additionalProperties")
        );
        assert!(message(r#"{"type":"object","properties":{},"required":["x"]}"#).contains("\"x\""));
        for schema in
            ["", "[]", "1", "{}", r#"{"type":"object"}"#, r#"{"type":"array"}"#, r#"{"enum":[]}"#, r#"{"type":[]}"#]
        {
            assert_eq!(pattern(schema).unwrap_err().kind, Kind::InvalidArgument, "{schema}");
        }
        let mut deep = String::from(r#"{"type":"null"}"#);
        for _ in 0..MAX_DEPTH {
            deep = format!(r#"{{"type":"array","items":{deep}}}"#);
        }
        assert!(message(&deep).contains("deeply"));
        assert!(message(&" ".repeat(MAX_BYTES + 1)).contains("large"));
    }
}
