//! What the tables of the extension say of a corpus: its row, SQL over its tables, who may read them, what waits in them. All that
//! works on corpora stands on this.

pub mod heap_counts;
pub mod privileges;
pub mod spec;
pub mod sql_template;

pub use spec::{CorpusSpec, Role, model_of};
