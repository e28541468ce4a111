//! Loads the libraries of llama.cpp, which may be missing or of another version, and installed while the program runs.
//!
//! They are loaded at first use. A failed attempt is repeated at the next use.

use super::declarations::{ContextParams, Functions, ModelParams};
use socle_child::library::check_owner;
use socle_core::{Error, Kind, Result};
use std::ffi::{CStr, CString, c_char, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Mutex, OnceLock, PoisonError};

/// What llama.cpp and its library ggml call their version, and the commit of ggml: those of release 0.4.0.
const VERSION: (&str, &str, &str) = ("0.4.0-dev", "0.23.0", "5b4ebc5");

/// The version as the report states it.
pub const RELEASE: &str = "0.4.0";

/// Level of errors in the log (`enum ggml_log_level`).
const LEVEL_ERROR: i32 = 4;

/// Level of a line that goes on.
const LEVEL_CONTINUED: i32 = 5;

/// Most bytes of the log that are kept for an error.
const MAX_LOG_BYTES: usize = 600;

static LOADED: OnceLock<Functions> = OnceLock::new();

static LOG: Mutex<String> = Mutex::new(String::new());

/// The functions of llama.cpp, once they are loaded.
pub fn loaded() -> Option<&'static Functions> {
    LOADED.get()
}

/// The functions of llama.cpp. Loads its libraries at the first call.
///
/// # Errors
/// `MissingFile` when they do not exist, `EngineUnavailable` when they cannot be used.
pub fn load(directory: &Path) -> Result<&'static Functions> {
    static LOADING: Mutex<()> = Mutex::new(());
    let _loading = LOADING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(functions) = LOADED.get() {
        return Ok(functions);
    }
    let unusable = |why: String| {
        Error::new(Kind::EngineUnavailable, "llama.cpp cannot be used").detail(why).hint(format!(
            "socle needs the libraries of llama.cpp {RELEASE} that \"make install\" installs; run it again."
        ))
    };
    if !directory.is_absolute() {
        // The dynamic loader searches directories of its own for a relative name, which others may be able to write.
        return Err(unusable(format!("\"{}\" is not an absolute path.", directory.display())));
    }
    let entries = std::fs::read_dir(directory).map_err(|_| missing(directory))?;
    let names = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let libraries: Vec<_> = names
        .filter(|path| {
            path.file_name()
                .is_some_and(|name| name.as_bytes().starts_with(b"libggml") || name.as_bytes().starts_with(b"libllama"))
        })
        .collect();
    if libraries.is_empty() {
        return Err(missing(directory));
    }
    for library in &libraries {
        check_owner(library).map_err(unusable)?;
    }
    let functions = Functions::load(directory).map_err(|error| unusable(error.to_string()))?;
    check_version(&functions).map_err(unusable)?;
    start(&functions, directory).map_err(unusable)?;
    Ok(LOADED.get_or_init(|| functions))
}

fn missing(directory: &Path) -> Error {
    Error::new(Kind::MissingFile, "llama.cpp is not installed")
        .detail(format!("There are no libraries of llama.cpp in \"{}\".", directory.display()))
        .hint("Run \"make install\" again.")
}

/// Refuses a version that the declarations are not of.
fn check_version(functions: &Functions) -> Result<(), String> {
    // SAFETY: these functions take nothing and return the address of a constant.
    let [llama, ggml, commit] = [functions.llama_version, functions.ggml_version, functions.ggml_commit]
        .map(|function| unsafe { CStr::from_ptr(function()) }.to_string_lossy().into_owned());
    if (llama.as_str(), ggml.as_str(), commit.as_str()) != VERSION {
        return Err(format!("The libraries are of version {llama} (ggml {ggml}, {commit})."));
    }
    // SAFETY: these functions take nothing and return a structure of this version.
    let (model, context) =
        unsafe { ((functions.llama_model_default_params)(), (functions.llama_context_default_params)()) };
    if !has_known_layout(&model, &context) {
        return Err("The libraries pass their parameters in another form.".into());
    }
    Ok(())
}

/// Whether the fields of the default parameters have the values that this version gives them: a field in another place would
/// have another value.
fn has_known_layout(model: &ModelParams, context: &ContextParams) -> bool {
    let model_fields = (model.n_gpu_layers, model.split_mode, model.load_mode, model.lazy_mode, model.main_gpu);
    let model_flags = (model.vocab_only, model.check_tensors, model.use_extra_bufts, model.no_alloc, model.load_mtp);
    let context_fields = (context.n_ctx, context.n_batch, context.n_ubatch, context.n_seq_max, context.n_threads);
    let types =
        (context.flash_attn_type, context.type_k, context.type_v, context.yarn_attn_factor, context.defrag_thold);
    let flags = (context.embeddings, context.offload_kqv, context.swa_full, context.kv_unified, context.n_samplers);
    model_fields == (-1, 1, -1, 1, 0)
        && model_flags == (false, false, true, false, false)
        && context_fields == (512, 2048, 512, 1, 4)
        && types == (-1, 1, 1, -1.0, -1.0)
        && flags == (false, true, true, false, 0)
        && context.ctx_other.is_null()
}

/// Has the log kept, and loads the variant of the kernels that is best for this processor.
fn start(functions: &Functions, directory: &Path) -> Result<(), String> {
    let path = CString::new(directory.as_os_str().as_bytes()).map_err(|error| error.to_string())?;
    // SAFETY: the callback lives as long as the program, and the path is a text that ends with NUL.
    unsafe {
        (functions.llama_log_set)(Some(keep), std::ptr::null_mut());
        if (functions.ggml_backend_dev_count)() == 0 {
            (functions.ggml_backend_load_all_from_path)(path.as_ptr());
        }
        if (functions.ggml_backend_dev_count)() == 0 {
            return Err("There is no variant of the libraries for this processor.".into());
        }
        (functions.llama_backend_init)();
    }
    Ok(())
}

/// Keeps the errors of the log, the last ones.
unsafe extern "C" fn keep(level: i32, text: *const c_char, _: *mut c_void) {
    if level != LEVEL_ERROR && level != LEVEL_CONTINUED || text.is_null() {
        return;
    }
    // SAFETY: llama.cpp passes a text that ends with NUL.
    let text = unsafe { CStr::from_ptr(text) }.to_string_lossy();
    let mut log = LOG.lock().unwrap_or_else(PoisonError::into_inner);
    if level == LEVEL_CONTINUED && log.is_empty() {
        return;
    }
    log.push_str(&text);
    while log.len() > MAX_LOG_BYTES {
        log.remove(0);
    }
}

/// The errors of the log since the last call, in one line.
pub fn take_log() -> String {
    let log = std::mem::take(&mut *LOG.lock().unwrap_or_else(PoisonError::into_inner));
    log.split_whitespace().collect::<Vec<_>>().join(" ").chars().filter(|letter| !letter.is_control()).collect()
}
