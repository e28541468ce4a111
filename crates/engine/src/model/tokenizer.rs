//! The tokenizer of a model, without truncation and padding, and without special tokens in the text of users.
//!
//! A `tokenizer.json` is untrusted input on which the library may panic, so that panics are caught at every call.

use socle_core::{Error, Kind, Result};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Largest `tokenizer.json` in bytes. That of XLM-R has 17 MB.
pub const MAX_TOKENIZER_BYTES: u64 = 64 << 20;

/// A loaded tokenizer.
pub struct Tokenizer {
    inner: tokenizers::Tokenizer,
    /// Largest token id.
    pub max_id: u32,
    /// Token id of padding, if the file states it.
    pub pad_id: Option<u32>,
}

/// A text, or a pair of texts, as token ids.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tokens {
    /// Token ids, special tokens included.
    pub ids: Vec<u32>,
    /// 0 for the first text of a pair, 1 for the second.
    pub type_ids: Vec<u32>,
    /// Number of tokens at the beginning that are not pooled, because they are those of a prefix.
    pub skipped: usize,
    /// Number of tokens at the end that the others do not attend to.
    pub unattended: usize,
}

impl Tokens {
    /// Number of tokens, special tokens included.
    pub fn len(&self) -> usize {
        self.ids.len()
    }

    /// Whether there is no token.
    pub fn is_empty(&self) -> bool {
        self.ids.is_empty()
    }
}

impl std::fmt::Debug for Tokenizer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokenizer").field("max_id", &self.max_id).finish_non_exhaustive()
    }
}

impl Tokenizer {
    /// Loads a `tokenizer.json`.
    ///
    /// # Errors
    /// `DamagedModelFile` when the library fails or panics.
    pub fn load(bytes: &[u8]) -> Result<Self> {
        let damaged = |why: String| Error::new(Kind::DamagedModelFile, "the tokenizer file is damaged").detail(why);
        let mut inner = catch_panic(|| tokenizers::Tokenizer::from_bytes(bytes)).map_err(damaged)?;
        let pad_id = inner.get_padding().map(|padding| padding.pad_id);
        inner.with_padding(None);
        catch_panic(|| inner.with_truncation(None).map(drop)).map_err(damaged)?;
        // "[SEP]" in a text is a word of the text and must not become the special token.
        inner.set_encode_special_tokens(true);
        let max_id = inner.get_vocab(true).into_values().max().unwrap_or_default();
        Ok(Self { inner, max_id, pad_id })
    }

    /// The tokens of one text, special tokens included.
    ///
    /// # Errors
    /// `InferenceFailed` when the library fails or panics.
    pub fn encode(&self, text: &str) -> Result<Tokens> {
        self.tokens(|tokenizer| tokenizer.encode_fast(text, true))
    }

    /// The tokens of a query and a document, special tokens included.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn encode_pair(&self, query: &str, document: &str) -> Result<Tokens> {
        self.tokens(|tokenizer| tokenizer.encode_fast((query, document), true))
    }

    /// The id of a token; `None` if there is no such token.
    pub fn id(&self, token: &str) -> Option<u32> {
        self.inner.token_to_id(token)
    }

    /// The number of special tokens before and after a text.
    ///
    /// # Errors
    /// As [`Self::encode`].
    pub fn frame(&self) -> Result<(usize, usize)> {
        let encoding = catch_panic(|| self.inner.encode("a", true)).map_err(failed)?;
        let mask = encoding.get_special_tokens_mask();
        let before = mask.iter().take_while(|special| **special == 1).count();
        let after = mask.iter().rev().take_while(|special| **special == 1).count();
        Ok((before, after))
    }

    fn tokens(
        &self,
        encode: impl FnOnce(&tokenizers::Tokenizer) -> tokenizers::Result<tokenizers::Encoding>,
    ) -> Result<Tokens> {
        let encoding = catch_panic(|| encode(&self.inner)).map_err(failed)?;
        Ok(Tokens { ids: encoding.get_ids().to_vec(), type_ids: encoding.get_type_ids().to_vec(), ..Tokens::default() })
    }
}

fn failed(why: String) -> Error {
    Error::new(Kind::InferenceFailed, "the tokenizer of the model failed on this text").detail(why)
}

/// Calls the library. An error or a panic becomes its message.
fn catch_panic<T>(work: impl FnOnce() -> tokenizers::Result<T>) -> Result<T, String> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(result) => result.map_err(|error| error.to_string()),
        Err(panic) => Err(socle_child::panic_message(panic.as_ref())),
    }
}
