//! A server of vectors and scores: in the form of text embeddings inference, and below `/v1` in that of OpenAI and Jina. Texts
//! with the same words have near vectors.

use super::read_request;
use serde_json::{Value, json};
use socle_tests::{PATIENCE, eventually};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// Length of the vectors.
pub const DIMENSIONS: usize = 32;

/// How it answers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Mood {
    Good,
    /// Another model of the same length.
    Changed,
    /// A model with longer vectors.
    Longer,
    /// The same vectors, under another name.
    Renamed,
    /// This status, and when to come again.
    Refusing(u16, Option<u32>),
    /// This status, for a request that has the word `poison` in it.
    RefusingPoison(u16),
    /// Not until the client goes.
    Silent,
    /// One vector too few.
    Short,
}

pub struct ModelServer {
    port: u16,
    mood: Arc<Mutex<Mood>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl ModelServer {
    pub fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let server = Self { port, mood: Arc::new(Mutex::new(Mood::Good)), requests: Arc::default() };
        let (mood, requests) = (server.mood.clone(), server.requests.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let (mut stream, mood, requests) = (stream.unwrap(), mood.clone(), requests.clone());
                std::thread::spawn(move || {
                    stream.set_read_timeout(Some(PATIENCE)).unwrap();
                    let Some(request) = read_request(&mut stream) else { return };
                    requests.lock().unwrap().push(request.clone());
                    let mood = *mood.lock().unwrap();
                    answer(&mut stream, &request, mood);
                });
            }
        });
        server
    }

    pub fn set(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    /// Its base URL in the form of text embeddings inference; `/v1` behind it is that of OpenAI.
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }

    pub fn request_count(&self) -> usize {
        self.requests.lock().unwrap().len()
    }

    /// Waits until it is asked again, more than `count` times.
    pub fn wait_for_more_than(&self, count: usize) {
        eventually("the server is asked", || (self.request_count() > count).then_some(()));
    }
}

fn answer(stream: &mut TcpStream, request: &str, mood: Mood) {
    let (head, body) = request.split_once("\r\n\r\n").unwrap();
    let path = head.split(' ').nth(1).unwrap();
    let body: Value = serde_json::from_str(body).unwrap();
    let (status, further, body) = match mood {
        Mood::Silent => return drop(stream.read(&mut [0; 10])),
        Mood::Refusing(status, later) => {
            let later = later.map(|seconds| format!("retry-after: {seconds}\r\n")).unwrap_or_default();
            (status, later, json!({"error": "no", "error_type": "overloaded"}))
        }
        Mood::RefusingPoison(status) if body.to_string().contains("poison") => {
            (status, String::new(), json!({"error": "no"}))
        }
        mood => (200, String::new(), computed(path, &body, mood)),
    };
    let body = body.to_string();
    let _ = write!(stream, "HTTP/1.1 {status} x\r\n{further}content-length: {}\r\n\r\n{body}", body.len());
}

fn computed(path: &str, body: &Value, mood: Mood) -> Value {
    let texts = |name: &str| -> Vec<String> {
        body[name].as_array().unwrap().iter().map(|text| text.as_str().unwrap().to_string()).collect()
    };
    let vectors = |name: &str| {
        let mut vectors: Vec<Vec<f32>> = texts(name).iter().map(|text| vector(text, mood)).collect();
        if mood == Mood::Short {
            vectors.pop();
        }
        vectors
    };
    let query = || body["query"].as_str().unwrap();
    let name = if mood == Mood::Renamed { "another" } else { "hashed-words" };
    match path {
        "/embed" => json!(vectors("inputs")),
        "/rerank" => {
            let scores = texts("texts").into_iter().map(|text| score(query(), &text, mood));
            // Best first, as the real one sorts them.
            let mut scores: Vec<(usize, f32)> = scores.enumerate().collect();
            scores.sort_by(|a, b| b.1.total_cmp(&a.1));
            scores.into_iter().map(|(index, score)| json!({"index": index, "score": score})).collect()
        }
        "/v1/embeddings" => {
            let all = vectors("input").into_iter().enumerate().rev();
            let data: Vec<Value> =
                all.map(|(index, embedding)| json!({"index": index, "embedding": embedding})).collect();
            json!({"object": "list", "model": name, "data": data})
        }
        "/v1/rerank" => {
            let scores = texts("documents").into_iter().map(|text| score(query(), &text, mood)).enumerate();
            let probability = |score: f32| 1.0 / (1.0 + (-score).exp());
            let results: Vec<Value> =
                scores.map(|(index, score)| json!({"index": index, "relevance_score": probability(score)})).collect();
            json!({"model": name, "results": results})
        }
        other => panic!("no server has {other}"),
    }
}

fn words(text: &str) -> Vec<String> {
    let words = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    words.map(str::to_lowercase).collect()
}

/// The words of a text, each in a place that its letters choose.
fn vector(text: &str, mood: Mood) -> Vec<f32> {
    let length = if mood == Mood::Longer { DIMENSIONS + 1 } else { DIMENSIONS };
    let seed = if mood == Mood::Changed { 17 } else { 0 };
    let mut vector = vec![0.01; length];
    for word in words(text) {
        let hash = word.bytes().fold(seed, |hash: usize, byte| hash.wrapping_mul(31).wrapping_add(byte.into()));
        vector[hash % DIMENSIONS] += 1.0;
    }
    let norm = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    vector.into_iter().map(|number| number / norm).collect()
}

/// From -6 for no word of the query to 6 for all.
fn score(query: &str, text: &str, mood: Mood) -> f32 {
    let (query, text) = (words(query), words(text));
    let share = query.iter().filter(|word| text.contains(word)).count() as f32 / query.len() as f32;
    let score = 12.0 * share - 6.0;
    if mood == Mood::Changed { -score } else { score }
}
