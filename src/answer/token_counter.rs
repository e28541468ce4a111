//! What counts the tokens of a context: a model, or the generator that is going to read it.

use super::options;
use crate::language_model::LanguageModel;
use crate::{generator_client, model};
use socle_core::endpoint::estimated_tokens;
use socle_core::generator::{GeneratorSpec, Message, MessageRole};
use socle_core::model::ModelSpec;
use socle_core::{Kind, Result};

/// A text of one token, in every model.
const ONE_TOKEN: &str = "a";

/// What counts the tokens of a text.
#[derive(Clone, Debug)]
pub enum TokenCounter {
    /// A model.
    Model(Box<ModelSpec>),
    /// A generator. The tokens of its chat template, which a context has once, are not counted.
    Generator(GeneratorSpec, usize),
    /// An estimate, for an endpoint.
    Estimate,
}

impl TokenCounter {
    /// The model, or else the generator, of this name.
    ///
    /// # Errors
    /// `UnknownModel`; those of the generator.
    pub fn find(name: &str) -> Result<Self> {
        match model::find(name) {
            Ok(model) => Ok(Self::Model(Box::new(model))),
            Err(error) if error.kind == Kind::UnknownModel && generator_client::is_registered(name)? => {
                Self::of_generator(generator_client::find(Some(name.to_string()))?)
            }
            Err(error) => Err(error),
        }
    }

    /// The tokens of a generator.
    ///
    /// # Errors
    /// Those of the generator.
    pub fn of_generator(generator: GeneratorSpec) -> Result<Self> {
        let of_template = count(&generator, ONE_TOKEN)?.saturating_sub(1);
        Ok(Self::Generator(generator, of_template))
    }

    /// The tokens of what is going to read the context.
    ///
    /// # Errors
    /// Those of the generator.
    pub fn of_language_model(model: &LanguageModel) -> Result<Self> {
        match model {
            LanguageModel::Generator(generator) => Self::of_generator(generator.clone()),
            LanguageModel::Endpoint(_) => Ok(Self::Estimate),
        }
    }

    /// Number of tokens of a text.
    ///
    /// # Errors
    /// Those of the engine or the generator.
    pub fn count(&self, content: &str) -> Result<usize> {
        match self {
            Self::Model(model) => options::tokens(ModelSpec::clone(model), content),
            Self::Estimate => Ok(estimated_tokens(content.len(), 0)),
            Self::Generator(generator, of_template) => Ok(count(generator, content)?.saturating_sub(*of_template)),
        }
    }
}

fn count(generator: &GeneratorSpec, content: &str) -> Result<usize> {
    let message = Message { role: MessageRole::User, content };
    generator_client::count_tokens(generator, &[message]).map(|count| count as usize)
}
