//! Prints the markdown of files, and on standard error what they say about themselves:
//! `cargo run --example extract -- FILE...`

#![allow(clippy::print_stdout, clippy::print_stderr)]

use socle_extract::{Limits, extract};

fn main() -> std::process::ExitCode {
    let mut code = std::process::ExitCode::SUCCESS;
    for path in std::env::args().skip(1) {
        let limits = Limits { output: 64 << 20, unpacked: 1 << 30, depth: 8 };
        let document = std::fs::read(&path)
            .map_err(|error| error.to_string())
            .and_then(|bytes| extract(&bytes, None, Some(&path), limits).map_err(|error| format!("{error:?}")));
        match document {
            Ok(document) => {
                println!("{}", document.markdown);
                let pages = document.blocks.iter().filter_map(|block| block.page).max();
                eprintln!("{path}: {} blocks, last page {pages:?}, {:?}", document.blocks.len(), document.metadata);
            }
            Err(error) => {
                eprintln!("{path}: {error}");
                code = std::process::ExitCode::FAILURE;
            }
        }
    }
    code
}
