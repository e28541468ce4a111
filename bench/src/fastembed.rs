//! fastembed in a process of its own, kept alive so that it can take turns with the others.

use serde_json::json;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

pub struct Process {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Process {
    pub fn start(script: &str, directory: &Path, model: &str, texts: &[String]) -> Self {
        let mut child = Command::new("python3")
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let (pooling, window) = if model.starts_with("bge") { ("CLS", 512) } else { ("MEAN", 256) };
        let task = json!({"directory": directory, "pooling": pooling, "window": window, "texts": texts});
        writeln!(input, "{task}").unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        Self { child, input, output }
    }

    /// Seconds to embed all texts.
    pub fn run(&mut self) -> f64 {
        writeln!(self.input, "run").unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        line.trim().parse().unwrap()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
