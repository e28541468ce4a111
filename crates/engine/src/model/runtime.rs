//! Loads the shared library of ONNX Runtime, which may be missing, too old, or installed while the engine runs.
//!
//! It is loaded at first use, so that an engine without it can still chunk text. A failed attempt is repeated at the next
//! use.

use ort::environment::Environment;
use ort::logging::LogLevel;
use ort::session::RunOptions;
use socle_child::library::check_owner;
use socle_core::{Error, Kind, Result};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// The library of ONNX Runtime, once it is loaded.
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
    /// The library at this path, which is not loaded yet.
    pub fn new(library: &Path) -> Self {
        Self { library: library.to_path_buf(), loaded: Mutex::new(None) }
    }

    /// The environment of this process. Loads the library at the first call.
    ///
    /// # Errors
    /// `MissingFile` when the library does not exist, `EngineUnavailable` when it cannot be used.
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
            // The dynamic loader searches directories of its own for a relative name, which others may be able to write.
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
            // Logging is discarded: warnings concern the authors of a model, errors are returned.
            .with_logger(Arc::new(|_: LogLevel, _: &str, _: &str, _: &str, _: &str| {}))
            .build()
            .map_err(|error| unusable(error.to_string()))?;
        let version = version(&self.library).unwrap_or_default();
        *loaded = Some(Loaded { environment: environment.clone(), version });
        Ok(environment)
    }

    /// Options for a run. Loads the library first, because `ort` would search for another one by itself.
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

/// The version of a library that is already loaded.
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
