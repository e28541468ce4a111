//! Servers that answer as badly as they can. Each is a clear error within the limits of the endpoint.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use socle_core::Kind;
use socle_core::endpoint::{Dialect, EndpointSpec};
use socle_core::generator::Finish;
use socle_core::protocol::SessionName;
use socle_egress::call;
use socle_egress::caller::Caller;
use socle_egress::task::Task;
use std::io::Write;
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::mpsc::channel;
use std::time::Duration;
use support::{
    PATIENCE, SECRET, Scratch, Server, Stream, ask, call as call_of, endpoint, fails, hello, name_server, outcome,
    policy, service, write,
};

fn at(server: &Server) -> EndpointSpec {
    endpoint(&server.url())
}

/// A second for the whole answer.
fn hurried(server: &Server) -> EndpointSpec {
    EndpointSpec { timeout_seconds: 1, ..at(server) }
}

/// Writes for ever, a little at a time.
fn drip(stream: &mut dyn Stream, piece: &str) {
    while stream.write_all(piece.as_bytes()).and_then(|()| stream.flush()).is_ok() {
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_good_server_is_understood() {
    let server = Server::new(hello);
    assert_eq!(ask(at(&server)), Ok(("Hello there".into(), Some(5), Finish::Stop)));
    let request = server.requests.lock().unwrap()[0].clone();
    assert!(request.starts_with("POST /v1/chat/completions HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("\"max_tokens\":16") && request.contains(SECRET), "{request}");
    let lower = request.to_lowercase();
    assert!(!lower.contains("authorization") && lower.contains("accept-encoding: identity"), "{request}");
}

#[test]
fn an_answer_ends_before_a_stop_text() {
    let server = Server::new(hello);
    let scratch = Scratch::new();
    let mut call = call_of(at(&server));
    let Task::Generate(generation) = &mut call.task else { panic!("it asks for a text") };
    generation.stop = vec!["o th".into()];
    let found = outcome(&service(&scratch.0, ""), &call).unwrap();
    assert_eq!((found.0.as_str(), found.2), ("Hell", Finish::Stop));
}

#[test]
fn bytes_that_drip_end_with_the_time_of_the_endpoint() {
    let in_header = Server::new(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nx: ");
        drip(stream, "y");
    });
    let in_body = Server::new(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n");
        drip(stream, ": still there\n\n");
    });
    let silent = Server::new(|_| std::thread::sleep(PATIENCE));
    let in_failure = Server::new(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 500 No\r\n\r\n");
        drip(stream, "y");
    });
    for server in [in_header, in_body, silent, in_failure] {
        fails(ask(hurried(&server)), Kind::ConnectionLost, "not there after 1 s");
    }
}

#[test]
fn a_handshake_that_drips_ends_too() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        // A record of TLS that announces more than ever comes.
        stream.write_all(&[22, 3, 3, 0x40, 0]).unwrap();
        while stream.write_all(&[0]).is_ok() {
            std::thread::sleep(Duration::from_millis(50));
        }
    });
    let endpoint = EndpointSpec { timeout_seconds: 1, ..endpoint(&format!("https://{address}")) };
    fails(ask(endpoint), Kind::ConnectionLost, "not there after 1 s");
}

#[test]
fn an_endless_answer_ends_at_its_limit() {
    let stream_of_events = Server::new(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\n");
        let event = "data: {\"choices\":[{\"delta\":{\"reasoning\":\"hm\"}}]}\n\n".repeat(100);
        while stream.write_all(event.as_bytes()).is_ok() {}
    });
    let whole = Server::new(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n\r\n");
        while stream.write_all(&[b' '; 4096]).is_ok() {}
    });
    for server in [stream_of_events, whole] {
        fails(ask(at(&server)), Kind::MalformedAnswer, "max_response_bytes");
    }
    let one_event = Server::new(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n\r\ndata: ");
        while stream.write_all(&[b'a'; 4096]).is_ok() {}
    });
    let patient = EndpointSpec { max_response_bytes: 1 << 30, ..at(&one_event) };
    fails(ask(patient), Kind::MalformedAnswer, "an event without an end");
}

#[test]
fn huge_headers_are_refused() {
    let one = Server::new(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nx: ");
        while stream.write_all(&[b'y'; 4096]).is_ok() {}
    });
    let many = Server::new(|stream| {
        let _ = stream.write_all(b"HTTP/1.1 200 OK\r\n");
        while stream.write_all(b"x: yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy\r\n").is_ok() {}
    });
    for server in [one, many] {
        fails(ask(at(&server)), Kind::MalformedAnswer, "answer of endpoint \"e\" is not usable");
    }
}

#[test]
fn a_redirect_is_not_followed() {
    let other = Server::new(hello);
    let to = other.url();
    for status in ["301 Moved", "302 Found", "303 See", "307 Temporary", "308 Permanent"] {
        let to = to.clone();
        let server = Server::new(move |stream| write(stream, status, &format!("location: {to}\r\n"), ""));
        fails(ask(at(&server)), Kind::EndpointMisconfigured, "a redirect, which is not followed");
    }
    assert_eq!(other.request_count(), 0);
}

#[test]
fn what_is_no_answer_is_said_to_be_none() {
    let json = "content-type: application/json\r\n";
    for body in ["{", "", "<html>", "{\"choices\": []", "[1,2", "\u{0}\u{1}", "null"] {
        let server = Server::new(move |stream| write(stream, "200 OK", json, body));
        fails(ask(at(&server)), Kind::MalformedAnswer, "");
        let server = Server::new(move |stream| {
            write(stream, "200 OK", "content-type: text/event-stream\r\n", &format!("data: {body}x\n\n"));
        });
        fails(ask(at(&server)), Kind::MalformedAnswer, "");
    }
    for garbage in [&b"\x16\x03\x01"[..], b"SSH-2.0-OpenSSH\r\n", b"HTTP/9.9 200 OK\r\n\r\n", b"HTTP/1.1 abc\r\n\r\n"] {
        let server = Server::new(move |stream| {
            let _ = stream.write_all(garbage);
        });
        let error = ask(at(&server)).unwrap_err();
        assert!(matches!(error.kind, Kind::MalformedAnswer | Kind::ConnectionLost), "{error:?}");
    }
}

#[test]
fn a_compression_bomb_is_not_unpacked() {
    for encoding in ["gzip", "br", "deflate", "zstd", "gzip, gzip"] {
        let headers = format!("content-type: application/json\r\ncontent-encoding: {encoding}\r\n");
        let server = Server::new(move |stream| write(stream, "200 OK", &headers, "\u{1f}…"));
        fails(ask(at(&server)), Kind::MalformedAnswer, "compressed");
    }
}

#[test]
fn a_connection_that_closes_in_the_middle_is_no_answer() {
    let begin = "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n";
    let event = "data: {\"choices\":[{\"delta\":{\"content\":\"Hel\"}}]}\n\n";
    let chunk = format!("{begin}transfer-encoding: chunked\r\n\r\n{:x}\r\n{event}\r\n", event.len());
    let counted = format!("{begin}content-length: 1000\r\n\r\n{event}");
    let until_the_end = format!("{begin}\r\n{event}");
    for text in [String::new(), begin.to_string(), chunk, counted, until_the_end] {
        let server = Server::new(move |stream| {
            let _ = stream.write_all(text.as_bytes());
        });
        fails(ask(at(&server)), Kind::ConnectionLost, "is not complete");
    }
}

#[test]
fn failures_are_told_without_the_words_of_the_server() {
    let body =
        format!("{{\"error\":{{\"message\":\"you said {SECRET}\",\"code\":\"{SECRET}\",\"type\":\"server_error\"}}}}");
    for (status, kind, words) in [
        ("500 Internal", Kind::EndpointFailed, "status 500 and code server_error"),
        ("503 Unavailable", Kind::EngineUnavailable, "status 503"),
        ("401 Unauthorized", Kind::KeyRefused, "does not accept its key"),
        ("404 Not Found", Kind::EndpointMisconfigured, "does not know the path or the model"),
        ("418 Teapot", Kind::EndpointFailed, "refuses the request"),
    ] {
        let body = body.clone();
        let server = Server::new(move |stream| write(stream, status, "", &body));
        fails(ask(at(&server)), kind, words);
    }
}

#[test]
fn a_server_that_asks_for_a_day_of_patience_is_not_waited_for() {
    let server = Server::new(|stream| write(stream, "429 Slow down", "retry-after: 86400\r\n", ""));
    let error = ask(at(&server)).unwrap_err();
    assert_eq!(
        (error.kind, error.hint.as_deref()),
        (Kind::EngineUnavailable, Some("Try again in an hour or more, as it asks."))
    );
    assert_eq!(server.request_count(), 1);
}

#[test]
fn only_a_trusted_certificate_for_this_name_is_accepted() {
    let scratch = Scratch::new();
    let (server, authority) = Server::with_tls(&["127.0.0.1", "localhost"], hello);
    let (other, other_authority) = Server::with_tls(&["other.example"], hello);
    scratch.write("ca.pem", &authority);
    scratch.write("other.pem", &other_authority);
    scratch.write("none.pem", "no certificate");
    let with = |server: &Server, ca_file: Option<&str>| {
        let url = format!("https://{}/v1", server.address);
        let endpoint = EndpointSpec { ca_file: ca_file.map(str::to_string), ..endpoint(&url) };
        outcome(&service(&scratch.0, ""), &call_of(endpoint))
    };
    assert_eq!(with(&server, Some("ca.pem")).unwrap().0, "Hello there");
    let untrusted = "could not connect to endpoint \"e\" (Its certificate is not trusted";
    fails(with(&server, Some("other.pem")), Kind::CannotConnect, untrusted);
    fails(with(&other, Some("other.pem")), Kind::CannotConnect, untrusted);
    fails(with(&server, Some("none.pem")), Kind::UnreadableFile, "no certificate");
    fails(with(&server, Some("missing.pem")), Kind::MissingFile, "does not exist");
    // The authorities of the machine do not have it, if there are any.
    let error = with(&server, None).unwrap_err();
    assert!(matches!(error.kind, Kind::CannotConnect | Kind::MissingFile), "{error:?}");
    assert_eq!((server.request_count(), other.request_count()), (1, 0), "nothing was sent to the others");
}

#[test]
fn a_key_is_sent_in_its_header_and_shown_nowhere() {
    let scratch = Scratch::new();
    let server = Server::new(hello);
    let endpoint = EndpointSpec { key_file: Some("key".into()), ..at(&server) };
    let ask = |endpoint: &EndpointSpec| outcome(&service(&scratch.0, ""), &call_of(endpoint.clone()));
    fails(ask(&endpoint), Kind::MissingFile, "does not exist");
    for (content, words) in [("", "one key"), (&*format!("{SECRET}\nsecond"), "one key"), ("é", "one key")] {
        scratch.write("key", content);
        fails(ask(&endpoint), Kind::UnreadableFile, words);
    }
    scratch.write("key", &format!(" {SECRET}\n"));
    assert!(ask(&endpoint).is_ok());
    assert!(server.requests.lock().unwrap()[0].to_lowercase().contains(&format!("authorization: bearer {SECRET}\r\n")));
    ask(&EndpointSpec { dialect: Dialect::Azure, ..endpoint.clone() }).unwrap();
    assert!(server.requests.lock().unwrap()[1].contains(&format!("api-key: {SECRET}\r\n")));
    std::process::Command::new("chmod").arg("644").arg(scratch.0.join("key")).status().unwrap();
    fails(ask(&endpoint), Kind::NotPermitted, "accessible to everybody");
    assert_eq!(server.request_count(), 2);
    fails(
        outcome(&service("".as_ref(), ""), &call_of(endpoint)),
        Kind::MissingFile,
        "socle.egress_key_directory is not set",
    );
}

#[test]
fn a_corpus_that_allows_no_endpoint_is_obeyed_here_too() {
    let scratch = Scratch::new();
    let server = Server::new(hello);
    let service = service(&scratch.0, "");
    let mut call = call_of(at(&server));
    for forbidding in [policy(&[]), policy(&["other"]), [policy(&["e"]), policy(&[])].concat()] {
        call.corpora = forbidding;
        fails(outcome(&service, &call), Kind::NotPermitted, "corpus \"c\" does not allow endpoint \"e\"");
    }
    assert_eq!(server.request_count(), 0);
    call.corpora = policy(&["other", "e"]);
    assert!(outcome(&service, &call).is_ok());
    let used = service.statistics.report();
    assert_eq!((used[0].request_count, used[0].refusal_count, used[0].failure_count), (1, 3, 0));
    assert!(used[0].sent_bytes > 100 && used[0].received_bytes > 100, "{used:?}");
}

#[test]
fn addresses_that_are_not_allowed_are_not_connected_to() {
    let server = Server::new(hello);
    let port = server.address.port();
    for host in ["127.0.0.1", "localhost", "[::1]", "sub.localhost"] {
        let strict = EndpointSpec { allow_loopback: false, ..endpoint(&format!("https://{host}:{port}/v1")) };
        assert!(matches!(ask(strict).unwrap_err().kind, Kind::NotPermitted | Kind::InvalidArgument), "{host}");
    }
    for host in [
        "2130706433",
        "0x7f.1",
        "0177.0.0.1",
        "127.1",
        "127.0.0.1.",
        "[::ffff:127.0.0.1]",
        "[64:ff9b::7f00:1]",
        "0.0.0.0",
    ] {
        fails(ask(endpoint(&format!("http://{host}:{port}/v1"))), Kind::InvalidArgument, "");
    }
    assert_eq!(server.request_count(), 0);
}

#[test]
fn a_name_is_as_good_as_the_worst_of_its_addresses() {
    let scratch = Scratch::new();
    let server = Server::new(hello);
    let address = |text: &str| text.parse().unwrap();
    let (good, bad) = (address("127.0.0.1"), address("169.254.169.254"));
    // An address that changes between two look-ups: each request asks once, and connects to what it was told then.
    let (dns, asked) =
        name_server(vec![vec![good], vec![bad], vec![good, bad], vec![good, address("10.0.0.1")], vec![], vec![good]]);
    let service = service(&scratch.0, &dns.to_string());
    let url = format!("http://changing.example:{}/v1", server.address.port());
    let ask = || outcome(&service, &call_of(endpoint(&url)));
    assert!(ask().is_ok());
    fails(ask(), Kind::NotPermitted, "169.254.169.254 is an address of a metadata service");
    fails(ask(), Kind::NotPermitted, "169.254.169.254");
    fails(ask(), Kind::NotPermitted, "10.0.0.1 is a private address");
    fails(ask(), Kind::CannotConnect, "There is no such name");
    assert!(ask().is_ok());
    assert_eq!((asked.load(std::sync::atomic::Ordering::SeqCst), server.request_count()), (6, 2));
}

#[test]
fn text_leaves_unencrypted_to_no_public_address() {
    let scratch = Scratch::new();
    let (dns, _) = name_server(vec![vec!["8.8.8.8".parse().unwrap()]]);
    let service = service(&scratch.0, &dns.to_string());
    fails(outcome(&service, &call_of(endpoint("http://public.example/v1"))), Kind::NotPermitted, "not encrypted");
}

#[test]
fn servers_that_are_not_there_are_named() {
    let scratch = Scratch::new();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    fails(ask(endpoint(&format!("http://{address}"))), Kind::CannotConnect, "connection refused");
    let without_dns = service(&scratch.0, &address.to_string());
    let call = call_of(endpoint("http://name.example"));
    fails(outcome(&without_dns, &call), Kind::CannotConnect, "could not find the address of host \"name.example\"");
}

#[test]
fn a_caller_that_goes_away_ends_the_request_before_the_server_answers() {
    let (begun, has_begun) = channel();
    let (closed, is_closed) = channel();
    let server = Server::new(move |stream| {
        begun.send(()).unwrap();
        // Returns when the client closes: the server itself says nothing.
        let _ = stream.read(&mut [0; 10]);
        closed.send(()).unwrap();
    });
    let (ours, theirs) = UnixStream::pair().unwrap();
    let call = call_of(at(&server));
    let served = std::thread::spawn(move || {
        let scratch = Scratch::new();
        call::serve(
            &service(&scratch.0, ""),
            &Arc::new(Caller::new(theirs).unwrap()),
            1,
            &SessionName::default(),
            &call,
        )
    });
    has_begun.recv_timeout(PATIENCE).unwrap();
    drop(ours);
    is_closed.recv_timeout(PATIENCE).unwrap();
    assert_eq!(served.join().unwrap().unwrap_err().kind, Kind::Cancelled);
}
