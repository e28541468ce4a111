//! A model in the memory of this process, with its vocabulary.

use super::declarations::{Functions, LlamaModel, LlamaVocab};
use super::library;
use crate::prompt::{Token, Vocabulary};
use crate::sampler::Pieces;
use std::ffi::{CStr, CString, c_char, c_void};
use std::fmt;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::ptr::NonNull;

/// A loaded model.
pub struct Model {
    raw: NonNull<LlamaModel>,
    vocabulary: *const LlamaVocab,
    functions: &'static Functions,
    /// The bytes of each token, one after the other, and where those of each end.
    bytes: Vec<u8>,
    ends: Vec<u32>,
}

// SAFETY: llama.cpp never changes a loaded model, so that any thread may read it, and free it.
unsafe impl Send for Model {}
// SAFETY: as above.
unsafe impl Sync for Model {}

impl fmt::Debug for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Model").finish_non_exhaustive()
    }
}

impl Drop for Model {
    fn drop(&mut self) {
        // SAFETY: the model was loaded by these functions, and its contexts hold a reference to it until they are freed.
        unsafe { (self.functions.llama_model_free)(self.raw.as_ptr()) }
    }
}

/// Called while a model is loaded; false ends the loading.
pub type Watch<'a> = &'a dyn Fn() -> bool;

unsafe extern "C" fn watch_progress(_: f32, data: *mut c_void) -> bool {
    // SAFETY: `Model::load` passes the address of its argument, which lives until the model is loaded.
    let watch = unsafe { &*data.cast::<Watch<'_>>() };
    watch()
}

impl Model {
    /// Loads the model that an open file holds. `check` looks at every number in it.
    ///
    /// # Errors
    /// What llama.cpp says of the file.
    pub fn load(
        functions: &'static Functions,
        file: BorrowedFd<'_>,
        check: bool,
        watch: Watch<'_>,
    ) -> Result<Self, String> {
        // The name leads to the open file itself, whatever has become of the path that it was opened by (proc_pid_fd(5)).
        let path = CString::new(format!("/proc/self/fd/{}", file.as_raw_fd())).map_err(|error| error.to_string())?;
        library::take_log();
        // SAFETY: the parameters are those of this version; the path ends with NUL; the callback and its data live until the
        // function returns.
        let raw = unsafe {
            let mut params = (functions.llama_model_default_params)();
            params.n_gpu_layers = 0;
            params.check_tensors = check;
            params.progress_callback = Some(watch_progress);
            params.progress_callback_user_data = std::ptr::from_ref(&watch).cast_mut().cast();
            (functions.llama_model_load_from_file)(path.as_ptr(), params)
        };
        let Some(raw) = NonNull::new(raw) else { return Err(library::take_log()) };
        // SAFETY: the model is loaded.
        let vocabulary = unsafe { (functions.llama_model_get_vocab)(raw.as_ptr()) };
        let mut model = Self { raw, vocabulary, functions, bytes: Vec::new(), ends: Vec::new() };
        model.read_pieces();
        Ok(model)
    }

    /// The model, for a context that is made of it.
    pub fn raw(&self) -> *mut LlamaModel {
        self.raw.as_ptr()
    }

    /// The functions that it was loaded with.
    pub fn functions(&self) -> &'static Functions {
        self.functions
    }

    /// Number of tokens of the vocabulary.
    pub fn vocabulary_size(&self) -> usize {
        // SAFETY: the vocabulary lives as long as the model.
        usize::try_from(unsafe { (self.functions.llama_vocab_n_tokens)(self.vocabulary) }).unwrap_or_default()
    }

    /// Longest context that it was trained with.
    pub fn trained_context_tokens(&self) -> u32 {
        self.number(self.functions.llama_model_n_ctx_train)
    }

    /// Number of parameters.
    pub fn parameter_count(&self) -> u64 {
        // SAFETY: the model is loaded.
        unsafe { (self.functions.llama_model_n_params)(self.raw()) }
    }

    /// Size of the weights in bytes.
    pub fn weight_bytes(&self) -> u64 {
        // SAFETY: the model is loaded.
        unsafe { (self.functions.llama_model_size)(self.raw()) }
    }

    /// How the weights are stored.
    pub fn quantization(&self) -> String {
        // SAFETY: the model is loaded; the name is a constant.
        unsafe { text((self.functions.llama_ftype_name)((self.functions.llama_model_ftype)(self.raw()))) }
    }

    /// The chat template in the file.
    pub fn chat_template(&self) -> Option<String> {
        // SAFETY: the model is loaded; the text lives as long as it.
        let template = unsafe { (self.functions.llama_model_chat_template)(self.raw(), std::ptr::null()) };
        // SAFETY: as above.
        (!template.is_null()).then(|| unsafe { text(template) })
    }

    /// A property that the file states.
    pub fn property(&self, key: &str) -> Option<String> {
        let key = CString::new(key).ok()?;
        let mut value = vec![0u8; 256];
        // SAFETY: the key ends with NUL, and no more bytes are written than there are.
        let length = unsafe {
            (self.functions.llama_model_meta_val_str)(self.raw(), key.as_ptr(), value.as_mut_ptr().cast(), value.len())
        };
        value.truncate(usize::try_from(length).ok()?.min(value.len() - 1));
        Some(String::from_utf8_lossy(&value).into_owned())
    }

    /// Whether it continues a text, which not every model does.
    pub fn is_generator(&self) -> bool {
        // SAFETY: the model is loaded.
        unsafe {
            (self.functions.llama_model_has_decoder)(self.raw())
                && !(self.functions.llama_model_has_encoder)(self.raw())
                && !(self.functions.llama_model_is_diffusion)(self.raw())
        }
    }

    /// Whether the beginning of a sequence can be kept and shared.
    pub fn keeps_beginnings(&self) -> bool {
        // SAFETY: the model is loaded.
        unsafe {
            !(self.functions.llama_model_is_recurrent)(self.raw())
                && !(self.functions.llama_model_is_hybrid)(self.raw())
        }
    }

    /// Memory of a token in the cache of a context, in bytes: a key and a value of 16-bit numbers in each layer.
    pub fn bytes_per_token(&self) -> u64 {
        let architecture = self.property("general.architecture").unwrap_or_default();
        let heads = self.number(self.functions.llama_model_n_head).max(1);
        let usual = self.number(self.functions.llama_model_n_embd) / heads;
        let length = |which: &str| {
            let stated = self.property(&format!("{architecture}.attention.{which}_length"));
            u64::from(stated.and_then(|length| length.parse().ok()).unwrap_or(usual))
        };
        let layers = u64::from(self.number(self.functions.llama_model_n_layer));
        let heads = u64::from(self.number(self.functions.llama_model_n_head_kv));
        layers * heads * (length("key") + length("value")) * 2
    }

    fn number(&self, function: unsafe extern "C" fn(*const LlamaModel) -> i32) -> u32 {
        // SAFETY: the model is loaded.
        u32::try_from(unsafe { function(self.raw()) }).unwrap_or_default()
    }

    /// Reads the bytes of all tokens, once: choosing a token under a constraint looks at most of them.
    fn read_pieces(&mut self) {
        let mut piece = vec![0u8; 1024];
        for token in 0..self.vocabulary_size() {
            // SAFETY: no more bytes are written than there are; the result is negative if there are too few.
            let length = unsafe {
                let (into, most) = (piece.as_mut_ptr().cast(), piece.len() as i32);
                (self.functions.llama_token_to_piece)(self.vocabulary, token as Token, into, most, 0, false)
            };
            let length = usize::try_from(length).unwrap_or_default();
            self.bytes.extend_from_slice(piece.get(..length).unwrap_or_default());
            self.ends.push(self.bytes.len() as u32);
        }
    }
}

impl Pieces for Model {
    fn bytes(&self, token: Token) -> &[u8] {
        let Ok(at) = usize::try_from(token) else { return &[] };
        let start = at.checked_sub(1).and_then(|before| self.ends.get(before)).copied().unwrap_or_default();
        let end = self.ends.get(at).copied().unwrap_or(start);
        self.bytes.get(start as usize..end as usize).unwrap_or_default()
    }

    fn is_end(&self, token: Token) -> bool {
        // SAFETY: the vocabulary lives as long as the model; a number outside of it is no token.
        (0..self.ends.len() as Token).contains(&token)
            && unsafe { (self.functions.llama_vocab_is_eog)(self.vocabulary, token) }
    }
}

impl Vocabulary for Model {
    fn tokenize(&self, text: &str, special: bool) -> Vec<Token> {
        let Ok(length) = i32::try_from(text.len()) else { return Vec::new() };
        let mut tokens: Vec<Token> = vec![0; text.len() + 2];
        loop {
            // SAFETY: no more bytes are read than the text has, and no more tokens written than there is room for.
            let count = unsafe {
                let (from, into, most) = (text.as_ptr().cast(), tokens.as_mut_ptr(), tokens.len() as i32);
                (self.functions.llama_tokenize)(self.vocabulary, from, length, into, most, false, special)
            };
            // Negative: the number of tokens that there has to be room for.
            match usize::try_from(count) {
                Ok(count) => {
                    tokens.truncate(count);
                    return tokens;
                }
                Err(_) if count == i32::MIN => return Vec::new(),
                Err(_) => tokens.resize(count.unsigned_abs() as usize, 0),
            }
        }
    }

    fn is_special(&self, token: Token) -> bool {
        // SAFETY: the vocabulary lives as long as the model, and the token is one that it gave.
        self.is_end(token) || unsafe { (self.functions.llama_vocab_is_control)(self.vocabulary, token) }
    }

    fn name(&self, token: Token) -> String {
        // SAFETY: as above; the text lives as long as the vocabulary.
        unsafe { text((self.functions.llama_vocab_get_text)(self.vocabulary, token)) }
    }

    fn begin(&self) -> Option<Token> {
        // SAFETY: as above.
        unsafe {
            let token = (self.functions.llama_vocab_bos)(self.vocabulary);
            ((self.functions.llama_vocab_get_add_bos)(self.vocabulary) && token >= 0).then_some(token)
        }
    }
}

/// A copy of a text.
///
/// # Safety
/// The text ends with NUL.
unsafe fn text(text: *const c_char) -> String {
    // SAFETY: as the caller promises.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
