//! Upper bound of the hardware: the same sessions, threads and batches as the engine, without sockets, queues or SQL.

use ort::session::RunOptions;
use socle_child::directory::ModelRoot;
use socle_core::model::ModelOverrides;
use socle_core::protocol::Role;
use socle_engine::model::inspect::inspect;
use socle_engine::model::loaded::Model;
use socle_engine::model::runtime::Runtime;
use socle_engine::model::tokenizer::Tokens;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

/// Default of `socle.engine_batch_tokens`.
const BATCH_TOKENS: usize = 1024;

pub struct Loop {
    model: Arc<Model>,
}

impl Loop {
    pub fn new(models: &Path, runtime: &Runtime, name: &str) -> Self {
        let root = ModelRoot::open(models).unwrap();
        let (_, loaded) = inspect(&root, runtime, name, name, &ModelOverrides::default()).unwrap();
        Self { model: loaded.into_model().unwrap() }
    }

    fn encode(&self, text: &str) -> Tokens {
        self.model.tokens(Role::Passage, text, true).unwrap()
    }

    pub fn tokens(&self, texts: &[String]) -> usize {
        texts.iter().map(|text| self.encode(text).len()).sum()
    }

    /// Seconds to embed all texts: tokenised by all threads, sorted by length, cut into batches, run by all threads.
    pub fn run(&self, texts: &[String]) -> f64 {
        let begun = Instant::now();
        let mut tokens: Vec<Tokens> = parallel(texts.len(), |at| self.encode(&texts[at]));
        tokens.sort_by_key(|tokens| std::cmp::Reverse(tokens.len()));
        let mut batches: Vec<Vec<&Tokens>> = Vec::new();
        for tokens in &tokens {
            match batches.last_mut() {
                Some(batch) if self.model.spec.batchable && (batch.len() + 1) * batch[0].len() <= BATCH_TOKENS => {
                    batch.push(tokens);
                }
                _ => batches.push(vec![tokens]),
            }
        }
        let vectors: usize =
            parallel(batches.len(), |at| self.model.run(&batches[at], &RunOptions::new().unwrap()).unwrap().len())
                .into_iter()
                .sum();
        assert_eq!(vectors, texts.len() * self.model.spec.dimensions as usize);
        begun.elapsed().as_secs_f64()
    }
}

/// Results of `work` for 0..count, computed by as many threads as there are processors.
fn parallel<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let next = AtomicUsize::new(0);
    let mut results: Vec<(usize, T)> = std::thread::scope(|scope| {
        let worker = || {
            let mut own = Vec::new();
            loop {
                let at = next.fetch_add(1, Ordering::Relaxed);
                if at >= count {
                    return own;
                }
                own.push((at, work(at)));
            }
        };
        let threads: Vec<_> = (0..crate::processors()).map(|_| scope.spawn(worker)).collect();
        threads.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
    });
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}
