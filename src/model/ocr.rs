//! Which model reads pictures, and which pictures a session has it read.

use super::{find, registered, require, require_use};
use crate::pg::gucs;
use socle_core::document::{Ocr, OcrMode};
use socle_core::model::{ModelKind, ModelSpec};
use socle_core::{Error, Kind, Result};

/// The model of `socle.ocr_model`, which reads the pictures of a corpus that names none; `None` when the setting is empty.
///
/// # Errors
/// `NotPermitted` where the role may not use it; those of [`find`]; `WrongModelKind`.
pub fn ocr_model() -> Result<Option<ModelSpec>> {
    let Some(name) = gucs::ocr_model() else { return Ok(None) };
    let (model, is_public) = registered(&name)?;
    let model = require(model, ModelKind::Ocr)?;
    match refusal(&name, is_public, "socle.ocr_model names it, to recognize the pictures of the corpus.")? {
        Some(refusal) => Err(refusal),
        None => Ok(Some(model)),
    }
}

/// The model of a name, which reads pictures.
///
/// # Errors
/// Those of [`find`]; `WrongModelKind`.
pub fn ocr_model_named(name: &str) -> Result<ModelSpec> {
    require(find(name)?, ModelKind::Ocr)
}

/// The value of an argument `ocr`; `None` if it is NULL.
///
/// # Errors
/// `InvalidArgument`.
pub fn ocr_mode(name: Option<String>) -> Result<Option<OcrMode>> {
    let Some(name) = name else { return Ok(None) };
    let mode = OcrMode::parse(&name).ok_or_else(|| {
        Error::new(Kind::InvalidArgument, format!("ocr must not be \"{name}\""))
            .hint(format!("Use one of {}.", OcrMode::NAMES.join(", ")))
    });
    mode.map(Some)
}

/// The error for pictures that are to be recognised without a model.
pub fn no_ocr_model() -> Error {
    Error::new(Kind::InvalidArgument, "no model recognizes pictures")
        .hint("Register a model of kind ocr with socle.register_model(), and set socle.ocr_model to its name.")
}

/// How a session has the pictures of a file recognised: `mode`, or `auto`, by the model of `socle.ocr_model`. A role that may
/// not use that model can read the files of which no picture needs it.
///
/// # Errors
/// `UnknownModel`; `WrongModelKind`; [`no_ocr_model`] for pictures that are all to be recognised.
pub fn session_ocr(mode: Option<OcrMode>) -> Result<Option<Ocr>> {
    if mode == Some(OcrMode::Off) {
        return Ok(None);
    }
    match gucs::ocr_model() {
        Some(name) => {
            let (model, is_public) = registered(&name)?;
            let model = require(model, ModelKind::Ocr)?;
            let refusal = refusal(&name, is_public, "A picture of the document is to be recognized by it.")?;
            Ok(Some(Ocr { mode: mode.unwrap_or_default(), model, refusal }))
        }
        None if mode == Some(OcrMode::Always) => Err(no_ocr_model()),
        None => Ok(None),
    }
}

/// The error for a model that the role may not use, with the reason why it would be used; `None` if it may.
fn refusal(model: &str, is_public: bool, reason: &str) -> Result<Option<Error>> {
    if is_public {
        return Ok(None);
    }
    match require_use(model) {
        Err(error) if error.kind == Kind::NotPermitted => Ok(Some(error.hint(format!(
            "{reason} Pass ocr => 'off' to leave pictures out, or ask whoever registers models to grant its use with \
             socle.grant_model()."
        )))),
        other => other.map(|()| None),
    }
}
