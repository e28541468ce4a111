//! Computes with a model: sequences of tokens that share one cache.

use super::declarations::{Batch, Functions, LlamaContext};
use super::library;
use super::model::Model;
use crate::prompt::Token;
use std::ffi::c_void;
use std::fmt;
use std::ptr::NonNull;
use std::sync::Arc;

/// Number of a sequence in a context.
pub type Sequence = usize;

/// How large a context is.
#[derive(Clone, Copy, Debug)]
pub struct ContextSize {
    /// Tokens that the cache holds, all sequences together.
    pub tokens: u32,
    /// Number of sequences, which is the most tokens of a run whose next token is wanted.
    pub sequences: u32,
    /// Most tokens of one run.
    pub batch: u32,
    /// Threads that compute.
    pub threads: u32,
}

/// A token to be run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Input {
    /// The sequence.
    pub sequence: Sequence,
    /// Its place in the sequence, from 0.
    pub position: usize,
    /// The token.
    pub token: Token,
    /// Whether the numbers for the token after it are wanted.
    pub output: bool,
}

/// Why a run failed.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum RunError {
    /// The cache has no room.
    Full,
    /// The watch ended it.
    Ended,
    /// llama.cpp returned this.
    Failed(i32),
}

/// Called again and again during a run, on the thread that computes; true ends the run.
pub type RunWatch = Box<dyn Fn() -> bool + Send>;

/// A model, and the cache of the sequences that are computed with it.
pub struct Context {
    raw: NonNull<LlamaContext>,
    functions: &'static Functions,
    /// The callback that llama.cpp has the address of.
    _watch: Box<RunWatch>,
    model: Arc<Model>,
}

// SAFETY: a context may be used by any thread, by one at a time, which `&mut self` makes sure of.
unsafe impl Send for Context {}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").finish_non_exhaustive()
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the context was made by these functions, and its model is dropped after it.
        unsafe { (self.functions.llama_free)(self.raw.as_ptr()) }
    }
}

unsafe extern "C" fn watch_run(data: *mut c_void) -> bool {
    // SAFETY: the context owns the callback, and is not dropped during a run.
    let watch = unsafe { &*data.cast::<RunWatch>() };
    watch()
}

impl Context {
    /// A context with empty sequences.
    ///
    /// # Errors
    /// What llama.cpp says, most likely that there is not enough memory.
    pub fn new(model: &Arc<Model>, size: ContextSize, watch: RunWatch) -> Result<Self, String> {
        let functions = model.functions();
        let mut watch = Box::new(watch);
        library::take_log();
        // SAFETY: the parameters are those of this version; the callback is kept with the context, and so is the model.
        let raw = unsafe {
            let mut params = (functions.llama_context_default_params)();
            params.n_ctx = size.tokens;
            params.n_batch = size.batch;
            params.n_ubatch = size.batch;
            params.n_seq_max = size.sequences;
            params.n_outputs_max = size.sequences;
            params.n_threads = size.threads as i32;
            params.n_threads_batch = size.threads as i32;
            // One cache for all sequences: a beginning that several share is kept once.
            params.kv_unified = true;
            params.abort_callback = Some(watch_run);
            params.abort_callback_data = std::ptr::from_mut(&mut *watch).cast();
            (functions.llama_init_from_model)(model.raw(), params)
        };
        let Some(raw) = NonNull::new(raw) else { return Err(library::take_log()) };
        Ok(Self { raw, functions, _watch: watch, model: model.clone() })
    }

    /// The model.
    pub fn model(&self) -> &Arc<Model> {
        &self.model
    }

    /// Tokens that the cache holds.
    pub fn size(&self) -> usize {
        // SAFETY: the context exists.
        unsafe { (self.functions.llama_n_ctx)(self.raw.as_ptr()) as usize }
    }

    /// Has the next runs computed by `threads` threads.
    pub fn set_threads(&mut self, threads: u32) {
        // SAFETY: the context exists, and no run is under way.
        unsafe { (self.functions.llama_set_n_threads)(self.raw.as_ptr(), threads as i32, threads as i32) }
    }

    /// Runs tokens, at most [`ContextSize::batch`].
    ///
    /// # Errors
    /// Sequences of the inputs are in no certain state after an error other than `Full`, and have to be removed.
    pub fn run(&mut self, inputs: &[Input]) -> Result<(), RunError> {
        let mut tokens: Vec<i32> = inputs.iter().map(|input| input.token).collect();
        let mut positions: Vec<i32> = inputs.iter().map(|input| input.position as i32).collect();
        let mut counts = vec![1i32; inputs.len()];
        let mut sequences: Vec<i32> = inputs.iter().map(|input| input.sequence as i32).collect();
        let mut sequence_lists: Vec<*mut i32> = sequences.iter_mut().map(std::ptr::from_mut).collect();
        let mut outputs: Vec<i8> = inputs.iter().map(|input| i8::from(input.output)).collect();
        let batch = Batch {
            n_tokens: inputs.len() as i32,
            token: tokens.as_mut_ptr(),
            embd: std::ptr::null_mut(),
            pos: positions.as_mut_ptr(),
            n_seq_id: counts.as_mut_ptr(),
            seq_id: sequence_lists.as_mut_ptr(),
            logits: outputs.as_mut_ptr(),
        };
        library::take_log();
        // SAFETY: each list has as many elements as there are tokens, and lives until the function returns.
        match unsafe { (self.functions.llama_decode)(self.raw.as_ptr(), batch) } {
            0 => Ok(()),
            1 => Err(RunError::Full),
            2 => Err(RunError::Ended),
            code => Err(RunError::Failed(code)),
        }
    }

    /// The numbers for the token after that at `index` of the last run, which had `output`.
    pub fn logits(&mut self, index: usize) -> &[f32] {
        let count = self.model.vocabulary_size();
        // SAFETY: the address is null unless the token had `output`; otherwise there is a number for each token of the
        // vocabulary, until the next run.
        unsafe {
            let first = (self.functions.llama_get_logits_ith)(self.raw.as_ptr(), index as i32);
            if first.is_null() { &[] } else { std::slice::from_raw_parts(first, count) }
        }
    }

    /// Removes the tokens of a sequence from `from` on. False when only the whole sequence can be removed.
    pub fn remove(&mut self, sequence: Sequence, from: usize) -> bool {
        // SAFETY: the context exists; -1 stands for the end of the sequence.
        unsafe {
            let memory = (self.functions.llama_get_memory)(self.raw.as_ptr());
            (self.functions.llama_memory_seq_rm)(memory, sequence as i32, from as i32, -1)
        }
    }

    /// Makes the first `count` tokens of a sequence those of another, empty one too.
    pub fn share(&mut self, from: Sequence, to: Sequence, count: usize) {
        // SAFETY: the context exists.
        unsafe {
            let memory = (self.functions.llama_get_memory)(self.raw.as_ptr());
            (self.functions.llama_memory_seq_cp)(memory, from as i32, to as i32, 0, count as i32);
        }
    }
}
