//! The thread that computes: it runs the models that have requests in progress, each in its turn.

use crate::batcher::Prepared;
use crate::progress::Progress;
use crate::statistics::Statistics;
use crate::store::LoadedModel;
use socle_child::process;
use std::collections::VecDeque;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, PoisonError};

/// A prepared request, and the model that it is for.
pub type Work = (Arc<LoadedModel>, Prepared);

/// The way to the thread that computes.
#[derive(Clone, Debug)]
pub struct Decoder {
    work: Sender<Work>,
    running: Arc<AtomicUsize>,
}

/// A model with requests.
struct Active {
    model: Arc<LoadedModel>,
    waiting: VecDeque<Prepared>,
}

impl Decoder {
    /// Starts the thread.
    ///
    /// # Errors
    /// When no thread can be started.
    pub fn start(progress: Arc<Progress>, statistics: Arc<Statistics>) -> io::Result<Self> {
        let (work, received) = channel();
        let running = Arc::new(AtomicUsize::new(0));
        let counted = running.clone();
        std::thread::Builder::new().name("socle decode".into()).spawn(move || {
            // The threads of llama.cpp inherit it.
            process::lower_priority_of_thread();
            let run = || run(&received, &progress, &statistics, &counted);
            let _ = catch_unwind(AssertUnwindSafe(run));
            // Without this thread nothing is answered: the supervisor starts another generator.
            process::exit_now(1)
        })?;
        Ok(Self { work, running })
    }

    /// Has a request computed.
    pub fn submit(&self, work: Work) {
        // Fails only when the thread has ended, and the process ends with it.
        let _ = self.work.send(work);
    }

    /// Number of requests in progress.
    pub fn running(&self) -> usize {
        self.running.load(Relaxed)
    }
}

fn run(received: &Receiver<Work>, progress: &Progress, statistics: &Statistics, running: &AtomicUsize) {
    let mut active: Vec<Active> = Vec::new();
    loop {
        if active.is_empty() {
            progress.idle();
            match received.recv() {
                Ok(work) => add(&mut active, work),
                Err(_) => return,
            }
        }
        while let Ok(work) = received.try_recv() {
            add(&mut active, work);
        }
        progress.step();
        let mut total = 0;
        active.retain_mut(|active| {
            let mut batcher = active.model.batcher.lock().unwrap_or_else(PoisonError::into_inner);
            batcher.step(&mut active.waiting, statistics);
            total += batcher.running();
            batcher.running() > 0 || !active.waiting.is_empty()
        });
        running.store(total, Relaxed);
    }
}

fn add(active: &mut Vec<Active>, (model, prepared): Work) {
    match active.iter_mut().find(|active| Arc::ptr_eq(&active.model, &model)) {
        Some(active) => active.waiting.push_back(prepared),
        None => active.push(Active { model, waiting: VecDeque::from([prepared]) }),
    }
}
