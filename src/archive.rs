//! Taking a corpus away: `socle.export_corpus` and `socle.export_corpus_rows` read it as its caller does, under row security;
//! `socle.import_corpus` makes a chunk table of exported files, `socle.import_evaluation_set` returns rows of them.
//!
//! Files are written here, by code that parses nothing. They are read by a process of the engine that ends with the file.

mod create_table;
mod definition;
mod evaluation_set;
mod export;
mod import;
mod new_directory;
mod progress;
mod read_chunks;
mod rows;
