//! What is written to an endpoint, and how what it answers is read. Bodies have what is needed and nothing more: some servers
//! refuse fields that they do not know. Answers are read tolerantly: fields that are not needed may have any form.

mod answer;
mod failure;
pub mod numbers;
#[cfg(test)]
mod tests;

use super::EndpointSpec;
use crate::generator::{Message, MessageRole};
use crate::model::sql_names;
use crate::{Error, Kind, Result};
pub use answer::{Answer, Trouble};
pub use failure::{Refusal, code_of, failure};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// Version of the Messages API of Anthropic that requests are written in.
const ANTHROPIC_VERSION: &str = "2023-06-01";

/// How requests and answers are written.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Dialect {
    /// Chat completions of OpenAI as they are today, with `max_completion_tokens`.
    Openai,
    /// The same as most servers that one runs oneself have them, with `max_tokens`.
    OpenaiLegacy,
    /// Those of Mistral, which refuses fields that it does not know.
    Mistral,
    /// Those of Gemini, which does so too, and whose errors come in arrays.
    Gemini,
    /// Those of Azure, with the key in a header of its own.
    Azure,
    /// The Messages API of Anthropic.
    Anthropic,
    /// Text embeddings inference: vectors and scores, no texts.
    Tei,
}

sql_names!(
    Dialect,
    Openai => "openai", OpenaiLegacy => "openai_legacy", Mistral => "mistral", Gemini => "gemini", Azure => "azure",
    Anthropic => "anthropic", Tei => "tei"
);

/// What an endpoint is asked for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Use {
    /// The next message of a conversation.
    Generate,
    /// The vectors of texts.
    Embed,
    /// The scores of documents.
    Rerank,
}

sql_names!(Use, Generate => "generate", Embed => "embed", Rerank => "rerank");

/// A conversation whose next message is asked for.
#[derive(Clone, Copy, Debug)]
pub struct Conversation<'a> {
    /// What was said.
    pub messages: &'a [Message<'a>],
    /// Most tokens of the next message.
    pub max_tokens: u32,
    /// 0 takes the most likely token each time.
    pub temperature: f32,
    /// Makes a drawn text repeatable, where the server can.
    pub seed: Option<u64>,
}

impl Dialect {
    /// What follows the base URL.
    pub fn path(self, purpose: Use) -> &'static str {
        match (purpose, self) {
            (Use::Generate, Self::Anthropic) => "/messages",
            (Use::Generate, _) => "/chat/completions",
            (Use::Embed, Self::Tei) => "/embed",
            (Use::Embed, _) => "/embeddings",
            (Use::Rerank, _) => "/rerank",
        }
    }

    /// The headers of a request, besides those of its body. The key may be in one of them.
    pub fn headers(self, key: Option<&str>) -> Vec<(&'static str, String)> {
        let mut headers = vec![("content-type", "application/json".to_string())];
        if self == Self::Anthropic {
            headers.push(("anthropic-version", ANTHROPIC_VERSION.to_string()));
        }
        if let Some(key) = key {
            headers.push(match self {
                Self::Anthropic => ("x-api-key", key.to_string()),
                Self::Azure => ("api-key", key.to_string()),
                _ => ("authorization", format!("Bearer {key}")),
            });
        }
        headers
    }

    /// The body of a request.
    ///
    /// # Errors
    /// `NotSupported` for what the dialect cannot say; `InvalidArgument` for further fields that are no object.
    pub fn body(self, endpoint: &EndpointSpec, conversation: &Conversation<'_>) -> Result<String> {
        if self == Self::Tei {
            return Err(Error::new(Kind::NotSupported, format!("endpoint \"{}\" writes no texts", endpoint.name))
                .detail("Its dialect \"tei\" has vectors and scores.")
                .hint("Register a model of it with socle.register_endpoint_model()."));
        }
        let mut body = Map::new();
        body.insert("model".into(), json!(endpoint.model));
        if self == Self::Anthropic {
            let is_system = |message: &&Message<'_>| message.role == MessageRole::System;
            let system: Vec<&str> =
                conversation.messages.iter().filter(is_system).map(|message| message.content).collect();
            if !system.is_empty() {
                body.insert("system".into(), json!(system.join("\n\n")));
            }
            let rest = conversation.messages.iter().filter(|message| !is_system(message));
            body.insert("messages".into(), rest.map(message).collect());
        } else {
            body.insert("messages".into(), conversation.messages.iter().map(message).collect());
        }
        body.insert("stream".into(), json!(true));
        if matches!(self, Self::Openai | Self::OpenaiLegacy | Self::Azure) {
            body.insert("stream_options".into(), json!({"include_usage": true}));
        }
        let limit = if matches!(self, Self::Openai | Self::Azure) { "max_completion_tokens" } else { "max_tokens" };
        body.insert(limit.into(), json!(conversation.max_tokens));
        // As text, so that 0.7 is not sent as 0.699999988079071.
        let temperature: f64 = conversation.temperature.to_string().parse().unwrap_or_default();
        body.insert("temperature".into(), json!(temperature));
        if let Some(seed) = conversation.seed {
            let name = match self {
                Self::Openai | Self::OpenaiLegacy | Self::Azure => "seed",
                Self::Mistral => "random_seed",
                Self::Gemini | Self::Anthropic | Self::Tei => {
                    return Err(Error::new(Kind::NotSupported, "the endpoint takes no seed")
                        .detail(format!("Its dialect is \"{}\".", self.name()))
                        .hint("Leave out the argument seed."));
                }
            };
            // What JSON numbers hold exactly in all languages; Mistral takes no negative ones.
            body.insert(name.into(), json!(seed & 0x1f_ffff_ffff_ffff));
        }
        for (name, value) in endpoint.extra()? {
            match value {
                Value::Null => drop(body.remove(&name)),
                value => drop(body.insert(name, value)),
            }
        }
        Ok(Value::Object(body).to_string())
    }
}

fn message(message: &Message<'_>) -> Value {
    json!({"role": message.role.name(), "content": message.content})
}
