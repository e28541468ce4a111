//! A request to an endpoint, from its checks to the last piece of its answer.

use crate::caller::{Caller, Stopped};
use crate::intent::{Intent, Register, Statistics};
use crate::ledger::LedgerWriter;
use crate::resolver::NameServers;
use crate::task::Task;
use crate::transport::{Checked, Dial};
use crate::{sandbox, trust};
use rustls::crypto::ring;
use socle_core::endpoint::dialect::{Answer, Refusal, Trouble, Use, code_of, failure};
use socle_core::endpoint::lines::Events;
use socle_core::endpoint::stop::StopText;
use socle_core::endpoint::url::Target;
use socle_core::endpoint::{CorpusPolicy, EndpointSpec, address, refusal, retry};
use socle_core::generator::Finish;
use socle_core::protocol::{EgressRequest, EgressResponse, EgressSettings, SessionName};
use socle_core::{Error, Kind, Result};
use std::cell::Cell;
use std::io::Read;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};
use ureq::http::{HeaderMap, Request, Response};
use ureq::tls::{RootCerts, TlsConfig};
use ureq::unversioned::transport::{Connector, RustlsConnector};
use ureq::{Agent, Body};

/// Most bytes of the headers of an answer.
const MAX_HEADERS: usize = 64 << 10;

/// Most bytes that are read of an answer with another status than 200, to find its code.
const MAX_FAILURE: usize = 64 << 10;

/// Size of a read in bytes.
const READ_BYTES: usize = 16 << 10;

/// What every request needs.
#[derive(Debug)]
pub struct Service {
    /// The settings of the process.
    pub settings: EgressSettings,
    /// What was done with each endpoint.
    pub statistics: Statistics,
    /// Who writes the ledger.
    pub ledger: LedgerWriter,
    /// Whether threads restrict themselves to the ports that they need, for good.
    pub restricts_ports: bool,
}

/// A request to an endpoint.
#[derive(Debug)]
pub struct Call {
    /// Where it is sent.
    pub endpoint: EndpointSpec,
    /// The corpora that it has text of.
    pub corpora: Vec<CorpusPolicy>,
    /// What it asks for.
    pub task: Task,
}

impl Call {
    /// The call that a request asks for, if it is one.
    pub fn new(request: EgressRequest<'_>) -> Option<Self> {
        let (endpoint, corpora, task) = Task::of(request)?;
        Some(Self { endpoint, corpora, task })
    }
}

/// Serves a call: sends it, and its answer to the caller in pieces. Returns the last response.
///
/// # Errors
/// What is not allowed, cannot be reached, fails or takes too long. No error has the key, the conversation, or words of the
/// server.
pub fn serve(
    service: &Service,
    caller: &Arc<Caller>,
    id: u32,
    session: &SessionName,
    call: &Call,
) -> Result<EgressResponse> {
    let register =
        Register { statistics: &service.statistics, ledger: &service.ledger, session, purpose: call.task.purpose() };
    let deadline = Instant::now() + Duration::from_secs(call.endpoint.timeout_seconds.into());
    let prepared = prepare(service, caller, call, deadline)
        .inspect_err(|error| register.refuse(&call.endpoint, &call.corpora, error))?;
    let Prepared { agent, request } = prepared;
    let intent = Intent::record(register, &call.endpoint, &call.corpora, request.body().len())?;
    let exchange = Exchange { call, caller, id, deadline, intent: &intent, has_text: Cell::new(false) };
    let response = agent.run(request).map_err(|error| exchange.explain(&error));
    let last = response.and_then(|response| exchange.read(response));
    intent.end(&last);
    last
}

/// A request that is ready to be sent.
struct Prepared {
    agent: Agent,
    request: Request<String>,
}

/// Everything that can be refused before a byte leaves.
fn prepare(service: &Service, caller: &Arc<Caller>, call: &Call, deadline: Instant) -> Result<Prepared> {
    let endpoint = &call.endpoint;
    if let Some(error) = refusal(&endpoint.name, &call.corpora) {
        return Err(error);
    }
    endpoint.check()?;
    let target = endpoint.target()?;
    let body = call.task.body(endpoint)?;
    let key = trust::key(&service.settings.key_directory, endpoint)?;
    let tls = tls(service, endpoint, &target)?;
    let addresses = addresses(service, caller, endpoint, &target, deadline)?;
    let config = Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .accept_encoding("identity")
        .user_agent("socle")
        .max_response_header_size(MAX_HEADERS)
        .max_idle_connections(0)
        .tls_config(tls)
        .build();
    let allowed = (endpoint.allow_loopback, endpoint.allow_private);
    let dial = Dial { caller: caller.clone(), deadline, allowed };
    let agent = Agent::with_parts(config, dial.chain(RustlsConnector::default()), Checked(addresses));
    let mut request =
        Request::post(target.url(endpoint.dialect.path(call.task.purpose()))).header("connection", "close");
    for (name, value) in endpoint.dialect.headers(key.as_ref().map(trust::Key::reveal)) {
        request = request.header(name, value);
    }
    let request = request.body(body).map_err(|_| {
        Error::new(Kind::InvalidArgument, "the URL of the endpoint is not usable").detail("HTTP refuses it.")
    })?;
    Ok(Prepared { agent, request })
}

fn tls(service: &Service, endpoint: &EndpointSpec, target: &Target) -> Result<TlsConfig> {
    let builder = TlsConfig::builder().unversioned_rustls_crypto_provider(Arc::new(ring::default_provider()));
    let roots = if target.is_tls { trust::authorities(&service.settings.key_directory, endpoint)? } else { Vec::new() };
    Ok(builder.root_certs(RootCerts::Specific(Arc::new(roots))).build())
}

/// The addresses of the endpoint, looked up and checked.
fn addresses(
    service: &Service,
    caller: &Arc<Caller>,
    endpoint: &EndpointSpec,
    target: &Target,
    deadline: Instant,
) -> Result<Vec<SocketAddr>> {
    // None is asked for a host that is an address.
    let is_name = target.address.is_none();
    let servers = if is_name { NameServers::find(&service.settings.name_servers)? } else { NameServers::default() };
    if service.restricts_ports {
        let ports: Vec<u16> = servers.ports().chain([target.port]).collect();
        sandbox::restrict_ports(&ports).map_err(|error| {
            Error::new(Kind::CannotConnect, "the kernel could not be asked to guard the connection")
                .detail(error.to_string())
        })?;
    }
    let found = servers.resolve(target, caller, deadline).map_err(|error| match caller.stopped() {
        Some(Stopped::Cancelled) => cancelled(),
        _ => error,
    })?;
    address::check_all(&found, endpoint.allow_loopback, endpoint.allow_private).map_err(|refused| {
        Error::new(Kind::NotPermitted, format!("endpoint \"{}\" has an address that is not allowed", endpoint.name))
            .detail(format!("Of the addresses of host \"{}\", {refused}", target.host))
            .hint("Where that is intended, register the endpoint with allow_loopback or allow_private; other addresses are never allowed.")
    })?;
    let is_public = |address: &std::net::IpAddr| address::zone(*address) == address::Zone::Public;
    if !target.is_tls && found.iter().any(is_public) {
        return Err(Error::new(
            Kind::NotPermitted,
            format!("endpoint \"{}\" would be sent text that is not encrypted", endpoint.name),
        )
        .detail(format!("Host \"{}\" has a public address, and its URL begins with http://.", target.host))
        .hint("Register the endpoint with https://."));
    }
    Ok(found.into_iter().map(|address| SocketAddr::new(address, target.port)).collect())
}

/// A request that has been sent.
struct Exchange<'a> {
    call: &'a Call,
    caller: &'a Arc<Caller>,
    id: u32,
    deadline: Instant,
    intent: &'a Intent<'a>,
    /// Whether text of the answer was passed on.
    has_text: Cell<bool>,
}

impl Exchange<'_> {
    fn read(&self, response: Response<Body>) -> Result<EgressResponse> {
        let status = response.status().as_u16();
        self.intent.answered(status);
        let headers = response.headers().clone();
        if text_of(&headers, "content-encoding").is_some_and(|encoding| encoding != "identity") {
            return Err(self.malformed("It is compressed, though that was not asked for."));
        }
        let mut body = response.into_body().into_reader();
        if status != 200 {
            return Err(self.refused(status, &headers, &mut body));
        }
        if self.call.task.purpose() != Use::Generate {
            return self.read_numbers(&mut body);
        }
        let is_stream = text_of(&headers, "content-type").is_some_and(|media| media.starts_with("text/event-stream"));
        let mut answer = Answer::new(self.call.endpoint.dialect);
        let mut text = StopText::new(self.call.task.stop().to_vec());
        if is_stream {
            self.read_stream(&mut body, &mut answer, &mut text)?;
        } else {
            let mut whole = Vec::new();
            while self.read_piece(&mut body, &mut whole)? {}
            let whole = String::from_utf8(whole).map_err(|_| self.malformed("It is not text in UTF-8."))?;
            let piece = answer.whole(&whole).map_err(|trouble| self.troubled(trouble))?;
            self.pass_on(text.push(&piece))?;
        }
        let rest = text.push(&answer.rest());
        self.pass_on(rest)?;
        let rest = text.end();
        self.pass_on(rest)?;
        if answer.calls_a_tool && !self.has_text.get() {
            return Err(self.troubled(Trouble::CallsATool));
        }
        let finish = if text.is_ended { Finish::Stop } else { answer.finish.unwrap_or(Finish::Stop) };
        let (prompt_tokens, answer_tokens) = (answer.prompt_tokens, answer.answer_tokens);
        Ok(EgressResponse::Generated { prompt_tokens, answer_tokens, finish })
    }

    fn read_numbers(&self, body: &mut impl Read) -> Result<EgressResponse> {
        let mut whole = Vec::new();
        while self.read_piece(body, &mut whole)? {}
        let numbers = self.call.task.numbers(&self.call.endpoint, &whole).unwrap_or(Err(Trouble::Malformed));
        numbers.map_err(|trouble| self.troubled(trouble))
    }

    fn read_stream(&self, body: &mut impl Read, answer: &mut Answer, text: &mut StopText) -> Result<()> {
        let mut events = Events::default();
        let mut received = 0;
        let too_long = |_| self.malformed("It has an event without an end.");
        loop {
            let mut bytes = Vec::new();
            let goes_on = self.read_piece(body, &mut bytes)?;
            received += bytes.len() as u64;
            self.check_size(received)?;
            let found = if goes_on { events.push(&bytes) } else { events.end() }.map_err(too_long)?;
            for event in found {
                let piece = answer.event(&event).map_err(|trouble| self.troubled(trouble))?;
                self.pass_on(text.push(&piece))?;
                if answer.is_complete || text.is_ended {
                    return Ok(());
                }
            }
            if !goes_on {
                // Some servers leave out the mark of the end, and none the reason for it.
                return if answer.finish.is_some() {
                    Ok(())
                } else {
                    Err(self.lost("The server ended it in the middle."))
                };
            }
        }
    }

    /// Appends what has come; false at the end.
    fn read_piece(&self, body: &mut impl Read, bytes: &mut Vec<u8>) -> Result<bool> {
        let mut piece = [0; READ_BYTES];
        let count = body.read(&mut piece).map_err(|error| self.explain(&error.into()))?;
        self.intent.received(count);
        bytes.extend_from_slice(piece.get(..count).unwrap_or_default());
        self.check_size(bytes.len() as u64)?;
        Ok(count > 0)
    }

    fn check_size(&self, received: u64) -> Result<()> {
        let most = self.call.endpoint.max_response_bytes;
        if received <= most {
            return Ok(());
        }
        Err(self.malformed(&format!("It has more than {most} bytes, the limit max_response_bytes of the endpoint.")))
    }

    fn pass_on(&self, text: String) -> Result<()> {
        if text.is_empty() {
            return Ok(());
        }
        self.has_text.set(true);
        self.caller.send(self.id, &EgressResponse::Text(text), self.deadline).map_err(|why| self.ended(why))
    }

    fn refused(&self, status: u16, headers: &HeaderMap, body: &mut impl Read) -> Error {
        let mut bytes = Vec::new();
        // The status alone says what is needed; the code is welcome.
        while bytes.len() < MAX_FAILURE && self.read_piece(body, &mut bytes).unwrap_or(false) {}
        if let Some(why) = self.caller.stopped() {
            return self.ended(why);
        }
        let code = serde_json::from_slice(&bytes).ok().and_then(|body| code_of(&body));
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs());
        let retry_after = retry::retry_after(text_of(headers, "retry-after-ms"), text_of(headers, "retry-after"), now);
        failure(&self.call.endpoint.name, &Refusal { status, code, retry_after })
    }

    fn troubled(&self, trouble: Trouble) -> Error {
        let name = &self.call.endpoint.name;
        match trouble {
            Trouble::Malformed => self.malformed("It is not what its dialect has."),
            Trouble::Filtered => {
                Error::new(Kind::EndpointFailed, format!("a filter of endpoint \"{name}\" ended the answer"))
            }
            Trouble::CallsATool => {
                Error::new(Kind::EndpointFailed, format!("endpoint \"{name}\" answered with the call of a tool"))
                    .detail("None was offered, and what a tool would have found is missing from its text.")
                    .hint("Ask another way, or register the endpoint with an extra_body that switches tools off.")
            }
            Trouble::Failed(code) => {
                let error =
                    Error::new(Kind::EndpointFailed, format!("endpoint \"{name}\" failed in the middle of its answer"));
                match code {
                    Some(code) => error.detail(format!("It reports code {code}.")),
                    None => error,
                }
            }
        }
    }

    /// The error for one of the client. Of what the client says, only what cannot hold words of the server is repeated.
    fn explain(&self, error: &ureq::Error) -> Error {
        if let Some(why) = self.caller.stopped() {
            return self.ended(why);
        }
        let io = |error: &std::io::Error| {
            if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
                return self.untrusted(tls);
            }
            if let Some(inner) = error.get_ref().and_then(|inner| inner.downcast_ref::<ureq::Error>()) {
                return self.explain_kind(inner);
            }
            match error.kind() {
                std::io::ErrorKind::UnexpectedEof
                | std::io::ErrorKind::ConnectionReset
                | std::io::ErrorKind::ConnectionAborted
                | std::io::ErrorKind::BrokenPipe => self.lost("The server closed the connection."),
                kind => self.unreachable(&format!("The system says: {}.", std::io::Error::from(kind))),
            }
        };
        match error {
            ureq::Error::Io(error) => io(error),
            other => self.explain_kind(other),
        }
    }

    fn explain_kind(&self, error: &ureq::Error) -> Error {
        match error {
            ureq::Error::Rustls(error) => self.untrusted(error),
            ureq::Error::Tls(_) | ureq::Error::TlsRequired => {
                self.unreachable("The connection could not be encrypted.")
            }
            ureq::Error::HostNotFound | ureq::Error::ConnectionFailed => self.unreachable("No address answers."),
            ureq::Error::LargeResponseHeader(..) => {
                self.malformed(&format!("Its headers have more than {MAX_HEADERS} bytes."))
            }
            ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::UnexpectedEof => {
                self.lost("The server closed the connection.")
            }
            _ => self.malformed("It violates HTTP."),
        }
    }

    fn untrusted(&self, error: &rustls::Error) -> Error {
        let detail = match error {
            rustls::Error::InvalidCertificate(reason) => {
                format!("Its certificate is not trusted: {}.", trust::distrust(reason))
            }
            _ => "The other side does not speak TLS as it should.".to_string(),
        };
        self.unreachable(&detail).hint(
            "The certificate has to be for the host of the URL, and of an authority of this machine or of ca_file.",
        )
    }

    fn unreachable(&self, detail: &str) -> Error {
        let name = &self.call.endpoint.name;
        Error::new(Kind::CannotConnect, format!("could not connect to endpoint \"{name}\"")).detail(detail)
    }

    fn lost(&self, detail: &str) -> Error {
        let name = &self.call.endpoint.name;
        Error::new(Kind::ConnectionLost, format!("the answer of endpoint \"{name}\" is not complete")).detail(detail)
    }

    fn malformed(&self, detail: &str) -> Error {
        let name = &self.call.endpoint.name;
        Error::new(Kind::MalformedAnswer, format!("the answer of endpoint \"{name}\" is not usable")).detail(detail)
    }

    fn ended(&self, why: Stopped) -> Error {
        let seconds = self.call.endpoint.timeout_seconds;
        match why {
            Stopped::Cancelled => cancelled(),
            Stopped::TimedOut => self
                .lost(&format!("It was not there after {seconds} s."))
                .hint("Ask for less, or register the endpoint with a longer timeout_seconds."),
        }
    }
}

fn cancelled() -> Error {
    Error::new(Kind::Cancelled, "nobody waits for the answer of the endpoint any more")
}

fn text_of<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok()
}
