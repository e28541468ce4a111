//! What the tables of the extension say of a corpus: its row, SQL over its tables, who may read them, what is pending.
//! All modules that work on corpora build on this one.

pub mod heap_counts;
pub mod privileges;
pub mod spec;
pub mod sql_template;

pub use spec::{CorpusSpec, Role, model_of, ocr_of, token_model_of};
