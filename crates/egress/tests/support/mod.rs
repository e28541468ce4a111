//! Servers as hostile as there may be, a name server, and a backend that asks for an answer of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs, dead_code)]

use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use socle_core::endpoint::{CorpusPolicy, Dialect, EndpointSpec};
use socle_core::generator::{Finish, MessageRole};
use socle_core::protocol::{EgressResponse, EgressSettings, FrameBuffer, MAX_EGRESS_FRAME, SessionName};
use socle_core::{Error, Kind};
use socle_egress::call::{self, Call, Service};
use socle_egress::caller::Caller;
use socle_egress::intent::Statistics;
use socle_egress::ledger::{LedgerWriter, SEGMENT_BYTES};
use socle_ledger::Place;
use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// Longest wait of a test for anything: far more than it takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Stands in every question and key of the tests, and must stand in no error.
pub const SECRET: &str = "hunter2";

/// A server on this machine: each connection is given to a function, in a thread of its own.
pub struct Server {
    pub address: SocketAddr,
    /// The requests that came.
    pub requests: Arc<Mutex<Vec<String>>>,
}

/// What a server reads and writes.
pub trait Stream: Read + Write + Send {}
impl<T: Read + Write + Send> Stream for T {}

impl Server {
    pub fn new(answer: impl Fn(&mut dyn Stream) + Send + Sync + 'static) -> Self {
        Self::start("127.0.0.1:0", None, answer)
    }

    /// With TLS, and a certificate for these names. Returns the certificate of its authority as well.
    pub fn with_tls(names: &[&str], answer: impl Fn(&mut dyn Stream) + Send + Sync + 'static) -> (Self, String) {
        let names: Vec<String> = names.iter().map(|name| (*name).to_string()).collect();
        let made = rcgen::generate_simple_self_signed(names).unwrap();
        let certificate = CertificateDer::from(made.cert.der().to_vec());
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        (Self::start("127.0.0.1:0", Some(Arc::new(config)), answer), made.cert.pem())
    }

    pub fn start(
        address: &str,
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(&mut dyn Stream) + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (requests.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                let (seen, answer, tls) = (seen.clone(), answer.clone(), tls.clone());
                std::thread::spawn(move || {
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    let mut stream: Box<dyn Stream> = match tls {
                        Some(config) => Box::new(StreamOwned::new(ServerConnection::new(config).unwrap(), stream)),
                        None => Box::new(stream),
                    };
                    let Some(request) = read_request(&mut stream) else { return };
                    seen.lock().unwrap().push(request);
                    answer(&mut stream);
                });
            }
        });
        Self { address, requests }
    }

    pub fn url(&self) -> String {
        format!("http://{}/v1", self.address)
    }

    pub fn request_count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }
}

/// A request with its body; `None` where the connection ends before.
fn read_request(stream: &mut dyn Stream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length =
                head.to_lowercase().lines().find_map(|line| Some(line.strip_prefix("content-length: ")?.to_string()));
            if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                return Some(text);
            }
        }
    }
}

/// Writes an answer and ends the connection.
pub fn write(stream: &mut dyn Stream, status: &str, headers: &str, body: &str) {
    let _ = write!(stream, "HTTP/1.1 {status}\r\n{headers}content-length: {}\r\n\r\n{body}", body.len());
    let _ = stream.flush();
}

/// The answer "Hello there" in the form of OpenAI, streamed.
pub fn hello(stream: &mut dyn Stream) {
    let event = |content: &str| format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{content}\"}}}}]}}\n\n");
    let end = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":5,\"completion_tokens\":2}}\n\n";
    let _ = write!(stream, "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n");
    for piece in [event("Hello"), event(" there"), end.to_string(), "data: [DONE]\n\n".to_string()] {
        let _ = write!(stream, "{:x}\r\n{piece}\r\n", piece.len());
        let _ = stream.flush();
    }
    let _ = write!(stream, "0\r\n\r\n");
    let _ = stream.flush();
}

/// A name server over TCP that answers the nth question for an address of IPv4 with the nth list, and later ones with the last.
pub fn name_server(answers: Vec<Vec<IpAddr>>) -> (SocketAddr, Arc<AtomicU32>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let asked = Arc::new(AtomicU32::new(0));
    let count = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            while let Some(question) = read_question(&mut stream) {
                let record_type = u16::from_be_bytes([question[question.len() - 4], question[question.len() - 3]]);
                let found = if record_type == socle_egress::dns::A {
                    let at = count.fetch_add(1, Ordering::SeqCst) as usize;
                    answers[at.min(answers.len() - 1)].clone()
                } else {
                    Vec::new()
                };
                let mut message = question;
                message[2..4].copy_from_slice(&[0x81, 0x80]);
                message[6..8].copy_from_slice(&(found.len() as u16).to_be_bytes());
                for address in found {
                    let IpAddr::V4(address) = address else { panic!("an address of IPv4") };
                    message.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4]);
                    message.extend_from_slice(&address.octets());
                }
                stream.write_all(&(message.len() as u16).to_be_bytes()).unwrap();
                stream.write_all(&message).unwrap();
            }
        }
    });
    (address, asked)
}

fn read_question(stream: &mut TcpStream) -> Option<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length).ok()?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message).ok()?;
    Some(message)
}

/// A directory that is removed when it is dropped.
pub struct Scratch(pub PathBuf);

impl Scratch {
    pub fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let name = format!("socle-egress-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
        let path = std::env::temp_dir().join(name);
        std::fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    /// Writes a file that its owner alone can read.
    pub fn write(&self, name: &str, content: &str) {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(self.0.join(name), content).unwrap();
        std::fs::set_permissions(self.0.join(name), std::fs::Permissions::from_mode(0o600)).unwrap();
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

pub fn endpoint(url: &str) -> EndpointSpec {
    EndpointSpec {
        name: "e".into(),
        url: url.into(),
        dialect: Dialect::OpenaiLegacy,
        model: "m".into(),
        key_file: None,
        ca_file: None,
        allow_loopback: true,
        allow_private: false,
        timeout_seconds: 30,
        max_response_bytes: 1 << 20,
        context_tokens: 8192,
        extra_body: None,
    }
}

pub fn call(endpoint: EndpointSpec) -> Call {
    Call {
        endpoint,
        corpora: Vec::new(),
        messages: vec![(MessageRole::User, format!("my password is {SECRET}"))],
        max_tokens: 16,
        temperature: 0.0,
        seed: None,
        stop: Vec::new(),
    }
}

pub fn policy(egress: &[&str]) -> Vec<CorpusPolicy> {
    vec![CorpusPolicy { name: "c".into(), egress: egress.iter().map(|name| (*name).to_string()).collect() }]
}

pub fn service(directory: &Path, name_servers: &str) -> Service {
    let settings = EgressSettings {
        supervisor_pid: 0,
        postmaster_pid: 0,
        restart_count: 0,
        key_directory: directory.to_string_lossy().into_owned(),
        name_servers: name_servers.into(),
        idle_timeout_seconds: 0,
        system_identifier: 0,
        timeline: 0,
    };
    // Not where the test runs, if there is no directory.
    let own = std::env::temp_dir().join(format!("socle-egress-ledger-{}", std::process::id()));
    let root = if directory.as_os_str().is_empty() { own } else { directory.join("ledger") };
    let ledger = LedgerWriter::new(root, Place::default(), SEGMENT_BYTES);
    Service { settings, statistics: Statistics::default(), ledger, restricts_ports: false }
}

/// What came of a call: the text and how it ended.
pub type Outcome = Result<(String, Option<u32>, Finish), Error>;

/// Has a call served, and reads what comes.
pub fn outcome(service: &Service, call: &Call) -> Outcome {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let caller = Arc::new(Caller::new(theirs).unwrap());
    let result = call::serve(service, &caller, 1, &SessionName::default(), call);
    drop(caller);
    let (mut text, mut buffer) = (String::new(), FrameBuffer::default());
    let mut bytes = Vec::new();
    (&ours).read_to_end(&mut bytes).unwrap();
    buffer.extend(&bytes);
    while let Some(frame) = buffer.next_frame(MAX_EGRESS_FRAME).unwrap() {
        match frame.message::<EgressResponse>().unwrap() {
            EgressResponse::Text(piece) => text += &piece,
            EgressResponse::Alive => {}
            other => panic!("{other:?}"),
        }
    }
    match result {
        Ok(EgressResponse::Generated { prompt_tokens, finish, .. }) => Ok((text, prompt_tokens, finish)),
        Ok(other) => panic!("{other:?}"),
        Err(error) => {
            assert!(!format!("{error:?}").contains(SECRET), "{error:?}");
            Err(error)
        }
    }
}

/// The same with the usual service.
pub fn ask(endpoint: EndpointSpec) -> Outcome {
    let scratch = Scratch::new();
    outcome(&service(&scratch.0, ""), &call(endpoint))
}

/// Checks that a call fails in this way, with these words in message or detail.
pub fn fails(outcome: Outcome, kind: Kind, words: &str) {
    let error = outcome.expect_err("it succeeded");
    assert_eq!(error.kind, kind, "{error:?}");
    assert!(error.to_string().contains(words), "{error:?}");
}

pub fn eventually<T>(what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(result) = attempt() {
            return result;
        }
        assert!(begun.elapsed() < PATIENCE, "it never came that {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}
