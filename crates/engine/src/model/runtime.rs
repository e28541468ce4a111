//! ONNX Runtime as a library that may be missing, too old, or repaired while the engine runs.
//!
//! Loaded at the first need, so that an engine without it still chunks text, and tried again at every need until it
//! loads.

use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::RunOptions;
use socle_core::{Error, Kind, Result};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Access to ONNX Runtime.
#[derive(Debug)]
pub struct Runtime {
    library: PathBuf,
    loaded: Mutex<Option<Loaded>>,
}

#[derive(Debug)]
struct Loaded {
    environment: Environment,
    version: String,
}

impl Runtime {
    /// Remembers where the library is; loads nothing yet.
    pub fn new(library: &Path) -> Self {
        Self { library: library.to_path_buf(), loaded: Mutex::new(None) }
    }

    /// The environment of this process, made at the first call.
    ///
    /// # Errors
    /// `MissingFile` when there is no library, `EngineUnavailable` when it cannot be used.
    pub fn environment(&self) -> Result<Environment> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(loaded) = loaded.as_ref() {
            return Ok(loaded.environment.clone());
        }
        let unusable = |why: String| {
            Error::new(Kind::EngineUnavailable, "ONNX Runtime cannot be used").detail(why).hint(format!(
                "socle needs ONNX Runtime 1.{} or later; run \"make install\" again, or set socle.onnxruntime_library.",
                ort::MINOR_VERSION
            ))
        };
        if !self.library.is_absolute() {
            // The dynamic loader looks for a bare name in places of its own, whoever may write there.
            return Err(unusable(format!("\"{}\" is not an absolute path.", self.library.display())));
        }
        if !self.library.exists() {
            return Err(Error::new(Kind::MissingFile, "ONNX Runtime is not installed")
                .detail(format!("There is no file \"{}\".", self.library.display()))
                .hint("Run \"make install\" again, or set socle.onnxruntime_library."));
        }
        check_owner(&self.library).map_err(unusable)?;
        let environment = ort::init_from(&self.library)
            .map_err(|error| unusable(error.to_string()))?
            .with_name("socle")
            .with_telemetry(false)
            // Its warnings are about optimisation and speak to the makers of a model; errors come back as errors.
            .with_logger(Arc::new(|_: LogLevel, _: &str, _: &str, _: &str, _: &str| {}))
            .build()
            .map_err(|error| unusable(error.to_string()))?;
        let version = version(&self.library).unwrap_or_default();
        *loaded = Some(Loaded { environment: environment.clone(), version });
        Ok(environment)
    }

    /// Options of a run. Made here because `ort` would look for a library of its own choice if none were loaded.
    ///
    /// # Errors
    /// As [`Self::environment`].
    pub fn run_options(&self) -> Result<Arc<RunOptions>> {
        self.environment()?;
        RunOptions::new().map(Arc::new).map_err(|error| Error::new(Kind::InferenceFailed, error.to_string()))
    }

    /// The version of the library, once it is loaded.
    pub fn version(&self) -> Option<String> {
        let loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        loaded.as_ref().map(|loaded| loaded.version.clone())
    }
}

/// Whoever can write the library can have the engine run what he likes.
fn check_owner(library: &Path) -> Result<(), String> {
    let file = library.metadata().map_err(|error| error.to_string())?;
    let owner = rustix::process::geteuid().as_raw();
    if file.uid() != 0 && file.uid() != owner {
        return Err(format!("\"{}\" belongs neither to root nor to the server's user.", library.display()));
    }
    if file.mode() & 0o022 != 0 {
        return Err(format!("\"{}\" can be written by others than its owner.", library.display()));
    }
    Ok(())
}

/// What a library that is already loaded calls itself.
fn version(library: &Path) -> Option<String> {
    // SAFETY: the library is loaded, so no initialiser runs again; the function and the structure it returns are part
    // of ONNX Runtime's stable C interface (onnxruntime_c_api.h), and `ort` has just used both.
    unsafe {
        let library = libloading::Library::new(library).ok()?;
        let base = library.get::<unsafe extern "C" fn() -> *const ort::sys::OrtApiBase>(b"OrtGetApiBase").ok()?();
        let text = ((*base).GetVersionString)();
        Some(std::ffi::CStr::from_ptr(text).to_string_lossy().into_owned())
    }
}
