//! The messages between backends and the egress process. Frames, the socket to the supervisor and the exchange of versions
//! are those of the engine.
//!
//! A connection has one request. A backend cancels it by closing the connection. A request is never sent again by itself: it
//! may have left the machine.

use crate::Error;
use crate::endpoint::dialect::numbers::{Scores, Vectors};
use crate::endpoint::{CorpusPolicy, EndpointSpec};
use crate::generator::{Finish, Message};
use serde::{Deserialize, Serialize};

/// Incremented with every change of a message, as [`super::PROTOCOL_VERSION`] is for the engine.
pub const EGRESS_PROTOCOL_VERSION: u32 = 3;

/// Socket of the egress process, in [`super::RUNTIME_DIRECTORY`].
pub const EGRESS_SOCKET: &str = "egress.sock";
/// Lock file held by the egress process of a cluster.
pub const EGRESS_LOCK: &str = "egress.lock";
/// Contains the reason while there is no egress process.
pub const EGRESS_FAILURE_FILE: &str = "egress.failure";

/// Directory of the ledger, in the data directory. Beside the runtime directory, not in it: base backups have it.
pub const LEDGER_DIRECTORY: &str = "socle/ledger";
/// The key of the keyed hashes in the ledger. Not in its directory, which the egress process may read.
pub const LEDGER_KEY: &str = "socle/ledger.key";
/// Directory of the texts of questions and answers, where they are kept. The egress process may not read it either.
pub const LEDGER_TEXT_DIRECTORY: &str = "socle/ledger_text";

/// Maximum length of a frame to the egress process in bytes.
pub const MAX_EGRESS_FRAME: usize = 16 << 20;

/// A request from a backend to the egress process.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum EgressRequest<'a> {
    /// First message on every connection, answered by [`EgressResponse::Welcome`].
    Hello {
        /// [`EGRESS_PROTOCOL_VERSION`] of the backend.
        protocol: u32,
        /// Who it is, for the ledger.
        session: SessionName,
    },
    /// The next message of a conversation, answered by [`EgressResponse::Text`]s and an [`EgressResponse::Generated`].
    Generate {
        /// Where it is sent.
        endpoint: Box<EndpointSpec>,
        /// The corpora that the conversation has questions to or passages of. Each has to allow the endpoint.
        corpora: Vec<CorpusPolicy>,
        /// The conversation.
        #[serde(borrow)]
        messages: Vec<Message<'a>>,
        /// Largest number of tokens of the answer.
        max_tokens: u32,
        /// 0 takes the most likely token each time.
        temperature: f32,
        /// Makes a drawn answer repeatable, where the server can.
        seed: Option<u64>,
        /// Texts before which the answer ends.
        #[serde(borrow)]
        stop: Vec<&'a str>,
    },
    /// The vectors of texts, answered by [`EgressResponse::Vectors`].
    Embed {
        /// Where it is sent.
        endpoint: Box<EndpointSpec>,
        /// The corpora that the texts are of, or questions to. Each has to allow the endpoint.
        corpora: Vec<CorpusPolicy>,
        /// Name of the model, as the server knows it.
        model: &'a str,
        /// Whether the server may cut texts to its window.
        truncate: bool,
        /// The texts, with their prefixes.
        #[serde(borrow)]
        texts: Vec<&'a str>,
    },
    /// The scores of documents for a query, answered by [`EgressResponse::Scores`].
    Rerank {
        /// Where it is sent.
        endpoint: Box<EndpointSpec>,
        /// The corpora that the documents are of. Each has to allow the endpoint.
        corpora: Vec<CorpusPolicy>,
        /// Name of the model, as the server knows it.
        model: &'a str,
        /// Whether the server may cut documents to its window.
        truncate: bool,
        /// The query.
        query: &'a str,
        /// The documents.
        #[serde(borrow)]
        documents: Vec<&'a str>,
    },
    /// Appends an entry to the ledger, answered by [`EgressResponse::Appended`].
    Append {
        /// What has happened.
        kind: String,
        /// All about it, as a JSON object.
        fields: String,
    },
    /// Removes old entries from the ledger, answered by [`EgressResponse::Pruned`].
    Prune {
        /// Entries from before this time, as the ledger writes times.
        before: String,
    },
    /// Requests the text of a checkpoint, answered by [`EgressResponse::Checkpoint`].
    Checkpoint,
    /// Requests the state of the egress process.
    Report,
}

/// Who a session is.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct SessionName {
    /// The database that it is connected to.
    pub database: String,
    /// The role whose rights it has at present.
    pub role: String,
    /// The role that has logged in.
    pub session_role: String,
    /// Its process.
    pub pid: u32,
}

/// A response from the egress process to a backend.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub enum EgressResponse {
    /// The connection is established.
    Welcome {
        /// Process id of the egress process.
        pid: u32,
    },
    /// The request is in progress; sent every [`super::ALIVE_INTERVAL_SECONDS`] to a waiting backend.
    Alive,
    /// A piece of the answer, in order: whole characters, never empty.
    Text(String),
    /// The answer is complete.
    Generated {
        /// Tokens of the conversation, as the server counts them.
        prompt_tokens: Option<u32>,
        /// Tokens of the answer, as the server counts them.
        answer_tokens: Option<u32>,
        /// Why it ended.
        finish: Finish,
    },
    /// The vectors of the texts of a request.
    Vectors(Vectors),
    /// The scores of the documents of a request.
    Scores(Scores),
    /// The entry is on disk.
    Appended {
        /// The chain that it is in.
        origin: String,
        /// Its number there.
        number: u64,
        /// Its hash in hexadecimal.
        hash: String,
    },
    /// Old entries were removed.
    Pruned {
        /// Number of files.
        segments: u64,
        /// Number of entries.
        entries: u64,
    },
    /// The text of a checkpoint.
    Checkpoint(String),
    /// The state of the egress process.
    Report(Box<EgressReport>),
    /// The request failed.
    Failed {
        /// The error. It has neither the key nor anything of the conversation or of what the server wrote.
        error: Error,
    },
}

impl EgressResponse {
    /// Whether no more responses follow.
    pub fn is_last(&self) -> bool {
        !matches!(self, Self::Alive | Self::Text(_))
    }
}

/// The state of the egress process.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct EgressReport {
    /// Process id.
    pub pid: u32,
    /// Start, in seconds since 1970.
    pub started_at: f64,
    /// How many ended by a failure before this one under the same supervisor.
    pub restart_count: u32,
    /// [`super::VERSION`] of the process.
    pub version: String,
    /// Requests in progress.
    pub running: u32,
    /// What it has done, by the names of endpoints.
    pub endpoints: Vec<EndpointUse>,
    /// What the kernel lets it connect to.
    pub network: String,
    /// What the kernel lets it read.
    pub files: String,
    /// The chain of the ledger that it writes; `None` where it cannot.
    pub ledger_origin: Option<String>,
    /// Number of the last entry.
    pub ledger_number: u64,
    /// Why the ledger cannot be written.
    pub ledger_failure: Option<String>,
}

/// What the egress process has done with an endpoint since it started.
#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub struct EndpointUse {
    /// Name of the endpoint.
    pub name: String,
    /// Requests that were begun: bytes may have left.
    pub request_count: u64,
    /// Requests that failed, of these.
    pub failure_count: u64,
    /// Requests that were refused before anything left.
    pub refusal_count: u64,
    /// Bytes of the bodies that were sent.
    pub sent_bytes: u64,
    /// Bytes of the bodies that were received.
    pub received_bytes: u64,
    /// Last use, in seconds since 1970.
    pub used_at: f64,
}

/// First message of the supervisor to the egress process, over the control socket.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct EgressSettings {
    /// Process id of the supervisor, the parent of the process.
    pub supervisor_pid: u32,
    /// Process id of the postmaster.
    pub postmaster_pid: u32,
    /// How many ended by a failure before this one.
    pub restart_count: u32,
    /// `socle.egress_key_directory`, absolute; empty for none.
    pub key_directory: String,
    /// `socle.egress_name_servers`; empty for those of the machine.
    pub name_servers: String,
    /// Seconds without a request after which the process exits with status 0; 0 means never.
    pub idle_timeout_seconds: u32,
    /// System identifier of the cluster.
    pub system_identifier: u64,
    /// Its timeline; 0 on a standby.
    pub timeline: u32,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::endpoint::Dialect;
    use crate::generator::MessageRole;
    use crate::protocol::{FrameBuffer, ToEgress, encode};
    use proptest::prelude::*;

    fn requests() -> Vec<EgressRequest<'static>> {
        let endpoint = EndpointSpec {
            name: "e".into(),
            url: "https://api.example.org/v1".into(),
            dialect: Dialect::Anthropic,
            model: "m".into(),
            key_file: Some("key".into()),
            ca_file: None,
            allow_loopback: false,
            allow_private: true,
            timeout_seconds: 1,
            max_response_bytes: 2,
            context_tokens: 3,
            extra_body: Some("{}".into()),
        };
        vec![
            EgressRequest::Hello { protocol: EGRESS_PROTOCOL_VERSION, session: SessionName::default() },
            EgressRequest::Embed {
                endpoint: Box::new(endpoint.clone()),
                corpora: vec![],
                model: "m",
                truncate: true,
                texts: vec!["a", "é"],
            },
            EgressRequest::Rerank {
                endpoint: Box::new(endpoint.clone()),
                corpora: vec![],
                model: "m",
                truncate: false,
                query: "q",
                documents: vec!["d"],
            },
            EgressRequest::Generate {
                endpoint: Box::new(endpoint),
                corpora: vec![CorpusPolicy { name: "c".into(), egress: vec!["e".into()] }],
                messages: vec![Message { role: MessageRole::User, content: "Straße" }],
                max_tokens: 4,
                temperature: 0.5,
                seed: Some(6),
                stop: vec!["END"],
            },
            EgressRequest::Append { kind: "k".into(), fields: "{}".into() },
            EgressRequest::Prune { before: "2026".into() },
            EgressRequest::Checkpoint,
            EgressRequest::Report,
        ]
    }

    #[test]
    fn every_message_survives_its_encoding() {
        let mut buffer = FrameBuffer::default();
        for request in requests() {
            buffer.extend(&encode(1, 0, &request).unwrap());
            let frame = buffer.next_frame(MAX_EGRESS_FRAME).unwrap().unwrap();
            assert_eq!(frame.message::<EgressRequest>().unwrap(), request);
        }
        let used = EndpointUse { name: "e".into(), ..EndpointUse::default() };
        let responses = [
            (EgressResponse::Welcome { pid: 1 }, true),
            (EgressResponse::Alive, false),
            (EgressResponse::Text("é".into()), false),
            (EgressResponse::Generated { prompt_tokens: None, answer_tokens: Some(1), finish: Finish::Stop }, true),
            (
                EgressResponse::Vectors(Vectors {
                    model: None,
                    dimensions: 2,
                    values: vec![0.5, -1.0],
                    token_count: None,
                }),
                true,
            ),
            (EgressResponse::Scores(Scores { model: Some("m".into()), values: vec![0.5] }), true),
            (EgressResponse::Appended { origin: "o".into(), number: 1, hash: "h".into() }, true),
            (EgressResponse::Pruned { segments: 1, entries: 2 }, true),
            (EgressResponse::Checkpoint("c".into()), true),
            (EgressResponse::Report(Box::new(EgressReport { endpoints: vec![used], ..Default::default() })), true),
            (EgressResponse::Failed { error: Error::new(crate::Kind::KeyRefused, "m").hint("h") }, true),
        ];
        for (response, is_last) in responses {
            buffer.extend(&encode(1, 0, &response).unwrap());
            let frame = buffer.next_frame(MAX_EGRESS_FRAME).unwrap().unwrap();
            assert_eq!((frame.message::<EgressResponse>().unwrap(), response.is_last()), (response, is_last));
        }
        let settings = ToEgress::Start(EgressSettings {
            supervisor_pid: 1,
            postmaster_pid: 2,
            restart_count: 3,
            key_directory: "/k".into(),
            name_servers: "127.0.0.1".into(),
            idle_timeout_seconds: 4,
            system_identifier: 5,
            timeline: 6,
        });
        buffer.extend(&encode(0, 0, &settings).unwrap());
        assert_eq!(buffer.next_frame(MAX_EGRESS_FRAME).unwrap().unwrap().message::<ToEgress>().unwrap(), settings);
    }

    proptest! {
        #[test]
        fn damaged_messages_never_panic(which in 0usize..8, at in 9usize..400, value in any::<u8>()) {
            let mut bytes = encode(1, 0, &requests()[which]).unwrap();
            let at = at.min(bytes.len() - 1);
            bytes[at] = value;
            let mut buffer = FrameBuffer::default();
            buffer.extend(&bytes);
            if let Ok(Some(frame)) = buffer.next_frame(MAX_EGRESS_FRAME) {
                let _ = frame.message::<EgressRequest>();
            }
        }
    }
}
