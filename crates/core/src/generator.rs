//! The description of a generator: the row of `socle.generator`, sent to the generator program with every request, and
//! what a request for text consists of.

use crate::model::{ModelFile, sql_names};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A registered generator: a language model in the file format GGUF.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct GeneratorSpec {
    /// Name in `socle.generator`.
    pub name: String,
    /// The model, relative to `socle.model_directory`.
    pub file: ModelFile,
    /// Name of the built-in chat template. The template that a file contains is a program and is never run.
    pub template: String,
    /// Length of the context in tokens: prompt and answer together.
    pub context_tokens: u32,
    /// [`GeneratorSpec::digest_of`] at registration.
    pub digest: String,
}

impl GeneratorSpec {
    /// The identity of a generator, 64 hexadecimal digits: SHA-256 over everything that changes its answers. Name and
    /// place of the file are not part of it.
    pub fn digest_of(file_sha256: &str, template: &str, context_tokens: u32) -> String {
        let mut hash = Sha256::new();
        for field in ["socle generator 1", file_sha256, template, &context_tokens.to_string()] {
            // Length prefixes distinguish ("ab", "c") from ("a", "bc").
            hash.update((field.len() as u64).to_le_bytes());
            hash.update(field.as_bytes());
        }
        crate::model::hexadecimal(&hash.finalize())
    }
}

/// Properties stated by the caller of `register_generator`, which take precedence over the file.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct GeneratorOverrides {
    /// See [`GeneratorSpec::template`].
    pub template: Option<String>,
    /// See [`GeneratorSpec::context_tokens`].
    pub context_tokens: Option<u32>,
}

/// Where the name of the chat template of a generator comes from.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum TemplateSource {
    /// The template in the file was recognized as one of the built-in ones.
    File,
    /// The caller of `register_generator` stated it.
    Stated,
}

/// A generator as its file describes it.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct GeneratorInspection {
    /// The generator.
    pub spec: GeneratorSpec,
    /// Architecture of the model, as llama.cpp names it.
    pub architecture: String,
    /// Number of parameters of the model.
    pub parameter_count: u64,
    /// How the parameters are stored, as llama.cpp describes it.
    pub quantization: String,
    /// Longest context that the model was trained with, in tokens.
    pub trained_context_tokens: u32,
    /// Memory of the loaded model with a context for one session, in bytes.
    pub memory_bytes: u64,
    /// License that the file states.
    pub license: Option<String>,
    /// Where the template comes from.
    pub template_source: TemplateSource,
}

/// Who speaks a message.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum MessageRole {
    /// Instructions.
    System,
    /// The user.
    User,
    /// The model.
    Assistant,
}

/// A message of a conversation.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Message<'a> {
    /// Who speaks.
    pub role: MessageRole,
    /// The text. Marks of the chat template in it have no meaning.
    pub content: &'a str,
}

/// What an answer has to look like.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Constraint<'a> {
    /// Any text.
    None,
    /// One of these texts.
    #[serde(borrow)]
    Choices(Vec<&'a str>),
    /// A JSON value that this JSON Schema describes.
    JsonSchema(&'a str),
}

/// Why an answer ended.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Finish {
    /// The model ended it, or a stop text or the constraint did.
    Stop,
    /// It has the largest permitted number of tokens.
    Length,
}

sql_names!(TemplateSource, File => "file", Stated => "stated");
sql_names!(MessageRole, System => "system", User => "user", Assistant => "assistant");
sql_names!(Finish, Stop => "stop", Length => "length");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digest_sees_everything_that_changes_an_answer() {
        let mut digests = vec![
            GeneratorSpec::digest_of("aa", "chatml", 2048),
            GeneratorSpec::digest_of("ab", "chatml", 2048),
            GeneratorSpec::digest_of("aa", "llama3", 2048),
            GeneratorSpec::digest_of("aa", "chatml", 2049),
            GeneratorSpec::digest_of("aac", "hatml", 2048),
        ];
        assert!(digests.iter().all(|digest| digest.len() == 64));
        digests.sort();
        digests.dedup();
        assert_eq!(digests.len(), 5);
    }

    #[test]
    fn names_round_trip() {
        for name in Finish::NAMES {
            assert_eq!(Finish::parse(name).map(Finish::name), Some(*name));
        }
        for name in MessageRole::NAMES {
            assert_eq!(MessageRole::parse(name).map(MessageRole::name), Some(*name));
        }
        assert_eq!(MessageRole::parse("tool"), None);
    }
}
