//! What writes a text: a generator on this machine, or an endpoint. The same for both, so that functions need not know which
//! it is; but an endpoint is told which corpora a text concerns, and each of these has to allow it.

use crate::egress_client;
use crate::generator_client::{self, Generated, Options};
use crate::pg::{gucs, relation, snapshot};
use socle_core::endpoint::{CorpusPolicy, EndpointSpec, estimated_tokens};
use socle_core::generator::{Constraint, GeneratorSpec, Message};
use socle_core::{Error, Kind, Result};

/// What writes a text.
#[derive(Clone, Debug)]
pub enum LanguageModel {
    /// A model on this machine.
    Generator(GeneratorSpec),
    /// A server that a superuser has registered, and that the caller may use.
    Endpoint(EndpointSpec),
}

/// The generator or the endpoint of a name, or the default one.
///
/// # Errors
/// Those of [`generator_client::find`]; `NotPermitted` for an endpoint that the caller may not use.
pub fn find(name: Option<String>) -> Result<LanguageModel> {
    let name = name.or_else(gucs::default_generator);
    // One on this machine comes first, should both have the name after all: nothing leaves by mistake.
    if let Some(name) = &name
        && !generator_client::is_registered(name)?
        && let Some(endpoint) = egress_client::find(name)?
    {
        return Ok(LanguageModel::Endpoint(endpoint));
    }
    generator_client::find(name).map(LanguageModel::Generator)
}

/// The error for a name that a generator or an endpoint has by now, if one has. Whoever registers another one meanwhile is
/// waited for, or waits until the transaction ends.
///
/// # Errors
/// Those of SPI.
pub fn name_taken(name: &str) -> Result<Option<Error>> {
    relation::lock_against_inserts(relation::find_and_lock("socle", "endpoint"));
    let is_generator = snapshot::in_latest_snapshot_to_read(|| generator_client::is_registered(name))?;
    let (what, drop) = if is_generator {
        ("generator", "socle.drop_generator()")
    } else if egress_client::row(name)?.is_some() {
        ("endpoint", "socle.drop_endpoint()")
    } else {
        return Ok(None);
    };
    Ok(Some(
        Error::new(Kind::AlreadyExists, format!("{what} \"{name}\" already exists"))
            .hint(format!("Choose another name, or drop it first with {drop}.")),
    ))
}

impl LanguageModel {
    /// The name that it was registered with, which is unique among generators and endpoints.
    pub fn name(&self) -> &str {
        match self {
            Self::Generator(generator) => &generator.name,
            Self::Endpoint(endpoint) => &endpoint.name,
        }
    }

    /// The identity of what it writes, as far as it can be known.
    pub fn digest(&self) -> String {
        match self {
            Self::Generator(generator) => generator.digest.clone(),
            Self::Endpoint(endpoint) => endpoint.digest(),
        }
    }

    /// Most tokens of prompt and text together.
    pub fn context_tokens(&self) -> u32 {
        match self {
            Self::Generator(generator) => generator.context_tokens,
            Self::Endpoint(endpoint) => endpoint.context_tokens,
        }
    }

    /// The number of tokens of a conversation; of an endpoint, an estimate that is rather too high, because nothing is sent
    /// to it for a count.
    ///
    /// # Errors
    /// Those of the generator.
    pub fn count_tokens(&self, messages: &[Message<'_>]) -> Result<u32> {
        match self {
            Self::Generator(generator) => generator_client::count_tokens(generator, messages),
            Self::Endpoint(_) => {
                let bytes = messages.iter().map(|message| message.content.len()).sum();
                Ok(u32::try_from(estimated_tokens(bytes, messages.len())).unwrap_or(u32::MAX))
            }
        }
    }

    /// Writes the next message of a conversation, which has questions to these corpora or passages of them.
    ///
    /// # Errors
    /// Those of [`Generation`].
    pub fn generate(
        &self,
        corpora: &[CorpusPolicy],
        messages: &[Message<'_>],
        options: &Options<'_>,
    ) -> Result<Generated> {
        if let Self::Generator(generator) = self {
            return generator_client::generate(generator, messages, options, &mut |_| Ok(()));
        }
        let mut generation = Generation::start(self, corpora, messages, options)?;
        let mut text = String::new();
        while let Some(piece) = generation.next_text()? {
            text.push_str(&piece);
        }
        generation.generated(text)
    }
}

/// A text that is being written. Dropping it stops whoever writes it.
#[derive(Debug)]
pub enum Generation {
    /// By a generator.
    OfGenerator(generator_client::Generation),
    /// By an endpoint.
    OfEndpoint(egress_client::Generation),
}

impl Generation {
    /// Has it begun.
    ///
    /// # Errors
    /// `NotPermitted` where a corpus does not allow the endpoint; `NotSupported` for choices and schemas of an endpoint;
    /// those of the generator or of the egress process.
    pub fn start(
        model: &LanguageModel,
        corpora: &[CorpusPolicy],
        messages: &[Message<'_>],
        options: &Options<'_>,
    ) -> Result<Self> {
        let endpoint = match model {
            LanguageModel::Generator(generator) => {
                return generator_client::Generation::start(generator, messages, options).map(Self::OfGenerator);
            }
            LanguageModel::Endpoint(endpoint) => endpoint,
        };
        if options.constraint != Constraint::None {
            return Err(Error::new(Kind::NotSupported, "an endpoint cannot be held to choices or a JSON schema")
                .detail("Only a generator on this machine chooses tokens under a condition.")
                .hint("Use a generator, or ask for the form in the prompt and check the text."));
        }
        let needed = u64::from(model.count_tokens(messages)?) + u64::from(options.max_tokens);
        if needed > u64::from(endpoint.context_tokens) {
            return Err(Error::new(
                Kind::InputTooLong,
                format!("the conversation is too long for endpoint \"{}\"", endpoint.name),
            )
            .detail(format!(
                "With its answer it has {needed} tokens by estimate, the endpoint was registered with {}.",
                endpoint.context_tokens
            ))
            .hint("Shorten the conversation, lower max_tokens, or register the endpoint with more context_tokens."));
        }
        let how = (options.max_tokens, options.temperature, options.seed);
        egress_client::Generation::start(endpoint, corpora, messages, how, &options.stop).map(Self::OfEndpoint)
    }

    /// Waits for a further piece of the text; `None` when it is complete.
    ///
    /// # Errors
    /// Those of the generator, or of the endpoint and the connection to it.
    pub fn next_text(&mut self) -> Result<Option<String>> {
        match self {
            Self::OfGenerator(generation) => generation.next_text(),
            Self::OfEndpoint(generation) => generation.next_text(),
        }
    }

    /// What is known of the text once [`Self::next_text`] has returned `None`, with the text itself.
    ///
    /// # Errors
    /// `Bug` before that.
    pub fn generated(&self, text: String) -> Result<Generated> {
        match self {
            Self::OfGenerator(generation) => generation.generated(text),
            Self::OfEndpoint(generation) => {
                let (prompt_tokens, answer_tokens, finish) = generation.outcome()?;
                Ok(Generated { text, prompt_tokens, answer_tokens, finish })
            }
        }
    }
}
