//! Endpoints: servers that text may be sent to, each behind a door that three have to open: a superuser who registers it, a
//! grant, and the owner of the corpus. The servers of these tests are their own.

mod corpus;
mod model;
mod model_refused;
mod model_server;
mod process;
mod real_server;
mod registry;
mod text;

use postgres::Client;
use socle_tests::{Cluster, PATIENCE, eventually};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

/// Stands in keys and prompts, and must stand nowhere else.
const SECRET: &str = "hunter2-4711";

/// A server in the form of OpenAI, on this machine.
pub struct Server {
    port: u16,
    /// The requests that came, headers included.
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    /// Answers each request with the text that this makes of it; `None` leaves it without an answer until the client goes.
    pub fn new(answer: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (seen, answer) = (requests.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, seen, answer) = (stream.unwrap(), seen.clone(), answer.clone());
                std::thread::spawn(move || {
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    let Some(request) = read_request(&mut stream) else { return };
                    seen.lock().unwrap().push(request.clone());
                    match answer(&request) {
                        Some(text) => write_answer(&mut stream, &text),
                        None => drop(stream.read(&mut [0; 10])),
                    }
                });
            }
        });
        Self { port, requests }
    }

    /// Says the same to everybody.
    pub fn saying(text: &'static str) -> Self {
        Self::new(move |_| Some(text.to_string()))
    }

    /// Says nothing.
    fn silent() -> Self {
        Self::new(|_| None)
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v1", self.port)
    }

    pub fn request_count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// Waits until it has been asked that often.
    fn wait_for_requests(&self, count: usize) {
        eventually("the server is asked", || (self.request_count() >= count).then_some(()));
    }

    /// Registers it.
    fn register(&self, client: &mut Client, name: &str, more: &str) {
        let sql = format!(
            "SELECT socle.register_endpoint('{name}', '{}', 'openai_legacy', 'm', allow_loopback => true {more})",
            self.url()
        );
        client.batch_execute(&sql).unwrap();
    }
}

fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let head = head.to_lowercase();
            let length: usize = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length: "))
                .map_or(0, |text| text.parse().unwrap());
            if body.len() >= length {
                return Some(text);
            }
        }
    }
}

/// Streams a text, a word at a time.
fn write_answer(stream: &mut TcpStream, text: &str) {
    let mut events = String::new();
    for word in text.split_inclusive(' ') {
        let event = serde_json::json!({"choices": [{"delta": {"content": word}, "finish_reason": null}]});
        events += &format!("data: {event}\n\n");
    }
    events += "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":321,\"completion_tokens\":7}}\n\ndata: [DONE]\n\n";
    let _ = write!(
        stream,
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-length: {}\r\n\r\n{events}",
        events.len()
    );
}

/// A running cluster with all models, the endpoint "door" to a server, and a directory with the key of it.
pub fn cluster(server: &Server, configuration: &str) -> (Cluster, Client) {
    let cluster = Cluster::with_models(configuration);
    let mut client = cluster.connect();
    server.register(&mut client, "door", "");
    (cluster, client)
}

/// Has a cluster look for keys in a directory of its own, with this key in the file "key".
fn use_key(cluster: &Cluster, client: &mut Client, key: &str) {
    let directory = cluster.directory().join("keys");
    std::fs::create_dir(&directory).unwrap();
    std::fs::write(directory.join("key"), key).unwrap();
    std::fs::set_permissions(directory.join("key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let owner = std::os::unix::fs::MetadataExt::uid(&std::fs::metadata(cluster.data()).unwrap());
    for path in [directory.clone(), directory.join("key")] {
        let _ = std::os::unix::fs::chown(path, Some(owner), None);
    }
    client.batch_execute("LOAD 'socle'").unwrap();
    client.batch_execute(&format!("ALTER SYSTEM SET socle.egress_key_directory = '{}'", directory.display())).unwrap();
    cluster.reload();
    eventually("the setting is in force", || {
        let now: String = client.query_one("SHOW socle.egress_key_directory", &[]).unwrap().get(0);
        (now == directory.to_string_lossy()).then_some(())
    });
}

pub fn generate(client: &mut Client, prompt: &str) -> Result<String, postgres::Error> {
    client.query_one("SELECT socle.generate($1, 'door', max_tokens => 50)", &[&prompt]).map(|row| row.get(0))
}
