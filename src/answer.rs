//! Answers from corpora: passages that fit a number of tokens, the sentences that answer a question, answers that a generator
//! writes and that are checked sentence by sentence, prompts for models elsewhere, and whether a citation still holds.
//!
//! Everything is found by a search, with the rights and the row security of the caller. Nothing is written but prompt
//! templates, and nothing leaves the server.

mod answered;
mod asked;
mod attribution;
mod citation;
mod cite;
mod context;
mod document;
mod evaluate;
mod judged;
mod options;
mod prompt;
mod recorded;
mod sentences;
mod stream;
mod token_counter;
mod words;
mod writing;
