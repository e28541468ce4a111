//! Declarations of llama.cpp 0.4.0 (`include/llama.h`, `ggml/include/ggml.h`, `ggml/include/ggml-backend.h`), as far as they
//! are used. They are those of exactly this version: structures are passed by value and change with every version, so that
//! `library` refuses any other.

use std::ffi::{c_char, c_void};
use std::path::Path;

/// A model (`struct llama_model`), known by its address only.
#[repr(C)]
pub struct LlamaModel([u8; 0]);

/// A context (`struct llama_context`), known by its address only.
#[repr(C)]
pub struct LlamaContext([u8; 0]);

/// A vocabulary (`struct llama_vocab`), known by its address only.
#[repr(C)]
pub struct LlamaVocab([u8; 0]);

/// The cache of a context (`llama_memory_t`), known by its address only.
#[repr(C)]
pub struct LlamaMemory([u8; 0]);

/// Called with a share from 0 to 1 while a model is loaded; false ends it.
pub type ProgressCallback = unsafe extern "C" fn(share: f32, data: *mut c_void) -> bool;

/// Called during a computation; true ends it.
pub type AbortCallback = unsafe extern "C" fn(data: *mut c_void) -> bool;

/// Called with each line of the log, or a part of one.
pub type LogCallback = unsafe extern "C" fn(level: i32, text: *const c_char, data: *mut c_void);

/// `struct llama_model_params`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct ModelParams {
    pub devices: *mut c_void,
    pub tensor_buft_overrides: *const c_void,
    pub n_gpu_layers: i32,
    pub split_mode: i32,
    pub load_mode: i32,
    pub lazy_mode: i32,
    pub main_gpu: i32,
    pub tensor_split: *const f32,
    pub progress_callback: Option<ProgressCallback>,
    pub progress_callback_user_data: *mut c_void,
    pub kv_overrides: *const c_void,
    pub vocab_only: bool,
    pub check_tensors: bool,
    pub use_extra_bufts: bool,
    pub no_host: bool,
    pub no_alloc: bool,
    pub load_mtp: bool,
}

/// `struct llama_context_params`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct ContextParams {
    pub n_ctx: u32,
    pub n_batch: u32,
    pub n_ubatch: u32,
    pub n_seq_max: u32,
    pub n_rs_seq: u32,
    pub n_outputs_max: u32,
    pub n_outputs_max_per_seq: u32,
    pub n_threads: i32,
    pub n_threads_batch: i32,
    pub ctx_type: i32,
    pub rope_scaling_type: i32,
    pub pooling_type: i32,
    pub attention_type: i32,
    pub flash_attn_type: i32,
    pub rope_freq_base: f32,
    pub rope_freq_scale: f32,
    pub yarn_ext_factor: f32,
    pub yarn_attn_factor: f32,
    pub yarn_beta_fast: f32,
    pub yarn_beta_slow: f32,
    pub yarn_orig_ctx: u32,
    pub defrag_thold: f32,
    pub cb_eval: *const c_void,
    pub cb_eval_user_data: *mut c_void,
    pub type_k: i32,
    pub type_v: i32,
    pub abort_callback: Option<AbortCallback>,
    pub abort_callback_data: *mut c_void,
    pub embeddings: bool,
    pub offload_kqv: bool,
    pub no_perf: bool,
    pub op_offload: bool,
    pub swa_full: bool,
    pub kv_unified: bool,
    pub samplers: *mut c_void,
    pub n_samplers: usize,
    pub ctx_other: *mut LlamaContext,
}

/// `struct llama_batch`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)]
pub struct Batch {
    pub n_tokens: i32,
    pub token: *mut i32,
    pub embd: *mut f32,
    pub pos: *mut i32,
    pub n_seq_id: *mut i32,
    pub seq_id: *mut *mut i32,
    pub logits: *mut i8,
}

/// Declares functions, each with the library that has it.
macro_rules! functions {
    ($($library:ident { $(fn $name:ident($($argument:ty),*) $(-> $result:ty)?;)+ })+) => {
        /// The functions of the libraries.
        #[derive(Clone, Copy, Debug)]
        #[allow(missing_docs)]
        pub struct Functions {
            $($(pub $name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)+)+
        }

        impl Functions {
            /// Finds the functions in the libraries, which are never unloaded.
            ///
            /// # Errors
            /// What the dynamic loader says when a library cannot be loaded or lacks a function.
            pub fn load(directory: &Path) -> Result<Self, libloading::Error> {
                $(
                    // SAFETY: the initialisers of the library are those of the version that the declarations are of.
                    let $library = std::mem::ManuallyDrop::new(unsafe {
                        libloading::Library::new(directory.join(file(stringify!($library))))
                    }?);
                )+
                $($(
                    // SAFETY: the declaration is that of the function; `library` refuses other versions before any is called
                    // that takes more than a plain value.
                    let $name = *unsafe { $library.get(concat!(stringify!($name), "\0").as_bytes()) }?;
                )+)+
                Ok(Self { $($($name,)+)+ })
            }
        }
    };
}

/// The file name of a library.
fn file(library: &str) -> &'static str {
    match library {
        "base" => "libggml-base.so",
        "ggml" => "libggml.v0.4.0.so",
        _ => "libllama.v0.4.0.so",
    }
}

functions! {
    base {
        fn ggml_version() -> *const c_char;
        fn ggml_commit() -> *const c_char;
    }
    ggml {
        fn ggml_backend_load_all_from_path(*const c_char);
        fn ggml_backend_dev_count() -> usize;
    }
    llama {
        fn llama_version() -> *const c_char;
        fn llama_model_default_params() -> ModelParams;
        fn llama_context_default_params() -> ContextParams;
        fn llama_backend_init();
        fn llama_log_set(Option<LogCallback>, *mut c_void);
        fn llama_model_load_from_file(*const c_char, ModelParams) -> *mut LlamaModel;
        fn llama_model_free(*mut LlamaModel);
        fn llama_model_get_vocab(*const LlamaModel) -> *const LlamaVocab;
        fn llama_model_n_ctx_train(*const LlamaModel) -> i32;
        fn llama_model_n_layer(*const LlamaModel) -> i32;
        fn llama_model_n_head(*const LlamaModel) -> i32;
        fn llama_model_n_head_kv(*const LlamaModel) -> i32;
        fn llama_model_n_embd(*const LlamaModel) -> i32;
        fn llama_model_n_params(*const LlamaModel) -> u64;
        fn llama_model_size(*const LlamaModel) -> u64;
        fn llama_model_ftype(*const LlamaModel) -> i32;
        fn llama_ftype_name(i32) -> *const c_char;
        fn llama_model_meta_val_str(*const LlamaModel, *const c_char, *mut c_char, usize) -> i32;
        fn llama_model_chat_template(*const LlamaModel, *const c_char) -> *const c_char;
        fn llama_model_has_encoder(*const LlamaModel) -> bool;
        fn llama_model_has_decoder(*const LlamaModel) -> bool;
        fn llama_model_is_recurrent(*const LlamaModel) -> bool;
        fn llama_model_is_hybrid(*const LlamaModel) -> bool;
        fn llama_model_is_diffusion(*const LlamaModel) -> bool;
        fn llama_vocab_n_tokens(*const LlamaVocab) -> i32;
        fn llama_vocab_is_eog(*const LlamaVocab, i32) -> bool;
        fn llama_vocab_is_control(*const LlamaVocab, i32) -> bool;
        fn llama_vocab_bos(*const LlamaVocab) -> i32;
        fn llama_vocab_get_add_bos(*const LlamaVocab) -> bool;
        fn llama_vocab_get_text(*const LlamaVocab, i32) -> *const c_char;
        fn llama_tokenize(*const LlamaVocab, *const c_char, i32, *mut i32, i32, bool, bool) -> i32;
        fn llama_token_to_piece(*const LlamaVocab, i32, *mut c_char, i32, i32, bool) -> i32;
        fn llama_init_from_model(*mut LlamaModel, ContextParams) -> *mut LlamaContext;
        fn llama_free(*mut LlamaContext);
        fn llama_n_ctx(*const LlamaContext) -> u32;
        fn llama_set_n_threads(*mut LlamaContext, i32, i32);
        fn llama_get_memory(*const LlamaContext) -> *mut LlamaMemory;
        fn llama_memory_seq_rm(*mut LlamaMemory, i32, i32, i32) -> bool;
        fn llama_memory_seq_cp(*mut LlamaMemory, i32, i32, i32, i32);
        fn llama_decode(*mut LlamaContext, Batch) -> i32;
        fn llama_get_logits_ith(*mut LlamaContext, i32) -> *mut f32;
    }
}
