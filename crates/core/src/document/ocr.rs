//! Whether and by which model the pictures of a document are read.

use crate::Error;
use crate::model::{ModelSpec, sql_names};
use serde::{Deserialize, Serialize};

/// Which pages of a document are recognised.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub enum OcrMode {
    /// None.
    Off,
    /// Those that have no text, or text that is none.
    #[default]
    Auto,
    /// All that have a picture.
    Always,
}

sql_names!(OcrMode, Off => "off", Auto => "auto", Always => "always");

/// The recognition of pictures that a request for a document asks for.
#[derive(Clone, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub struct Ocr {
    /// Which pages.
    pub mode: OcrMode,
    /// A model of kind `ocr`.
    pub model: ModelSpec,
    /// Why the caller may not have it recognise anything: the error of a document of which a picture is to be recognised.
    pub refusal: Option<Error>,
}
