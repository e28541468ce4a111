//! The models in memory: each once, loaded at first use, the least recently used one dropped when memory runs short.
//!
//! A model is loaded from the very bytes whose SHA-256 was registered. While it is loaded, its files are still looked
//! at (not read) for each request, so that a replaced or missing file is an error whether or not the model happened to
//! be in memory.

use super::directory::{ModelRoot, Stamp};
use super::head::Head;
use super::inspect;
use super::layout::MAX_JSON_BYTES;
use super::loaded::Model;
use super::registered::{self, MAX_GRAPH_BYTES, Seen};
use super::runtime::Runtime;
use super::session::Session;
use super::tokenizer::{MAX_TOKENIZER_BYTES, Tokenizer};
use ort::session::RunOptions;
use socle_core::model::{Inspection, Layer, ModelFile, ModelOverrides, ModelSpec};
use socle_core::protocol::LoadedModel;
use socle_core::{Error, Kind, Result};
use std::cell::Cell;
use std::collections::HashMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a load waits for other models to become idle before it gives up.
pub const EVICTION_PATIENCE: Duration = Duration::from_secs(60);

/// Time between two looks at whether anybody still waits for a model.
const CANCEL_INTERVAL: Duration = Duration::from_millis(100);

/// Tells that nobody waits for a model any more. Called with the store locked.
pub type Cancelled<'a> = &'a dyn Fn() -> bool;

/// A model in memory with its bookkeeping.
#[derive(Debug)]
pub struct Loaded {
    model: Model,
    /// The files that were found to hold it. One model may lie in several directories, registered in several databases.
    seen: HashMap<PathBuf, Seen>,
    memory_bytes: u64,
    loaded_at: f64,
    used_at: AtomicU64,
    text_count: AtomicU64,
}

impl Loaded {
    /// A model that has just been loaded from these files; its memory is set by the store.
    pub fn new(model: Model, files: impl IntoIterator<Item = (ModelFile, Stamp)>) -> Self {
        let now = crate::seconds_since_1970();
        let seen = files.into_iter().map(|(file, stamp)| Seen::new(&model.spec.directory, &file, stamp)).collect();
        Self {
            model,
            seen,
            memory_bytes: 0,
            loaded_at: now,
            used_at: AtomicU64::new(now.to_bits()),
            text_count: AtomicU64::new(0),
        }
    }
}

impl Loaded {
    /// The model alone.
    pub fn into_model(self) -> Arc<Model> {
        Arc::new(self.model)
    }
}

/// All loaded models.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    runtime: Arc<Runtime>,
    limit: u64,
    patience: Duration,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    models: HashMap<String, Loaded>,
    /// What models took when they were last loaded, by digest.
    known_bytes: HashMap<String, u64>,
    /// One load at a time: it makes the measurement of memory mean something, and two copies of one model impossible.
    loading: bool,
}

impl Store {
    /// An empty store for models below `directory` that together take at most `limit` bytes. A load waits no longer
    /// than `patience` for room, usually [`EVICTION_PATIENCE`].
    pub fn new(directory: PathBuf, runtime: Arc<Runtime>, limit: u64, patience: Duration) -> Self {
        Self { directory, runtime, limit, patience, state: Mutex::default(), changed: Condvar::new() }
    }

    /// The version of ONNX Runtime, once it is loaded.
    pub fn runtime_version(&self) -> Option<String> {
        self.runtime.version()
    }

    /// See [`Runtime::run_options`].
    ///
    /// # Errors
    /// As [`Runtime::environment`].
    pub fn run_options(&self) -> Result<Arc<RunOptions>> {
        self.runtime.run_options()
    }

    /// The model, loaded if need be, its files checked.
    ///
    /// # Errors
    /// `DamagedModelFile` or `MissingFile` when a file is not what was registered, `OutOfMemory` when the limit leaves
    /// no room for it, `Cancelled` while it waits, and whatever loading raises.
    pub fn checked(&self, spec: &ModelSpec, cancelled: Cancelled<'_>) -> Result<ModelUse<'_>> {
        let root = ModelRoot::open(&self.directory)?;
        let now = registered::look(&root, spec)?;
        let unchanged = |loaded: &Loaded| now.iter().all(|(path, seen)| loaded.seen.get(path) == Some(seen));
        self.provide(spec, cancelled, unchanged)
    }

    /// The model, loaded if need be.
    ///
    /// # Errors
    /// As [`Self::checked`].
    pub fn get(&self, spec: &ModelSpec, cancelled: Cancelled<'_>) -> Result<ModelUse<'_>> {
        self.provide(spec, cancelled, |_| true)
    }

    /// The model if it is in memory and `good`, or else from its files.
    fn provide(
        &self,
        spec: &ModelSpec,
        cancelled: Cancelled<'_>,
        good: impl Fn(&Loaded) -> bool,
    ) -> Result<ModelUse<'_>> {
        let digest = spec.digest();
        let in_memory =
            |state: &State| Some(self.lend(spec, &digest, state.models.get(&digest).filter(|loaded| good(loaded))?));
        let _loading = match self.turn(cancelled, in_memory)? {
            Turn::Found(used) => return Ok(used),
            Turn::Load(loading) => loading,
        };
        let root = ModelRoot::open(&self.directory)?;
        if self.lock().models.contains_key(&digest) {
            // Its files have been touched, or these are others: what is in memory is as good as they are.
            let seen = registered::read_all(&root, spec)?;
            let mut state = self.lock();
            if let Some(loaded) = state.models.get_mut(&digest) {
                loaded.seen.extend(seen);
                return Ok(self.lend(spec, &digest, loaded));
            }
        }
        let needed = self.lock().known_bytes.get(&digest).copied().unwrap_or(spec.graph.bytes);
        self.make_room(&spec.name, needed, cancelled)?;
        let loaded = self.load(&root, spec)?;
        // Unlocked before the load ends.
        let mut state = self.lock();
        state.known_bytes.insert(digest.clone(), loaded.memory_bytes);
        if loaded.memory_bytes > self.limit {
            return Err(self.out_of_memory(&spec.name, loaded.memory_bytes, "It alone exceeds the limit."));
        }
        while total(&state) + loaded.memory_bytes > self.limit && evict(&mut state) {}
        let used = self.lend(spec, &digest, &loaded);
        state.models.insert(digest, loaded);
        Ok(used)
    }

    fn lend(&self, spec: &ModelSpec, digest: &str, loaded: &Loaded) -> ModelUse<'_> {
        loaded.used_at.store(crate::seconds_since_1970().to_bits(), Relaxed);
        ModelUse { store: self, digest: digest.to_string(), model: Some(loaded.model.registered_as(spec)) }
    }

    /// Reads, works out and tries a model that is not registered yet; it stays loaded. `options` are those of the trial
    /// runs.
    ///
    /// # Errors
    /// See [`inspect::inspect_under`]; `OutOfMemory` and `Cancelled` as [`Self::checked`].
    pub fn inspect(
        &self,
        name: &str,
        directory: &str,
        overrides: &ModelOverrides,
        options: &RunOptions,
        cancelled: Cancelled<'_>,
    ) -> Result<Inspection> {
        let root = ModelRoot::open(&self.directory)?;
        // Nothing to be found: what is in memory has not been tried under this name.
        let Turn::Load(_loading) = self.turn(cancelled, |_| None::<Infallible>)?;
        let before = Cell::new(0);
        let make_room = |graph_bytes: u64| {
            self.make_room(name, graph_bytes, cancelled)?;
            // The graph has been read and is going to be released.
            before.set(memory_without_slack().saturating_sub(graph_bytes));
            Ok(())
        };
        let conditions = inspect::Conditions { options, make_room: &make_room };
        let (inspection, mut loaded) =
            inspect::inspect_under(&conditions, &root, &self.runtime, name, directory, overrides)?;
        if cancelled() {
            // Its last runs were ended, and say nothing of the model.
            return Err(load_cancelled());
        }
        loaded.memory_bytes = memory_of(&inspection.model, before.get());
        let mut state = self.lock();
        // Not worth another eviction: nobody has asked for a vector yet.
        if total(&state) + loaded.memory_bytes <= self.limit {
            state.models.entry(inspection.model.digest()).or_insert(loaded);
        }
        Ok(inspection)
    }

    /// What is in memory, most recently used first.
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

    /// What is `found` in the store, or else the right to load.
    fn turn<T>(&self, cancelled: Cancelled<'_>, found: impl Fn(&State) -> Option<T>) -> Result<Turn<'_, T>> {
        let mut state = self.lock();
        loop {
            if let Some(found) = found(&state) {
                return Ok(Turn::Found(found));
            }
            if !state.loading {
                state.loading = true;
                return Ok(Turn::Load(Loading { store: self }));
            }
            state = self.wait(state, cancelled)?;
        }
    }

    /// Drops idle models until another one has room.
    fn make_room(&self, name: &str, needed: u64, cancelled: Cancelled<'_>) -> Result<()> {
        if needed > self.limit {
            return Err(self.out_of_memory(name, needed, "It alone exceeds the limit."));
        }
        // However often models change hands meanwhile: every other load waits behind this one.
        let deadline = Instant::now() + self.patience;
        let mut state = self.lock();
        while total(&state) + needed > self.limit {
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

    /// Waits for a change for a moment.
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

    fn load(&self, root: &ModelRoot, spec: &ModelSpec) -> Result<Loaded> {
        let before = memory_without_slack();
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
        let mut loaded = Loaded::new(model, files);
        loaded.memory_bytes = memory_of(spec, before);
        Ok(loaded)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// How a wait for the store ended.
enum Turn<'a, T> {
    Found(T),
    Load(Loading<'a>),
}

/// The right to load, until it is dropped, be it by a panic.
struct Loading<'a> {
    store: &'a Store,
}

impl Drop for Loading<'_> {
    fn drop(&mut self) {
        self.store.lock().loading = false;
        self.store.changed.notify_all();
    }
}

/// A model in use: it is not dropped from memory before this is.
#[derive(Debug)]
pub struct ModelUse<'a> {
    store: &'a Store,
    digest: String,
    /// Taken by `drop` alone.
    model: Option<Model>,
}

impl ModelUse<'_> {
    /// The model.
    ///
    /// # Errors
    /// None that can happen; there is no panic in this crate.
    pub fn model(&self) -> Result<&Model> {
        self.model.as_ref().ok_or_else(|| Error::new(Kind::Bug, "a model was released while in use"))
    }

    /// Counts texts that have been run.
    pub fn count_texts(&self, texts: usize) {
        if let Some(loaded) = self.store.lock().models.get(&self.digest) {
            loaded.text_count.fetch_add(texts as u64, Relaxed);
        }
    }
}

impl Drop for ModelUse<'_> {
    fn drop(&mut self) {
        // Under the lock, or a load that has just found the model busy would miss the notification.
        let _state = self.store.lock();
        self.model = None;
        self.store.changed.notify_all();
    }
}

fn load_cancelled() -> Error {
    Error::new(Kind::Cancelled, "loading a model was cancelled")
}

/// Drops the idle model that was used least recently.
fn evict(state: &mut State) -> bool {
    let used = |loaded: &Loaded| f64::from_bits(loaded.used_at.load(Relaxed));
    let idle = state.models.iter().filter(|(_, loaded)| loaded.model.is_idle());
    let oldest = idle.min_by(|(_, a), (_, b)| used(a).total_cmp(&used(b))).map(|(digest, _)| digest.clone());
    oldest.is_some_and(|digest| state.models.remove(&digest).is_some())
}

fn total(state: &State) -> u64 {
    state.models.values().map(|loaded| loaded.memory_bytes).sum()
}

/// What the process grew by, within what is believable for a graph of that size: other threads allocate meanwhile.
fn memory_of(spec: &ModelSpec, before: u64) -> u64 {
    let weights: u64 = spec.layers.iter().filter_map(Layer::weights).map(|file| file.bytes).sum();
    let size = spec.graph.bytes + spec.tokenizer.bytes + weights;
    memory_without_slack().saturating_sub(before).clamp(size, 4 * size)
}

fn memory_without_slack() -> u64 {
    crate::process::release_memory();
    crate::resident_bytes()
}
