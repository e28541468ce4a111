//! The models in memory. A model is loaded at first use, and the least recently used idle one is dropped when the memory
//! limit is reached.
//!
//! A model is loaded from the descriptor whose SHA-256 was verified. The stamp of its file is compared for each request, so
//! that a replaced or missing file is an error even while the model is in memory.

use crate::batcher::Batcher;
use crate::llama::library;
use crate::llama::model::Model;
use crate::progress::Progress;
use crate::prompt::mark_token;
use crate::schedule::{MAX_RUN_TOKENS, SEQUENCES};
use crate::template::Template;
use socle_child::directory::{ModelRoot, OpenFile, Stamp};
use socle_child::seconds_since_1970;
use socle_core::generator::GeneratorSpec;
use socle_core::protocol::LoadedGenerator;
use socle_core::{Error, Kind, Result};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Memory of a context beside its cache, in bytes, as far as it does not depend on the model.
const BUFFER_BYTES: u64 = 64 << 20;

/// Memory that says whether a token of a run sees one in the cache, in bytes: a number of 32 bits and a copy of 16.
const MASK_BYTES: u64 = 6;

/// How many sessions have room in the cache at the same time if all use the whole context and the memory limit permits it.
const FULL_SESSIONS: u64 = 4;

/// Longest wait until other models are idle and can be dropped.
const EVICTION_TIMEOUT: Duration = Duration::from_secs(60);

/// Interval at which a wait looks again.
const WAIT_INTERVAL: Duration = Duration::from_millis(50);

/// Path of a file below `socle.model_directory`, and its stamp when it was hashed.
type VerifiedFile = (String, Stamp);

/// A model in memory.
#[derive(Debug)]
pub struct LoadedModel {
    /// The weights and the vocabulary.
    pub model: Arc<Model>,
    /// The chat template.
    pub template: Template,
    /// The cache and the requests in progress.
    pub batcher: Mutex<Batcher>,
    /// [`GeneratorSpec::digest`].
    digest: String,
    /// Paths and stamps of the files that were verified to be this model: it may be in several places.
    files: Mutex<Vec<VerifiedFile>>,
    memory_bytes: u64,
    loaded_at: f64,
    /// Time of last use in seconds since 1970, as the bits of an `f64`.
    used_at: AtomicU64,
}

/// The models in memory. Shared by all threads that prepare requests.
#[derive(Debug)]
pub struct Store {
    directory: PathBuf,
    libraries: PathBuf,
    limit: u64,
    threads: u32,
    progress: Arc<Progress>,
    models: Mutex<Vec<Arc<LoadedModel>>>,
    /// Held while a model is loaded: one at a time, so that none is loaded twice.
    loading: Mutex<()>,
}

/// The memory of a model with a context, in bytes.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Memory {
    /// Weights and buffers.
    pub fixed: u64,
    /// A token in the cache.
    pub per_token: u64,
}

impl Memory {
    /// The memory of a model.
    pub fn of(model: &Model) -> Self {
        // The numbers that a run gives: one for each token of the vocabulary, for each sequence.
        let outputs = (SEQUENCES * model.vocabulary_size() * size_of::<f32>()) as u64;
        let per_token = model.bytes_per_token() + MAX_RUN_TOKENS as u64 * MASK_BYTES;
        Self { fixed: model.weight_bytes() + outputs + BUFFER_BYTES, per_token }
    }

    /// With a cache of this many tokens.
    pub fn with_tokens(self, tokens: u64) -> u64 {
        self.fixed + tokens * self.per_token
    }

    /// The largest useful cache for sessions of `context` tokens that fits into `free` bytes; `None` if there is no room for
    /// one of them.
    pub fn tokens(self, context: u32, free: u64) -> Option<u32> {
        let room = free.checked_sub(self.fixed)? / self.per_token.max(1);
        let most = u64::from(context) * FULL_SESSIONS;
        let tokens = room.min(most);
        (tokens >= u64::from(context)).then(|| u32::try_from(tokens).unwrap_or(u32::MAX))
    }
}

impl Store {
    /// An empty store for models below `directory`, which are run by the libraries in `libraries`, by `threads` threads, and
    /// take at most `limit` bytes together.
    pub fn new(directory: PathBuf, libraries: PathBuf, limit: u64, threads: u32, progress: Arc<Progress>) -> Self {
        Self { directory, libraries, limit, threads, progress, models: Mutex::default(), loading: Mutex::default() }
    }

    /// A model, loaded if necessary, whose file was checked for changes.
    ///
    /// # Errors
    /// `DamagedModelFile` or `MissingFile` when the file has changed since registration, `OutOfMemory` when it exceeds the
    /// memory limit or no other model becomes idle, `Cancelled`, and whatever loading raises.
    pub fn get(&self, spec: &GeneratorSpec, cancelled: &dyn Fn() -> bool) -> Result<Arc<LoadedModel>> {
        let root = ModelRoot::open(&self.directory)?;
        let file = (spec.file.path.clone(), root.open_file(&spec.file.path)?.stamp);
        if let Some(model) = self.find(spec).filter(|loaded| loaded.is_of(&file)) {
            return Ok(model);
        }
        let _loading = loop {
            match self.loading.try_lock() {
                Ok(loading) => break loading,
                Err(std::sync::TryLockError::Poisoned(loading)) => break loading.into_inner(),
                Err(std::sync::TryLockError::WouldBlock) => {
                    check(cancelled)?;
                    std::thread::sleep(WAIT_INTERVAL);
                }
            }
        };
        let found = self.find(spec);
        if let Some(model) = found.as_ref().filter(|loaded| loaded.is_of(&file)) {
            return Ok(model.clone());
        }
        let opened = open_verified(&root, spec, cancelled)?;
        if let Some(model) = found {
            // The file has another stamp or is in another place, and is the same model.
            model.verified().push((file.0, opened.stamp));
            return Ok(model);
        }
        let loaded = Arc::new(self.load(&opened, spec, cancelled)?);
        self.lock().push(loaded.clone());
        Ok(loaded)
    }

    /// The models in memory, most recently used first.
    pub fn report(&self) -> Vec<LoadedGenerator> {
        let models = self.lock();
        let report = |loaded: &Arc<LoadedModel>| LoadedGenerator {
            digest: loaded.digest.clone(),
            memory_bytes: loaded.memory_bytes,
            loaded_at: loaded.loaded_at,
            used_at: f64::from_bits(loaded.used_at.load(Relaxed)),
        };
        let mut report: Vec<LoadedGenerator> = models.iter().map(report).collect();
        report.sort_by(|a, b| b.used_at.total_cmp(&a.used_at));
        report
    }

    fn find(&self, spec: &GeneratorSpec) -> Option<Arc<LoadedModel>> {
        let models = self.lock();
        let found = models.iter().find(|loaded| loaded.digest == spec.digest)?;
        found.used_at.store(seconds_since_1970().to_bits(), Relaxed);
        Some(found.clone())
    }

    fn load(&self, opened: &OpenFile, spec: &GeneratorSpec, cancelled: &dyn Fn() -> bool) -> Result<LoadedModel> {
        let go_on = || !cancelled();
        let functions = library::load(&self.libraries)?;
        let template = Template::parse(&spec.template)
            .ok_or_else(|| Error::new(Kind::Bug, format!("there is no chat template \"{}\"", spec.template)))?;
        // The weights alone, before they are read.
        self.make_room(&spec.name, spec.file.bytes + BUFFER_BYTES, cancelled)?;
        let model = Model::load(functions, opened.file.as_fd(), false, &go_on)
            .map_err(|said| if cancelled() { load_cancelled() } else { unusable(&spec.file.path, &said) })?;
        let memory = Memory::of(&model);
        self.make_room(&spec.name, memory.with_tokens(spec.context_tokens.into()), cancelled)?;
        let free = self.limit.saturating_sub(total_bytes(&self.lock()));
        let tokens = memory
            .tokens(spec.context_tokens, free)
            .ok_or_else(|| self.out_of_memory(&spec.name, memory.with_tokens(spec.context_tokens.into())))?;
        let end = template.marks().first().and_then(|mark| mark_token(&model, mark));
        let model = Arc::new(model);
        let batcher = Batcher::new(&model, tokens, self.threads, end, self.progress.clone()).map_err(|said| {
            Error::new(Kind::OutOfMemory, format!("no memory for the context of generator \"{}\"", spec.name))
                .detail(said)
        })?;
        let now = seconds_since_1970();
        Ok(LoadedModel {
            model,
            template,
            batcher: Mutex::new(batcher),
            digest: spec.digest.clone(),
            files: Mutex::new(vec![(spec.file.path.clone(), opened.stamp)]),
            memory_bytes: memory.with_tokens(tokens.into()),
            loaded_at: now,
            used_at: AtomicU64::new(now.to_bits()),
        })
    }

    /// Drops idle models until `needed` bytes are free.
    fn make_room(&self, name: &str, needed: u64, cancelled: &dyn Fn() -> bool) -> Result<()> {
        if needed > self.limit {
            return Err(self.out_of_memory(name, needed));
        }
        let deadline = Instant::now() + EVICTION_TIMEOUT;
        loop {
            let mut models = self.lock();
            while total_bytes(&models) + needed > self.limit && drop_idle(&mut models) {}
            if total_bytes(&models) + needed <= self.limit {
                return Ok(());
            }
            drop(models);
            if Instant::now() >= deadline {
                return Err(self.out_of_memory(name, needed).detail("Other generators are in use."));
            }
            check(cancelled)?;
            std::thread::sleep(WAIT_INTERVAL);
        }
    }

    fn out_of_memory(&self, name: &str, needed: u64) -> Error {
        let (needed, limit) = (needed.div_ceil(1 << 20), self.limit >> 20);
        Error::new(Kind::OutOfMemory, format!("no room for generator \"{name}\""))
            .detail(format!("It needs {needed} MB, socle.generator_memory_limit is {limit} MB."))
            .hint("Raise socle.generator_memory_limit, or register the generator with fewer context_tokens.")
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<LoadedModel>>> {
        self.models.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl LoadedModel {
    fn is_of(&self, file: &VerifiedFile) -> bool {
        self.verified().contains(file)
    }

    fn verified(&self) -> MutexGuard<'_, Vec<VerifiedFile>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Opens the file of a generator and verifies its hash.
fn open_verified(root: &ModelRoot, spec: &GeneratorSpec, cancelled: &dyn Fn() -> bool) -> Result<OpenFile> {
    let mut opened = root.open_file(&spec.file.path)?;
    let sha256 = opened.sha256(&|| !cancelled())?;
    if sha256 != spec.file.sha256 {
        return Err(Error::new(
            Kind::DamagedModelFile,
            format!("model file \"{}\" has changed since registration", spec.file.path),
        )
        .detail(format!("Its SHA-256 is {sha256}, registered is {}.", spec.file.sha256))
        .hint("Restore the file, or register the new file under another name."));
    }
    Ok(opened)
}

/// The error of a file that llama.cpp does not load.
pub fn unusable(path: &str, said: &str) -> Error {
    let said = if said.is_empty() { "llama.cpp does not say why." } else { said };
    Error::new(Kind::DamagedModelFile, format!("model file \"{path}\" cannot be loaded"))
        .detail(said)
        .hint("The file has to be a complete model in the format GGUF, of an architecture that llama.cpp knows.")
}

fn check(cancelled: &dyn Fn() -> bool) -> Result<()> {
    if cancelled() { Err(load_cancelled()) } else { Ok(()) }
}

fn load_cancelled() -> Error {
    Error::new(Kind::Cancelled, "loading a generator was cancelled")
}

/// Drops the least recently used idle model. False when there is none.
fn drop_idle(models: &mut Vec<Arc<LoadedModel>>) -> bool {
    let used = |loaded: &LoadedModel| f64::from_bits(loaded.used_at.load(Relaxed));
    // A request that is prepared or in progress has a reference of its own.
    let idle = models.iter().enumerate().filter(|(_, loaded)| Arc::strong_count(loaded) == 1);
    let oldest = idle.min_by(|(_, a), (_, b)| used(a).total_cmp(&used(b))).map(|(at, _)| at);
    oldest.map(|at| models.remove(at)).is_some()
}

fn total_bytes(models: &[Arc<LoadedModel>]) -> u64 {
    models.iter().map(|loaded| loaded.memory_bytes).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cache_fits_into_what_is_free() {
        let memory = Memory { fixed: 1000, per_token: 10 };
        assert_eq!(memory.with_tokens(100), 2000);
        assert_eq!(memory.tokens(100, 100_000), Some(400), "four sessions");
        assert_eq!(memory.tokens(100, 3000), Some(200), "less memory, fewer sessions");
        assert_eq!(memory.tokens(100, 2000), Some(100));
        assert_eq!(memory.tokens(100, 1999), None);
        assert_eq!(memory.tokens(100, 10), None);
    }
}
