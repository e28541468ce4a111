//! What an answer with another status than 200 means.
//!
//! The texts of such answers are never passed on: servers repeat the question in them, and parts of the key. Of their codes,
//! those of a closed list are.

use crate::{Error, Kind};
use serde_json::Value;
use std::time::Duration;

/// Codes that say more than the status. What is not in this list is not shown.
const CODES: [&str; 26] = [
    "invalid_api_key",
    "authentication_error",
    "permission_error",
    "insufficient_quota",
    "billing_error",
    "rate_limit_exceeded",
    "rate_limit_error",
    "overloaded_error",
    "context_length_exceeded",
    "exceed_context_size_error",
    "request_too_large",
    "model_not_found",
    "not_found_error",
    "DeploymentNotFound",
    "content_filter",
    "invalid_request_error",
    "BadRequestError",
    "unsupported_parameter",
    "unsupported_value",
    "api_error",
    "server_error",
    "timeout_error",
    "RESOURCE_EXHAUSTED",
    "INVALID_ARGUMENT",
    "PERMISSION_DENIED",
    "UNAVAILABLE",
];

/// The code of a text that is longer than the window of the model.
const TOO_LONG: &str = "exceed_context_size_error";

/// What the message of llama.cpp has for that, whose code says no more than that the server failed: the one message that is read,
/// since a text that will never fit must not be sent again and again.
const TOO_LONG_FOR_BATCH: &str = "is too large to process";

/// An answer of another status than 200.
#[derive(Clone, Copy, Debug)]
pub struct Refusal {
    /// The status.
    pub status: u16,
    /// The code in its body, if it is a known one.
    pub code: Option<&'static str>,
    /// When to ask again, if the server says so.
    pub retry_after: Option<Duration>,
}

/// The known code of an error in JSON: an object with an error, or an array of such.
pub fn code_of(body: &Value) -> Option<&'static str> {
    let body = body.as_array().map_or(Some(body), |list| list.first())?;
    let error = body.get("error").unwrap_or(body);
    let candidates = ["code", "type", "status"].into_iter().filter_map(|name| error.get(name)?.as_str());
    if error.get("message").and_then(Value::as_str).is_some_and(|text| text.contains(TOO_LONG_FOR_BATCH)) {
        return Some(TOO_LONG);
    }
    let texts: Vec<&str> = candidates.chain(error.as_str()).collect();
    texts.into_iter().find_map(|text| CODES.into_iter().find(|code| *code == text))
}

/// The error for a refusal.
pub fn failure(endpoint: &str, refusal: &Refusal) -> Error {
    let Refusal { status, code, retry_after } = *refusal;
    let answered = match code {
        Some(code) => format!("It answered with status {status} and code {code}."),
        None => format!("It answered with status {status}."),
    };
    let later = match retry_after {
        Some(time) if time >= super::super::retry::LONGEST => "Try again in an hour or more, as it asks.".to_string(),
        Some(time) => format!("Try again in {} s, as it asks.", time.as_secs_f64().ceil()),
        None => "Try again later.".to_string(),
    };
    let error = |kind, message: &str, hint: &str| {
        Error::new(kind, format!("endpoint \"{endpoint}\" {message}")).detail(answered.clone()).hint(hint)
    };
    match status {
        _ if matches!(code, Some("context_length_exceeded" | TOO_LONG)) => error(
            Kind::InputTooLong,
            "has less room than the request needs",
            "Send less text; or register the endpoint with fewer context_tokens, or its model with fewer max_tokens.",
        ),
        300..=399 => error(
            Kind::EndpointMisconfigured,
            "answered with a redirect, which is not followed",
            "Register the endpoint with the URL that answers itself.",
        ),
        401 | 403 => error(
            Kind::KeyRefused,
            "does not accept its key",
            "Check the file that key_file names, and what its key may do.",
        ),
        404 | 405 | 410 => error(
            Kind::EndpointMisconfigured,
            "does not know the path or the model",
            "The URL is the base URL, to which the dialect adds its path. Check it and the name of the model.",
        ),
        413 => error(Kind::InputTooLong, "refuses a request of this size", "Send less text."),
        // Of one text, or of all: a caller who sends several can find out.
        500 => error(Kind::EndpointFailed, "has failed on the request", "Its own log says why. Try again later."),
        408 | 424 | 425 | 429 | 502..=504 | 529 => {
            let seconds = retry_after.map(|time| time.as_secs_f64().ceil() as u32);
            Error { retry_after: seconds, ..error(Kind::EngineUnavailable, "cannot answer at the moment", &later) }
        }
        _ => error(
            Kind::EndpointFailed,
            "refuses the request",
            "Check dialect, model and extra_body: fields that are null in extra_body are left out of requests.",
        ),
    }
}
