//! A loaded model that reads pictures: three graphs and a list of characters.
//!
//! Each run takes one picture or one line and one thread. Batches of lines were measured to be slower: a line of 1,000
//! pixels takes 51 ms alone and 76 ms in a batch of four, because the activations of one fit into the caches. So the result of
//! a line depends on nothing else.

use super::registered::{self, MAX_GRAPH_BYTES};
use super::runtime::Runtime;
use super::session::PictureSession;
use super::tokenizer::MAX_TOKENIZER_BYTES;
use ort::session::RunOptions;
use socle_child::directory::{ModelRoot, ReadFile, Stamp};
use socle_core::model::{ModelFile, ModelSpec};
use socle_core::{Error, Kind, Result};
use socle_ocr::{Characters, Graphs, Tensor};
use std::sync::Arc;

/// Name under which the graph that reads lines has its characters, in PP-OCR.
const CHARACTERS_KEY: &str = "character";

/// A loaded model under one of its registrations.
#[derive(Debug)]
pub struct OcrModel {
    /// Its registration.
    pub spec: ModelSpec,
    parts: Arc<OcrParts>,
}

/// What all registrations of one digest share.
#[derive(Debug)]
pub struct OcrParts {
    detection: PictureSession,
    direction: Option<PictureSession>,
    recognition: PictureSession,
    characters: Characters,
}

/// The contents of the files of a model.
pub struct OcrFiles {
    /// The graph that finds lines.
    pub detection: ReadFile,
    /// The graph that tells lines that stand on their heads.
    pub direction: Option<ReadFile>,
    /// The graph that reads lines.
    pub recognition: ReadFile,
    /// The list of characters, if it is a file of its own.
    pub characters: Option<ReadFile>,
}

impl OcrFiles {
    /// The files and their stamps.
    pub fn stamps(&self) -> Vec<(ModelFile, Stamp)> {
        let own = [Some(&self.recognition), self.characters.as_ref(), Some(&self.detection), self.direction.as_ref()];
        own.into_iter().flatten().map(|read| (read.file.clone(), read.stamp)).collect()
    }
}

impl OcrParts {
    /// Loads the graphs.
    ///
    /// # Errors
    /// Those of [`PictureSession::load`]; `DamagedModelFile` without a list of characters.
    pub fn load(runtime: &Runtime, files: &OcrFiles) -> Result<Self> {
        let recognition = PictureSession::load(runtime, &files.recognition.bytes)?;
        let list = match &files.characters {
            Some(file) => String::from_utf8(file.bytes.clone()).map_err(|error| {
                Error::new(Kind::DamagedModelFile, format!("model file \"{}\" is not UTF-8", file.file.path))
                    .detail(error.to_string())
            })?,
            None => recognition.metadata(CHARACTERS_KEY).ok_or_else(|| {
                Error::new(Kind::DamagedModelFile, "the model has no list of characters")
                    .detail(format!("The metadata of the graph that reads lines has no \"{CHARACTERS_KEY}\"."))
                    .hint("Put the list beside it as characters.txt, one character a line.")
            })?,
        };
        let direction = files.direction.as_ref().map(|file| PictureSession::load(runtime, &file.bytes)).transpose()?;
        let detection = PictureSession::load(runtime, &files.detection.bytes)?;
        Ok(Self { detection, direction, recognition, characters: Characters::new(&list)? })
    }

    /// The characters that the model can write.
    pub fn characters(&self) -> &Characters {
        &self.characters
    }

    /// Its graphs, whose runs can be terminated by these options.
    pub fn graphs<'a>(&'a self, options: &'a RunOptions) -> Running<'a> {
        Running { parts: self, options }
    }
}

impl OcrModel {
    /// A model of these parts.
    pub fn new(spec: ModelSpec, parts: OcrParts) -> Self {
        Self { spec, parts: Arc::new(parts) }
    }

    /// Loads a registered model, and returns its files.
    ///
    /// # Errors
    /// Those of [`registered::read`] and [`OcrParts::load`].
    pub fn load(runtime: &Runtime, root: &ModelRoot, spec: &ModelSpec) -> Result<(Self, Vec<(ModelFile, Stamp)>)> {
        let graphs = spec.ocr.as_ref().ok_or_else(|| Error::new(Kind::Bug, "a model has no graphs for pictures"))?;
        let graph = |file: &ModelFile| registered::read(root, spec, file, MAX_GRAPH_BYTES);
        let own = (spec.tokenizer.path != spec.graph.path).then_some(&spec.tokenizer);
        let files = OcrFiles {
            detection: graph(&graphs.detection)?,
            direction: graphs.direction.as_ref().map(graph).transpose()?,
            recognition: graph(&spec.graph)?,
            characters: own.map(|file| registered::read(root, spec, file, MAX_TOKENIZER_BYTES)).transpose()?,
        };
        Ok((Self::new(spec.clone(), OcrParts::load(runtime, &files)?), files.stamps()))
    }

    /// The same model for another registration of the same digest, whose name errors will show.
    pub fn registered_as(&self, spec: &ModelSpec) -> Self {
        Self { spec: spec.clone(), parts: self.parts.clone() }
    }

    /// Whether there is no other [`OcrModel`] that shares its memory.
    pub fn is_idle(&self) -> bool {
        Arc::strong_count(&self.parts) == 1
    }

    /// Its graphs and characters.
    pub fn parts(&self) -> &OcrParts {
        &self.parts
    }
}

/// The graphs of a model, with the options of their runs.
pub struct Running<'a> {
    parts: &'a OcrParts,
    options: &'a RunOptions,
}

impl Graphs for Running<'_> {
    fn detect(&self, picture: Tensor) -> Result<Tensor> {
        self.parts.detection.run(picture, self.options)
    }

    fn direction(&self, piece: Tensor) -> Result<Option<Tensor>> {
        self.parts.direction.as_ref().map(|graph| graph.run(piece, self.options)).transpose()
    }

    fn recognize(&self, line: Tensor) -> Result<Tensor> {
        self.parts.recognition.run(line, self.options)
    }
}
