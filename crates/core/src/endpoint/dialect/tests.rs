//! Tests of bodies and answers of all dialects.

use super::*;
use crate::generator::Finish;
use proptest::prelude::*;
use std::time::Duration;

pub(super) fn endpoint(dialect: Dialect, extra: Option<&str>) -> EndpointSpec {
    EndpointSpec {
        name: "e".into(),
        url: "https://api.example.org/v1".into(),
        dialect,
        model: "m".into(),
        key_file: None,
        ca_file: None,
        allow_loopback: false,
        allow_private: false,
        timeout_seconds: 60,
        max_response_bytes: 1 << 20,
        context_tokens: 8192,
        extra_body: extra.map(str::to_string),
    }
}

fn body(dialect: Dialect, seed: Option<u64>, extra: Option<&str>) -> Result<Value> {
    let messages = [
        Message { role: MessageRole::System, content: "be \"brief\"" },
        Message { role: MessageRole::User, content: "why?" },
        Message { role: MessageRole::Assistant, content: "because" },
        Message { role: MessageRole::User, content: "of what?" },
    ];
    let conversation = Conversation { messages: &messages, max_tokens: 9, temperature: 0.7, seed };
    let body = dialect.body(&endpoint(dialect, extra), &conversation)?;
    Ok(serde_json::from_str(&body).unwrap())
}

#[test]
fn each_dialect_has_its_own_fields_and_no_others() {
    let messages = json!([
        {"role": "system", "content": "be \"brief\""}, {"role": "user", "content": "why?"},
        {"role": "assistant", "content": "because"}, {"role": "user", "content": "of what?"}]);
    let usage = json!({"include_usage": true});
    for dialect in [Dialect::Openai, Dialect::Azure] {
        let expected = json!({"model": "m", "messages": messages, "stream": true, "stream_options": usage,
            "max_completion_tokens": 9, "temperature": 0.7, "seed": 7});
        assert_eq!(body(dialect, Some(7), None), Ok(expected));
    }
    let expected = json!({"model": "m", "messages": messages, "stream": true, "stream_options": usage, "max_tokens": 9,
        "temperature": 0.7, "seed": 7});
    assert_eq!(body(Dialect::OpenaiLegacy, Some(7), None), Ok(expected));
    let expected = json!({"model": "m", "messages": messages, "stream": true, "max_tokens": 9, "temperature": 0.7,
        "random_seed": 7});
    assert_eq!(body(Dialect::Mistral, Some(7), None), Ok(expected));
    let expected = json!({"model": "m", "messages": messages, "stream": true, "max_tokens": 9, "temperature": 0.7});
    assert_eq!(body(Dialect::Gemini, None, None), Ok(expected));
    let rest: Vec<Value> = messages.as_array().unwrap()[1..].to_vec();
    let expected = json!({"model": "m", "system": "be \"brief\"", "messages": rest, "stream": true, "max_tokens": 9,
        "temperature": 0.7});
    assert_eq!(body(Dialect::Anthropic, None, None), Ok(expected));
    for dialect in [Dialect::Gemini, Dialect::Anthropic] {
        assert_eq!(body(dialect, Some(7), None).map_err(|error| error.kind), Err(Kind::NotSupported));
    }
}

#[test]
fn further_fields_are_added_and_null_ones_left_out() {
    let body = body(Dialect::Openai, None, Some(r#"{"temperature": null, "reasoning_effort": "low"}"#)).unwrap();
    assert_eq!((body.get("temperature"), &body["reasoning_effort"]), (None, &json!("low")));
}

#[test]
fn the_key_is_in_one_header() {
    let of = |dialect: Dialect| {
        let with = dialect.headers(Some("k"));
        with.into_iter().filter(|header| !dialect.headers(None).contains(header)).collect::<Vec<_>>()
    };
    assert_eq!(of(Dialect::Openai), [("authorization", "Bearer k".to_string())]);
    assert_eq!(of(Dialect::Azure), [("api-key", "k".to_string())]);
    assert_eq!(of(Dialect::Anthropic), [("x-api-key", "k".to_string())]);
}

fn read(dialect: Dialect, events: &[Value]) -> (std::result::Result<String, Trouble>, Answer) {
    let mut answer = Answer::new(dialect);
    let mut text = String::new();
    for event in events {
        match answer.event(&event.to_string()) {
            Ok(piece) => text += &piece,
            Err(trouble) => return (Err(trouble), answer),
        }
    }
    text += &answer.rest();
    (Ok(text), answer)
}

#[test]
fn a_stream_of_openai_is_read_without_its_reasoning() {
    let delta = |delta: Value| json!({"id": "x", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]});
    let events = [
        delta(json!({"role": "assistant", "content": ""})),
        delta(json!({"reasoning_content": "secret", "reasoning": "secret", "content": null})),
        delta(json!({"content": "Hel"})),
        delta(json!({"content": [{"type": "thinking", "thinking": "secret"}, {"type": "text", "text": "lo"}]})),
        json!({"choices": [{"delta": {}, "finish_reason": "length"}]}),
        json!({"choices": [], "usage": {"prompt_tokens": 5, "completion_tokens": 2, "details": {"x": []}}}),
    ];
    for dialect in [Dialect::Openai, Dialect::OpenaiLegacy, Dialect::Mistral, Dialect::Gemini, Dialect::Azure] {
        let (text, mut answer) = read(dialect, &events);
        assert_eq!(text, Ok("Hello".to_string()));
        let found = (answer.finish, answer.prompt_tokens, answer.answer_tokens, answer.is_complete);
        assert_eq!(found, (Some(Finish::Length), Some(5), Some(2), false));
        assert_eq!((answer.event("[DONE]"), answer.is_complete), (Ok(String::new()), true));
    }
}

#[test]
fn a_stream_of_anthropic_is_read_without_its_thoughts() {
    let events = [
        json!({"type": "message_start", "message": {"usage": {"input_tokens": 11, "output_tokens": 1}}}),
        json!({"type": "ping"}),
        json!({"type": "content_block_start", "index": 0, "content_block": {"type": "thinking"}}),
        json!({"type": "content_block_delta", "delta": {"type": "thinking_delta", "thinking": "secret"}}),
        json!({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "Hel"}}),
        json!({"type": "something_new"}),
        json!({"type": "content_block_delta", "delta": {"type": "text_delta", "text": "lo"}}),
        json!({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 3}}),
        json!({"type": "message_stop"}),
    ];
    let (text, answer) = read(Dialect::Anthropic, &events);
    assert_eq!(text, Ok("Hello".to_string()));
    let found = (answer.finish, answer.prompt_tokens, answer.answer_tokens, answer.is_complete);
    assert_eq!(found, (Some(Finish::Stop), Some(11), Some(3), true));
    let error = json!({"type": "error", "error": {"type": "overloaded_error", "message": "secret"}});
    assert_eq!(read(Dialect::Anthropic, &[error]).0, Err(Trouble::Failed(Some("overloaded_error"))));
}

#[test]
fn a_thought_in_the_text_is_no_answer() {
    let pieces = |pieces: &[&str]| {
        let events: Vec<Value> =
            pieces.iter().map(|piece| json!({"choices": [{"delta": {"content": piece}}]})).collect();
        read(Dialect::OpenaiLegacy, &events).0.unwrap()
    };
    assert_eq!(pieces(&["<th", "ink>a secret", " </thi", "nk>\n\nHello", " there"]), "Hello there");
    assert_eq!(pieces(&["<think>a secret that does not end"]), "");
    assert_eq!(pieces(&["<", "b> is bold"]), "<b> is bold");
    assert_eq!(pieces(&["<thi"]), "<thi");
    assert_eq!(pieces(&["I <think> so"]), "I <think> so");
}

#[test]
fn an_answer_as_a_whole_is_read_too() {
    let mut answer = Answer::new(Dialect::OpenaiLegacy);
    let whole = json!({"choices": [{"message": {"content": "Hello", "reasoning": "secret"}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 5, "completion_tokens": 2}});
    assert_eq!(answer.whole(&whole.to_string()), Ok("Hello".to_string()));
    assert_eq!((answer.finish, answer.prompt_tokens, answer.is_complete), (Some(Finish::Stop), Some(5), true));
    let mut answer = Answer::new(Dialect::Anthropic);
    let whole = json!({"content": [{"type": "thinking", "thinking": "secret"}, {"type": "text", "text": "Hello"}],
        "stop_reason": "max_tokens", "usage": {"input_tokens": 5, "output_tokens": 2}});
    assert_eq!(answer.whole(&whole.to_string()), Ok("Hello".to_string()));
    assert_eq!(answer.finish, Some(Finish::Length));
    for wrong in ["", "{}", "[]", "null", "{\"choices\"", "<html>"] {
        assert!(Answer::new(Dialect::Openai).whole(wrong).is_err(), "{wrong}");
    }
}

#[test]
fn filters_and_errors_in_the_middle_end_an_answer() {
    let filtered = json!({"choices": [{"delta": {}, "finish_reason": "content_filter"}]});
    assert_eq!(read(Dialect::Azure, &[filtered]).0, Err(Trouble::Filtered));
    let error = json!({"error": {"code": "rate_limit_exceeded", "message": "secret"}});
    assert_eq!(
        read(Dialect::Openai, std::slice::from_ref(&error)).0,
        Err(Trouble::Failed(Some("rate_limit_exceeded")))
    );
    let error = json!([{"error": {"code": 429, "status": "RESOURCE_EXHAUSTED"}}]);
    assert_eq!(read(Dialect::Gemini, &[error]).0, Err(Trouble::Failed(Some("RESOURCE_EXHAUSTED"))));
    assert_eq!(Answer::new(Dialect::Openai).event("{"), Err(Trouble::Malformed));
}

#[test]
fn a_refusal_is_explained_without_the_words_of_the_server() {
    let body =
        json!({"error": {"message": "bad key sk-secret", "type": "invalid_request_error", "code": "invalid_api_key"}});
    let status = |status, retry_after| {
        let error = failure("e", &Refusal { status, code: code_of(&body), retry_after });
        assert!(!format!("{error:?}").contains("secret"));
        (error.kind, error.hint.unwrap())
    };
    assert_eq!(status(401, None).0, Kind::KeyRefused);
    assert_eq!(status(301, None).0, Kind::EndpointMisconfigured);
    assert_eq!(status(404, None).0, Kind::EndpointMisconfigured);
    assert_eq!(status(400, None).0, Kind::EndpointFailed);
    assert_eq!(status(413, None).0, Kind::InputTooLong);
    let (kind, hint) = status(429, Some(Duration::from_millis(1_500)));
    assert_eq!((kind, hint.as_str()), (Kind::EngineUnavailable, "Try again in 2 s, as it asks."));
    assert!(status(429, Some(Duration::from_secs(86_400))).1.contains("an hour or more"));
    // A code that a server makes up, such as the key or the question, is not shown.
    assert_eq!(code_of(&json!({"error": {"code": "sk-secret", "type": "why is the sky blue"}})), None);
    assert_eq!(code_of(&json!({"error": "model_not_found"})), Some("model_not_found"));
    let too_long = json!({"error": {"code": "context_length_exceeded"}});
    let error = failure("e", &Refusal { status: 400, code: code_of(&too_long), retry_after: None });
    assert_eq!(error.kind, Kind::InputTooLong);
}

proptest! {
    #[test]
    fn no_event_makes_a_reader_panic(text in r#"[\[\]{}",:a-z0-9 ]{0,60}"#, which in 0usize..6) {
        let dialect = Dialect::parse(Dialect::NAMES[which]).unwrap();
        let _ = Answer::new(dialect).event(&text);
        let _ = Answer::new(dialect).whole(&text);
    }
}

#[test]
fn a_text_that_will_never_fit_is_told_from_a_server_that_is_down() {
    let body = json!({"error": {"code": 500, "type": "server_error",
        "message": "input (3001 tokens) is too large to process. increase the physical batch size (current batch size: 512)"}});
    let error = failure("e", &Refusal { status: 500, code: code_of(&body), retry_after: None });
    assert_eq!((error.kind, error.retry_after), (Kind::InputTooLong, None));
    assert!(!error.to_string().contains("3001"), "no text of the server");
    let later = Refusal { status: 429, code: None, retry_after: Some(Duration::from_millis(86_400_000)) };
    assert_eq!((failure("e", &later).kind, failure("e", &later).retry_after), (Kind::EngineUnavailable, Some(86_400)));
}
