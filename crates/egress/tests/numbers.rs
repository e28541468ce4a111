//! Vectors and scores of servers that answer as badly as they can. Each is a clear error within the limits of the endpoint.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use socle_core::Kind;
use socle_core::endpoint::dialect::numbers::{Scores, Vectors};
use socle_core::endpoint::{Dialect, EndpointSpec};
use socle_core::protocol::EgressResponse;
use socle_egress::call::Call;
use socle_egress::task::{Task, Texts};
use std::time::Duration;
use support::{PATIENCE, SECRET, Server, answered, embed, endpoint, policy, rerank, write};

/// A server with the same answer for everybody, in the form of text embeddings inference.
fn tei(status: &'static str, headers: &'static str, body: impl Into<String>) -> (Server, EndpointSpec) {
    let body = body.into();
    let server = Server::new(move |stream| write(stream, status, headers, &body));
    let endpoint = EndpointSpec { dialect: Dialect::Tei, ..endpoint(&format!("http://{}", server.address)) };
    (server, endpoint)
}

#[test]
fn good_numbers_are_understood() {
    let (server, endpoint) = tei("200 OK", "", "[[1,0.5],[-2e-3,4]]");
    let expected = Vectors { model: None, dimensions: 2, values: vec![1.0, 0.5, -0.002, 4.0], token_count: None };
    assert_eq!(embed(endpoint), Ok(EgressResponse::Vectors(expected)));
    let request = server.requests.lock().unwrap()[0].clone();
    assert!(request.starts_with("POST /embed HTTP/1.1\r\n") && request.contains("\"truncate\":false"), "{request}");
    let body = "{\"model\": \"r\", \"results\": [{\"index\": 1, \"relevance_score\": 0.25}, {\"index\": 0, \"relevance_score\": 0.5}]}";
    let server = Server::new(move |stream| write(stream, "200 OK", "", body));
    let expected = Scores { model: Some("r".into()), values: vec![0.5, 0.25] };
    assert_eq!(rerank(support::endpoint(&server.url())), Ok(EgressResponse::Scores(expected)));
    assert!(server.requests.lock().unwrap()[0].starts_with("POST /v1/rerank HTTP/1.1\r\n"));
}

#[test]
fn what_is_no_answer_is_an_error_that_repeats_nothing() {
    let many = format!("[{}]", vec!["[1,2]"; 200_000].join(","));
    for (status, headers, body, kind) in [
        ("200 OK", "", String::new(), Kind::MalformedAnswer),
        ("200 OK", "", format!("{{\"error\": \"{SECRET}\"}}"), Kind::MalformedAnswer),
        ("200 OK", "", "[[1],[2],[3]]".into(), Kind::MalformedAnswer),
        ("200 OK", "", "[[1],[NaN]]".into(), Kind::MalformedAnswer),
        ("200 OK", "", "[".repeat(100_000), Kind::MalformedAnswer),
        ("200 OK", "", many, Kind::MalformedAnswer),
        ("200 OK", "content-encoding: gzip\r\n", "[[1],[2]]".into(), Kind::MalformedAnswer),
        ("200 OK", "x: y\r\ntransfer-encoding: chunked\r\n", "zz".into(), Kind::MalformedAnswer),
        ("302 Found", "location: http://127.0.0.1:1/\r\n", String::new(), Kind::EndpointMisconfigured),
        ("401 No", "", format!("{{\"error\": \"{SECRET}\"}}"), Kind::KeyRefused),
        ("413 Large", "", "{\"error\": \"too long\", \"error_type\": \"Validation\"}".into(), Kind::InputTooLong),
        ("424 Failed", "", "{\"error_type\": \"backend\"}".into(), Kind::EngineUnavailable),
        ("429 Busy", "retry-after: 86400\r\n", String::new(), Kind::EngineUnavailable),
        ("500 No", "", SECRET.into(), Kind::EndpointFailed),
    ] {
        let (server, endpoint) = tei(status, headers, body);
        for error in [embed(endpoint.clone()).unwrap_err(), rerank(endpoint).unwrap_err()] {
            assert_eq!(error.kind, kind, "{status} {error:?}");
            assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
        }
        assert_eq!(server.request_count(), 2, "nothing is sent twice");
    }
}

#[test]
fn numbers_that_never_end_end_with_time_or_size() {
    let drip = Server::new(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n[[");
        while stream.write_all(b"1,").and_then(|()| stream.flush()).is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let flood = Server::new(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n[[");
        while stream.write_all(&[b'1'; 4096]).is_ok() {}
    });
    let silent = Server::new(|_| std::thread::sleep(PATIENCE));
    let gone = Server::new(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n[[1],");
    });
    let expected = [Kind::ConnectionLost, Kind::MalformedAnswer, Kind::ConnectionLost, Kind::ConnectionLost];
    for (server, kind) in [drip, flood, silent, gone].into_iter().zip(expected) {
        let endpoint = EndpointSpec { timeout_seconds: 2, ..endpoint(&server.url()) };
        assert_eq!(embed(endpoint).unwrap_err().kind, kind);
    }
}

#[test]
fn nothing_leaves_for_a_corpus_that_forbids_it_or_a_dialect_that_cannot() {
    let (server, endpoint) = tei("200 OK", "", "[[1]]");
    let task = |count: usize| Task::Embed(Texts { model: "m".into(), truncate: false, texts: vec!["a".into(); count] });
    let call = Call { endpoint: endpoint.clone(), corpora: policy(&["other"]), task: task(1) };
    assert_eq!(answered(&call).unwrap_err().kind, Kind::NotPermitted);
    let call = Call { endpoint: endpoint.clone(), corpora: Vec::new(), task: task(33) };
    assert_eq!(answered(&call).unwrap_err().kind, Kind::InputTooLong);
    for (dialect, can_embed) in [(Dialect::Anthropic, false), (Dialect::Mistral, true)] {
        let endpoint = EndpointSpec { dialect, ..endpoint.clone() };
        assert_eq!(rerank(endpoint.clone()).unwrap_err().kind, Kind::NotSupported);
        assert!(can_embed || embed(endpoint).unwrap_err().kind == Kind::NotSupported);
    }
    let Err(error) = support::ask(endpoint) else { panic!("it writes no texts") };
    assert_eq!(error.kind, Kind::NotSupported);
    assert_eq!(server.request_count(), 0);
}
