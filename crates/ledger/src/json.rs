//! JSON in one form only: keys in order, no white space, no numbers with a fraction. As RFC 8785 has it, for what is written here.

use serde_json::{Map, Value};
use std::fmt::Write;

/// The canonical form of an object. A number with a fraction becomes a text, because it has more than one spelling.
pub fn canonical(object: &Map<String, Value>) -> String {
    let mut text = String::new();
    write_object(object, &mut text);
    text
}

fn write_object(object: &Map<String, Value>, text: &mut String) {
    // The order does not depend on how the map keeps its keys.
    let mut members: Vec<_> = object.iter().collect();
    members.sort_by(|a, b| a.0.encode_utf16().cmp(b.0.encode_utf16()));
    text.push('{');
    for (at, (name, value)) in members.into_iter().enumerate() {
        if at > 0 {
            text.push(',');
        }
        write_text(name, text);
        text.push(':');
        write_value(value, text);
    }
    text.push('}');
}

fn write_value(value: &Value, text: &mut String) {
    match value {
        Value::Null => text.push_str("null"),
        Value::Bool(value) => text.push_str(if *value { "true" } else { "false" }),
        Value::Number(number) if number.is_i64() || number.is_u64() => {
            // Writing to a String cannot fail.
            let _ = write!(text, "{number}");
        }
        Value::Number(number) => write_text(&number.to_string(), text),
        Value::String(value) => write_text(value, text),
        Value::Array(values) => {
            text.push('[');
            for (at, value) in values.iter().enumerate() {
                if at > 0 {
                    text.push(',');
                }
                write_value(value, text);
            }
            text.push(']');
        }
        Value::Object(object) => write_object(object, text),
    }
}

fn write_text(value: &str, text: &mut String) {
    text.push('"');
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            '\u{8}' => text.push_str("\\b"),
            '\u{c}' => text.push_str("\\f"),
            control if control < ' ' => {
                let _ = write!(text, "\\u{:04x}", u32::from(control));
            }
            other => text.push(other),
        }
    }
    text.push('"');
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_object_has_one_form_in_one_line() {
        let value = json!({"b": [1, -2, null, true], "a": {"z": "\n\"\\\u{1}é", "y": 1.5}, "": "LF"});
        let text = canonical(value.as_object().unwrap());
        assert_eq!(text, "{\"\":\"LF\",\"a\":{\"y\":\"1.5\",\"z\":\"\\n\\\"\\\\\\u0001é\"},\"b\":[1,-2,null,true]}");
        let read: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(canonical(read.as_object().unwrap()), text);
    }
}
