//! The models in memory. A model is loaded at first use, and the least recently used idle one is evicted when the memory
//! limit is reached.
//!
//! A model is loaded from the bytes whose SHA-256 was verified. The stamps of its files are compared for each request, so
//! that a replaced or missing file is an error even while the model is in memory.

use super::configuration::MAX_JSON_BYTES;
use super::head::Head;
use super::inspect;
use super::loaded::Model;
use super::ocr::OcrModel;
use super::registered::{self, MAX_GRAPH_BYTES};
use super::resident::{AnyModel, ResidentModel};
use super::runtime::Runtime;
use super::session::Session;
use super::tokenizer::{MAX_TOKENIZER_BYTES, Tokenizer};
use ort::session::RunOptions;
use socle_child::directory::ModelRoot;
use socle_core::model::{Inspection, ModelOverrides, ModelSpec};
use socle_core::protocol::LoadedModel;
use socle_core::{Error, Kind, Result};
use std::cell::Cell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Longest wait of a load until other models are idle and can be evicted.
pub const EVICTION_TIMEOUT: Duration = Duration::from_secs(60);

/// Interval at which a wait checks whether the request was cancelled.
const CANCEL_INTERVAL: Duration = Duration::from_millis(100);

/// Whether the request for a model was cancelled. Called while the store is locked.
pub type Cancelled<'a> = &'a dyn Fn() -> bool;

/// The models in memory. Shared by all worker threads.
#[derive(Debug)]
pub struct ModelStore {
    directory: PathBuf,
    runtime: Arc<Runtime>,
    limit: u64,
    eviction_timeout: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    models: HashMap<String, ResidentModel>,
    /// Memory in bytes that models took when they were last loaded, by digest.
    known_bytes: HashMap<String, u64>,
    /// A load is in progress. There is one at a time, so that the memory of a model can be measured and no model is loaded
    /// twice.
    loading: bool,
}

impl ModelStore {
    /// An empty store for models below `directory` that take at most `limit` bytes together. `eviction_timeout` is usually
    /// [`EVICTION_TIMEOUT`].
    pub fn new(directory: PathBuf, runtime: Arc<Runtime>, limit: u64, eviction_timeout: Duration) -> Self {
        Self { directory, runtime, limit, eviction_timeout, state: Mutex::default(), changed: Condvar::new() }
    }

    /// The version of ONNX Runtime, once it is loaded.
    pub fn runtime_version(&self) -> Option<String> {
        self.runtime.version()
    }

    /// Options for a run, see [`Runtime::run_options`].
    ///
    /// # Errors
    /// As [`Runtime::environment`].
    pub fn run_options(&self) -> Result<Arc<RunOptions>> {
        self.runtime.run_options()
    }

    /// A model, loaded if necessary, whose files were checked for changes.
    ///
    /// # Errors
    /// `DamagedModelFile` or `MissingFile` when a file has changed since registration, `OutOfMemory` when it exceeds the
    /// memory limit or no other model becomes idle, `Cancelled`, and whatever loading raises.
    pub fn checked(&self, spec: &ModelSpec, cancelled: Cancelled<'_>) -> Result<ModelLease<'_>> {
        let root = ModelRoot::open(&self.directory)?;
        let now = registered::stat_all(&root, spec)?;
        let unchanged = |loaded: &ResidentModel| now.iter().all(|(path, seen)| loaded.verified.get(path) == Some(seen));
        self.get_or_load(spec, cancelled, unchanged)
    }

    /// A model, loaded if necessary.
    ///
    /// # Errors
    /// As [`Self::checked`].
    pub fn get(&self, spec: &ModelSpec, cancelled: Cancelled<'_>) -> Result<ModelLease<'_>> {
        self.get_or_load(spec, cancelled, |_| true)
    }

    /// A model from memory if `good` accepts it, or else from its files.
    fn get_or_load(
        &self,
        spec: &ModelSpec,
        cancelled: Cancelled<'_>,
        good: impl Fn(&ResidentModel) -> bool,
    ) -> Result<ModelLease<'_>> {
        let digest = spec.digest();
        let in_memory =
            |state: &State| Some(self.lease(spec, &digest, state.models.get(&digest).filter(|loaded| good(loaded))?));
        let _loading = match self.find_or_begin_load(cancelled, in_memory)? {
            LoadTurn::Found(used) => return Ok(used),
            LoadTurn::Load(loading) => loading,
        };
        let root = ModelRoot::open(&self.directory)?;
        if self.lock().models.contains_key(&digest) {
            // The files have another stamp or are in another directory. If their hashes are right, the model in memory is
            // the same.
            let seen = registered::read_all(&root, spec)?;
            let mut state = self.lock();
            if let Some(loaded) = state.models.get_mut(&digest) {
                loaded.verified.extend(seen);
                return Ok(self.lease(spec, &digest, loaded));
            }
        }
        let needed = self.lock().known_bytes.get(&digest).copied().unwrap_or_else(|| registered::graph_bytes(spec));
        self.make_room(&spec.name, needed, cancelled)?;
        let loaded = self.load(&root, spec)?;
        // Dropped before `_loading`, which locks the state itself.
        let mut state = self.lock();
        state.known_bytes.insert(digest.clone(), loaded.memory_bytes);
        if loaded.memory_bytes > self.limit {
            return Err(self.out_of_memory(&spec.name, loaded.memory_bytes, "It alone exceeds the limit."));
        }
        while total_bytes(&state) + loaded.memory_bytes > self.limit && evict(&mut state) {}
        let used = self.lease(spec, &digest, &loaded);
        state.models.insert(digest, loaded);
        Ok(used)
    }

    fn lease(&self, spec: &ModelSpec, digest: &str, loaded: &ResidentModel) -> ModelLease<'_> {
        loaded.used_at.store(socle_child::seconds_since_1970().to_bits(), Relaxed);
        ModelLease { store: self, digest: digest.to_string(), model: Some(loaded.model.registered_as(spec)) }
    }

    /// Inspects a model that is to be registered, and keeps it in memory. `options` are those of the trial runs.
    ///
    /// # Errors
    /// As [`inspect::inspect_with`]; `OutOfMemory` and `Cancelled` as [`Self::checked`].
    pub fn inspect(
        &self,
        name: &str,
        directory: &str,
        overrides: &ModelOverrides,
        options: &RunOptions,
        cancelled: Cancelled<'_>,
    ) -> Result<Inspection> {
        let root = ModelRoot::open(&self.directory)?;
        // A model in memory does not help: this one has to be inspected in any case.
        let LoadTurn::Load(_loading) = self.find_or_begin_load(cancelled, |_| None::<Infallible>)?;
        let before = Cell::new(0);
        let make_room = |graph_bytes: u64| {
            self.make_room(name, graph_bytes, cancelled)?;
            // The bytes of the graph are in memory now and will be released.
            before.set(resident_bytes_after_trim().saturating_sub(graph_bytes));
            Ok(())
        };
        let conditions = inspect::TrialConditions { options, make_room: &make_room };
        let (inspection, mut loaded) =
            inspect::inspect_with(&conditions, &root, &self.runtime, name, directory, overrides)?;
        if cancelled() {
            // The trial runs may have been terminated, so that their results say nothing about the model.
            return Err(load_cancelled());
        }
        loaded.memory_bytes = memory_of(&inspection.model, before.get());
        let mut state = self.lock();
        // Not kept if it needed another eviction, because it is not in use yet.
        if total_bytes(&state) + loaded.memory_bytes <= self.limit {
            state.models.entry(inspection.model.digest()).or_insert(loaded);
        }
        Ok(inspection)
    }

    /// The models in memory, most recently used first.
    pub fn report(&self) -> Vec<LoadedModel> {
        let state = self.lock();
        let mut models: Vec<LoadedModel> = state
            .models
            .iter()
            .map(|(digest, loaded)| LoadedModel {
                digest: digest.clone(),
                memory_bytes: loaded.memory_bytes,
                loaded_at: loaded.loaded_at,
                used_at: f64::from_bits(loaded.used_at.load(Relaxed)),
                text_count: loaded.text_count.load(Relaxed),
            })
            .collect();
        models.sort_by(|a, b| b.used_at.total_cmp(&a.used_at));
        models
    }

    /// Waits until `found` returns something or no load is in progress; begins a load in the latter case.
    fn find_or_begin_load<T>(
        &self,
        cancelled: Cancelled<'_>,
        found: impl Fn(&State) -> Option<T>,
    ) -> Result<LoadTurn<'_, T>> {
        let mut state = self.lock();
        loop {
            if let Some(found) = found(&state) {
                return Ok(LoadTurn::Found(found));
            }
            if !state.loading {
                state.loading = true;
                return Ok(LoadTurn::Load(LoadGuard { store: self }));
            }
            state = self.wait(state, cancelled)?;
        }
    }

    /// Evicts idle models until `needed` bytes are free.
    fn make_room(&self, name: &str, needed: u64, cancelled: Cancelled<'_>) -> Result<()> {
        if needed > self.limit {
            return Err(self.out_of_memory(name, needed, "It alone exceeds the limit."));
        }
        // One deadline for all evictions, because every other load waits for this one.
        let deadline = Instant::now() + self.eviction_timeout;
        let mut state = self.lock();
        while total_bytes(&state) + needed > self.limit {
            if evict(&mut state) {
                continue;
            }
            if Instant::now() >= deadline {
                return Err(self.out_of_memory(name, needed, "The models in memory are all in use."));
            }
            state = self.wait(state, cancelled)?;
        }
        Ok(())
    }

    /// Waits for a change of the state, for at most [`CANCEL_INTERVAL`].
    fn wait<'a>(&self, state: MutexGuard<'a, State>, cancelled: Cancelled<'_>) -> Result<MutexGuard<'a, State>> {
        if cancelled() {
            return Err(load_cancelled());
        }
        Ok(self.changed.wait_timeout(state, CANCEL_INTERVAL).unwrap_or_else(PoisonError::into_inner).0)
    }

    fn out_of_memory(&self, name: &str, needed: u64, why: &str) -> Error {
        let (needed, limit) = (needed.div_ceil(1 << 20), self.limit >> 20);
        Error::new(Kind::OutOfMemory, format!("no room for model \"{name}\" in the memory of the engine"))
            .detail(format!("It needs {needed} MB, socle.engine_memory_limit is {limit} MB. {why}"))
            .hint("Raise socle.engine_memory_limit.")
    }

    fn load(&self, root: &ModelRoot, spec: &ModelSpec) -> Result<ResidentModel> {
        let before = resident_bytes_after_trim();
        let mut loaded = if spec.ocr.is_some() {
            let (model, files) = OcrModel::load(&self.runtime, root, spec)?;
            ResidentModel::new(AnyModel::Ocr(model), files)
        } else {
            self.load_text(root, spec)?
        };
        loaded.memory_bytes = memory_of(spec, before);
        Ok(loaded)
    }

    fn load_text(&self, root: &ModelRoot, spec: &ModelSpec) -> Result<ResidentModel> {
        let mut files = Vec::new();
        for file in &spec.configuration {
            let read = registered::read(root, spec, file, MAX_JSON_BYTES)?;
            files.push((read.file, read.stamp));
        }
        let graph = registered::read(root, spec, &spec.graph, MAX_GRAPH_BYTES)?;
        let tokenizer = registered::read(root, spec, &spec.tokenizer, MAX_TOKENIZER_BYTES)?;
        let (head, weights) = Head::load(root, spec)?;
        let session = Session::load(&self.runtime, &graph.bytes)?;
        let model = Model::new(spec.clone(), Tokenizer::load(&tokenizer.bytes)?, session, head)?;
        files.extend(weights.into_iter().map(|read| (read.file, read.stamp)));
        files.extend([graph, tokenizer].map(|read| (read.file, read.stamp)));
        Ok(ResidentModel::new(AnyModel::Text(model), files))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The result of [`ModelStore::find_or_begin_load`].
enum LoadTurn<'a, T> {
    Found(T),
    Load(LoadGuard<'a>),
}

/// A load in progress, which ends when this is dropped.
struct LoadGuard<'a> {
    store: &'a ModelStore,
}

impl Drop for LoadGuard<'_> {
    fn drop(&mut self) {
        self.store.lock().loading = false;
        self.store.changed.notify_all();
    }
}

/// A model in use, which is not evicted before this is dropped.
#[derive(Debug)]
pub struct ModelLease<'a> {
    store: &'a ModelStore,
    digest: String,
    /// `None` only while it is dropped.
    model: Option<AnyModel>,
}

impl ModelLease<'_> {
    /// The model, which takes texts.
    ///
    /// # Errors
    /// `WrongModelKind`; `Bug`, which cannot happen: the alternative would be a panic.
    pub fn model(&self) -> Result<&Model> {
        self.any()?.text()
    }

    /// The model, which takes pictures.
    ///
    /// # Errors
    /// As [`Self::model`].
    pub fn ocr(&self) -> Result<&OcrModel> {
        self.any()?.ocr()
    }

    fn any(&self) -> Result<&AnyModel> {
        self.model.as_ref().ok_or_else(|| Error::new(Kind::Bug, "a model was released while in use"))
    }

    /// Counts texts that were run.
    pub fn count_texts(&self, texts: usize) {
        if let Some(loaded) = self.store.lock().models.get(&self.digest) {
            loaded.text_count.fetch_add(texts as u64, Relaxed);
        }
    }
}

impl Drop for ModelLease<'_> {
    fn drop(&mut self) {
        // Under the lock, because a load that has just found the model busy would miss the notification.
        let _state = self.store.lock();
        self.model = None;
        self.store.changed.notify_all();
    }
}

fn load_cancelled() -> Error {
    Error::new(Kind::Cancelled, "loading a model was cancelled")
}

/// Evicts the least recently used idle model. False when there is none.
fn evict(state: &mut State) -> bool {
    let used = |loaded: &ResidentModel| f64::from_bits(loaded.used_at.load(Relaxed));
    let idle = state.models.iter().filter(|(_, loaded)| loaded.model.is_idle());
    let oldest = idle.min_by(|(_, a), (_, b)| used(a).total_cmp(&used(b))).map(|(digest, _)| digest.clone());
    oldest.is_some_and(|digest| state.models.remove(&digest).is_some())
}

fn total_bytes(state: &State) -> u64 {
    state.models.values().map(|loaded| loaded.memory_bytes).sum()
}

/// The memory of a model in bytes: the growth of the process, limited to once to four times the size of its files, because
/// other threads allocate memory at the same time.
fn memory_of(spec: &ModelSpec, before: u64) -> u64 {
    let size = registered::all_bytes(spec);
    resident_bytes_after_trim().saturating_sub(before).clamp(size, 4 * size)
}

fn resident_bytes_after_trim() -> u64 {
    socle_child::process::release_memory();
    socle_child::resident_bytes()
}
