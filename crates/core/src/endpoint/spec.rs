//! A row of `socle.endpoint`, and which corpora allow it.

use super::Dialect;
use super::url::Target;
use crate::model::hexadecimal;
use crate::{Error, Kind, Result};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Bytes of a token, at least: fewer than nearly every tokenizer needs on average, so that estimates are rather too high.
const BYTES_PER_TOKEN: usize = 3;

/// Paths that the dialects add to a base URL.
const PATHS: [&str; 6] = ["/chat/completions", "/completions", "/messages", "/embeddings", "/embed", "/rerank"];

/// Fields that socle itself writes.
const RESERVED: [&str; 10] =
    ["messages", "system", "model", "stream", "input", "inputs", "query", "documents", "texts", "encoding_format"];

/// Tokens that a message costs besides its text.
const TOKENS_PER_MESSAGE: usize = 8;

/// A registered endpoint. It holds no secret: the key is in a file that only the egress process reads.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct EndpointSpec {
    /// Name in `socle.endpoint`, which no generator has.
    pub name: String,
    /// Base URL, to which the dialect adds its path.
    pub url: String,
    /// How requests and answers are written.
    pub dialect: Dialect,
    /// Name of the model, as the server knows it.
    pub model: String,
    /// Name of a file in `socle.egress_key_directory`.
    pub key_file: Option<String>,
    /// Name of a file in `socle.egress_key_directory` with the only certificate authorities that are trusted; `None` for
    /// those of the machine.
    pub ca_file: Option<String>,
    /// Whether the server may be on this machine.
    pub allow_loopback: bool,
    /// Whether the server may be in a private network.
    pub allow_private: bool,
    /// Longest time from the connection to the end of the answer, in seconds.
    pub timeout_seconds: u32,
    /// Most bytes of an answer, headers included.
    pub max_response_bytes: u64,
    /// Most tokens of prompt and answer together.
    pub context_tokens: u32,
    /// A JSON object with further fields of the request; fields that are null in it are left out.
    pub extra_body: Option<String>,
}

/// What a corpus says about endpoints.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct CorpusPolicy {
    /// Name of the corpus.
    pub name: String,
    /// Endpoints that may be sent its questions and passages; empty: none.
    pub egress: Vec<String>,
}

impl EndpointSpec {
    /// Where it is.
    ///
    /// # Errors
    /// Those of [`Target::parse`].
    pub fn target(&self) -> Result<Target> {
        Target::parse(&self.url)
    }

    /// The identity of what it writes, as far as it can be known from here: 64 hexadecimal digits over URL, dialect, model
    /// and further fields. The server may change its model unseen.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        let extra = self.extra_body.as_deref().unwrap_or_default();
        for field in ["socle endpoint 1", &self.url, self.dialect.name(), &self.model, extra] {
            hash.update((field.len() as u64).to_le_bytes());
            hash.update(field.as_bytes());
        }
        hexadecimal(&hash.finalize())
    }

    /// Checks what can be checked without a connection.
    ///
    /// # Errors
    /// `InvalidArgument`, with what is wrong.
    pub fn check(&self) -> Result<()> {
        let invalid = |message: &str| Error::new(Kind::InvalidArgument, message.to_string());
        let target = self.target()?;
        if let Some(address) = target.address {
            super::address::check(address, self.allow_loopback, self.allow_private).map_err(|reason| {
                invalid("the URL of an endpoint has an address that is not allowed").detail(reason.to_string()).hint(
                    "Loopback and private addresses need allow_loopback or allow_private; others are never allowed.",
                )
            })?;
        }
        if !target.is_tls && !self.allow_loopback && !self.allow_private {
            return Err(invalid("the URL of an endpoint must begin with https://")
                .hint("http:// is possible with allow_loopback or allow_private, to such addresses only."));
        }
        if target.query.is_some() && self.dialect != Dialect::Azure {
            return Err(invalid("the URL of an endpoint must have no query")
                .detail("Only dialect \"azure\" has one: its api-version.")
                .hint("A key belongs into the file that key_file names."));
        }
        if let Some(path) = PATHS.into_iter().find(|path| target.path.ends_with(path)) {
            let base = self.url.split('?').next().unwrap_or_default().trim_end_matches('/').trim_end_matches(path);
            return Err(invalid(&format!("the URL of an endpoint must not end in \"{path}\""))
                .detail("It is the base URL, to which the dialect adds its path.")
                .hint(format!("Register it with the URL {base}.")));
        }
        for (name, file) in [("key_file", &self.key_file), ("ca_file", &self.ca_file)] {
            if let Some(file) = file
                && !is_file_name(file)
            {
                return Err(invalid(&format!("{name} must be the name of a file, without a directory"))
                    .hint("It is looked for in socle.egress_key_directory."));
            }
        }
        if self.model.is_empty() {
            return Err(invalid("model must not be null or empty"));
        }
        self.extra().map(drop)
    }

    /// The further fields of requests.
    ///
    /// # Errors
    /// `InvalidArgument` where they are no object, or would replace what socle itself writes.
    pub fn extra(&self) -> Result<serde_json::Map<String, serde_json::Value>> {
        let Some(text) = &self.extra_body else { return Ok(serde_json::Map::new()) };
        let invalid = |message: &str| Error::new(Kind::InvalidArgument, message.to_string());
        let Ok(serde_json::Value::Object(extra)) = serde_json::from_str(text) else {
            return Err(invalid("extra_body must be a JSON object"));
        };
        match RESERVED.into_iter().find(|name| extra.contains_key(*name)) {
            Some(name) => Err(invalid(&format!("extra_body must not have the field \"{name}\""))),
            None => Ok(extra),
        }
    }
}

/// Whether this is the name of a file in a directory, and of none elsewhere.
pub fn is_file_name(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 200
        && !name.starts_with('.')
        && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "._-".contains(letter))
}

/// The number of tokens that a text with this many bytes has at most, in nearly all languages and models: an endpoint does
/// not say before it is asked.
pub fn estimated_tokens(bytes: usize, messages: usize) -> usize {
    bytes.div_ceil(BYTES_PER_TOKEN) + messages * TOKENS_PER_MESSAGE
}

/// Why these corpora do not allow an endpoint; `None` if all of them do. Asked by the session, and again by the process
/// that would send.
pub fn refusal(endpoint: &str, corpora: &[CorpusPolicy]) -> Option<Error> {
    let forbidding = corpora.iter().find(|corpus| !corpus.egress.iter().any(|allowed| allowed == endpoint))?;
    let name = &forbidding.name;
    let allowed = if forbidding.egress.is_empty() {
        "It allows no endpoint.".to_string()
    } else {
        let quoted: Vec<String> = forbidding.egress.iter().map(|name| format!("\"{name}\"")).collect();
        format!("It allows {}.", quoted.join(", "))
    };
    Some(
        Error::new(Kind::NotPermitted, format!("corpus \"{name}\" does not allow endpoint \"{endpoint}\""))
            .detail(format!("Neither questions to it nor passages of it may be sent there. {allowed}"))
            .hint("Its owner can allow it: see the argument egress of socle.alter_corpus()."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint() -> EndpointSpec {
        EndpointSpec {
            name: "e".into(),
            url: "https://api.example.org/v1".into(),
            dialect: Dialect::OpenaiLegacy,
            model: "m".into(),
            key_file: Some("key.txt".into()),
            ca_file: None,
            allow_loopback: false,
            allow_private: false,
            timeout_seconds: 60,
            max_response_bytes: 1 << 20,
            context_tokens: 8192,
            extra_body: None,
        }
    }

    #[test]
    fn every_corpus_has_to_allow_an_endpoint() {
        let corpus = |name: &str, egress: &[&str]| CorpusPolicy {
            name: name.into(),
            egress: egress.iter().map(|name| (*name).to_string()).collect(),
        };
        assert_eq!(refusal("e", &[]), None);
        assert_eq!(refusal("e", &[corpus("a", &["e"]), corpus("b", &["d", "e"])]), None);
        for refusing in [corpus("b", &[]), corpus("b", &["E"]), corpus("b", &["e "]), corpus("b", &["ee"])] {
            let error = refusal("e", &[corpus("a", &["e"]), refusing]).unwrap();
            assert_eq!((error.kind, error.message.contains("\"b\"")), (Kind::NotPermitted, true));
            assert!(error.hint.is_some());
        }
    }

    #[test]
    fn what_cannot_be_reached_safely_is_refused_at_registration() {
        assert_eq!(endpoint().check(), Ok(()));
        let wrong = [
            EndpointSpec { url: "http://api.example.org/v1".into(), ..endpoint() },
            EndpointSpec { url: "https://127.0.0.1/v1".into(), ..endpoint() },
            EndpointSpec { url: "https://10.0.0.1/v1".into(), ..endpoint() },
            EndpointSpec {
                url: "https://169.254.169.254/".into(),
                allow_loopback: true,
                allow_private: true,
                ..endpoint()
            },
            EndpointSpec { url: "https://api.example.org/v1?key=secret".into(), ..endpoint() },
            EndpointSpec { url: "https://api.example.org/v1/chat/completions/".into(), ..endpoint() },
            EndpointSpec { url: "https://api.example.org/embed".into(), ..endpoint() },
            EndpointSpec { key_file: Some("../key".into()), ..endpoint() },
            EndpointSpec { key_file: Some("/etc/passwd".into()), ..endpoint() },
            EndpointSpec { key_file: Some(".hidden".into()), ..endpoint() },
            EndpointSpec { ca_file: Some("a/b".into()), ..endpoint() },
            EndpointSpec { model: String::new(), ..endpoint() },
            EndpointSpec { extra_body: Some("[]".into()), ..endpoint() },
            EndpointSpec { extra_body: Some(r#"{"messages": []}"#.into()), ..endpoint() },
            EndpointSpec { extra_body: Some(r#"{"stream": false}"#.into()), ..endpoint() },
        ];
        for endpoint in wrong {
            assert_eq!(endpoint.check().map_err(|error| error.kind), Err(Kind::InvalidArgument), "{endpoint:?}");
        }
        let right = [
            EndpointSpec { url: "http://127.0.0.1:8000".into(), allow_loopback: true, ..endpoint() },
            EndpointSpec { url: "http://gpu.lan/v1".into(), allow_private: true, ..endpoint() },
            EndpointSpec {
                url: "https://x.example.org/openai/deployments/d?api-version=2024-10-21".into(),
                dialect: Dialect::Azure,
                ..endpoint()
            },
            EndpointSpec { extra_body: Some(r#"{"temperature": null}"#.into()), ..endpoint() },
        ];
        for endpoint in right {
            assert_eq!(endpoint.check(), Ok(()), "{endpoint:?}");
        }
    }

    #[test]
    fn the_digest_sees_what_changes_answers_and_no_names() {
        let digest = endpoint().digest();
        assert_eq!(EndpointSpec { name: "f".into(), timeout_seconds: 1, ..endpoint() }.digest(), digest);
        for other in [
            EndpointSpec { url: "https://b.example.org/v1".into(), ..endpoint() },
            EndpointSpec { dialect: Dialect::Openai, ..endpoint() },
            EndpointSpec { model: "n".into(), ..endpoint() },
            EndpointSpec { extra_body: Some("{}".into()), ..endpoint() },
        ] {
            assert_ne!(other.digest(), digest);
        }
    }
}
