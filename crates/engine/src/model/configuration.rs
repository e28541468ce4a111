//! Values in the JSON configuration files of a model, and the error for those that socle does not support.

use serde_json::Value;
use socle_core::{Error, Kind};

/// Largest configuration file in bytes.
pub const MAX_JSON_BYTES: u64 = 4 << 20;

/// The error for something that a file of a model asks for and socle does not support.
pub fn unsupported(what: &str, path: &str) -> Error {
    Error::new(Kind::NotSupported, format!("unsupported {what} in {path}"))
}

/// The value of a key, if it is an integer from 0 to 2^32 - 1.
pub fn number(value: &Value, key: &str) -> Option<u32> {
    value.get(key)?.as_u64().and_then(|number| u32::try_from(number).ok())
}

/// The value of a key, if it is a boolean.
pub fn flag(value: &Value, key: &str) -> Option<bool> {
    value.get(key)?.as_bool()
}
