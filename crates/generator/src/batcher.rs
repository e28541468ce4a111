//! The requests in progress with one model: each run of it has the next token of every answer and a slice of every prompt.

use crate::llama::context::{Context, ContextSize, Input, RunError};
use crate::llama::library;
use crate::llama::model::Model;
use crate::progress::Progress;
use crate::prompt::{Prompt, Token};
use crate::request::{Answer, Request};
use crate::sampler::Pieces;
use crate::schedule::{self, MIN_SHARED, Pace, SEQUENCES, Slots};
use crate::statistics::Statistics;
use crate::threads::Threads;
use rustix::time::{ClockId, clock_gettime};
use socle_core::generator::Finish;
use socle_core::protocol::GeneratorResponse;
use socle_core::{Error, Kind, Result};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// A request whose prompt is ready to be computed.
#[derive(Debug)]
pub struct Prepared {
    /// The request.
    pub request: Request,
    /// Its prompt.
    pub prompt: Prompt,
    /// How its answer is made.
    pub answer: Box<Answer>,
}

impl Prepared {
    /// Tokens of the cache that it may need.
    fn reserved(&self) -> usize {
        self.prompt.tokens.len() + self.answer.max_tokens
    }
}

/// A request in progress.
#[derive(Debug)]
struct Running {
    prepared: Prepared,
    slot: usize,
    /// Tokens of its sequence that are computed.
    computed: usize,
    /// The token that was chosen last.
    next: Option<Token>,
    /// Tokens of the answer.
    answered: usize,
}

impl Running {
    /// Tokens of the prompt that may come into the next run: up to the end of the beginning that others share, whose slices are
    /// then the same with and without a shared one.
    fn remaining(&self) -> usize {
        let Prompt { tokens, head } = &self.prepared.prompt;
        let is_head = self.computed < *head && *head >= MIN_SHARED;
        let end = if is_head { *head } else { tokens.len() };
        end.saturating_sub(self.computed)
    }
}

/// A model, its cache, and the requests in progress.
#[derive(Debug)]
pub struct Batcher {
    context: Context,
    slots: Slots,
    running: Vec<Running>,
    pace: Pace,
    threads: Threads,
    turn: usize,
    keeps_beginnings: bool,
    /// The token that ends an answer beside those that the vocabulary states.
    end: Option<Token>,
    /// The requests of the present run, which ends when nobody waits for any of them.
    watched: Arc<Mutex<Vec<Request>>>,
}

impl Batcher {
    /// A batcher whose cache holds `tokens` tokens.
    ///
    /// # Errors
    /// What llama.cpp says, most likely that there is not enough memory.
    pub fn new(
        model: &Arc<Model>,
        tokens: u32,
        threads: u32,
        end: Option<Token>,
        progress: Arc<Progress>,
    ) -> Result<Self, String> {
        let watched: Arc<Mutex<Vec<Request>>> = Arc::default();
        let seen = watched.clone();
        let watch = move || {
            progress.step();
            let watched = seen.lock().unwrap_or_else(PoisonError::into_inner);
            !watched.is_empty() && watched.iter().all(Request::is_cancelled)
        };
        let size = ContextSize { tokens, sequences: SEQUENCES as u32, batch: schedule::MAX_RUN_TOKENS as u32, threads };
        let context = Context::new(model, size, Box::new(watch))?;
        let threads = Threads::new(threads);
        let slots = Slots::new(context.size());
        let keeps_beginnings = model.keeps_beginnings();
        let (running, pace) = (Vec::new(), Pace::default());
        Ok(Self { context, slots, running, pace, threads, turn: 0, keeps_beginnings, end, watched })
    }

    /// Number of requests in progress.
    pub fn running(&self) -> usize {
        self.running.len()
    }

    /// Begins waiting requests as far as there is room, and runs the model once.
    pub fn step(&mut self, waiting: &mut VecDeque<Prepared>, statistics: &Statistics) {
        waiting.retain(|prepared| !prepared.request.is_cancelled());
        self.end_where(|running| running.prepared.request.is_cancelled());
        while let Some(prepared) = waiting.front() {
            let Prompt { tokens, head } = &prepared.prompt;
            let head = if self.keeps_beginnings { *head } else { 0 };
            let Some(admission) = self.slots.admit(tokens, head, prepared.reserved()) else { break };
            let Some(prepared) = waiting.pop_front() else { break };
            self.begin(prepared, admission);
        }
        let inputs = self.inputs();
        if inputs.is_empty() {
            return;
        }
        let requests = self.running.iter().map(|running| running.prepared.request.clone()).collect();
        *self.watched.lock().unwrap_or_else(PoisonError::into_inner) = requests;
        self.context.set_threads(self.threads.count());
        // Of the processor, not of the clock: beside other load, smaller runs would only be slower.
        let [begun, used] = CLOCKS.map(time);
        let clock = Instant::now();
        let result = self.context.run(&inputs);
        self.threads.record(clock.elapsed(), time(CLOCKS[1]).saturating_sub(used));
        self.watched.lock().unwrap_or_else(PoisonError::into_inner).clear();
        match result {
            Ok(()) => {
                self.pace.record(inputs.len(), time(CLOCKS[0]).saturating_sub(begun));
                self.advance(&inputs, statistics);
            }
            Err(error) => self.fail(error, statistics),
        }
    }

    fn begin(&mut self, prepared: Prepared, admission: schedule::Admission) {
        for slot in admission.evicted {
            self.context.remove(slot, 0);
        }
        let mut computed = 0;
        if let Some((from, count)) = admission.shared {
            self.context.share(from, admission.slot, count);
            computed = count;
        }
        self.running.push(Running { prepared, slot: admission.slot, computed, next: None, answered: 0 });
    }

    /// The tokens of the next run.
    fn inputs(&mut self) -> Vec<Input> {
        let mut inputs = Vec::new();
        for running in &self.running {
            if let Some(token) = running.next {
                inputs.push(Input { sequence: running.slot, position: running.computed, token, output: true });
            }
        }
        let remaining: Vec<usize> = self.running.iter().map(Running::remaining).collect();
        self.turn = self.turn.wrapping_add(1);
        let slices = schedule::slices(&remaining, self.pace.slice(!inputs.is_empty()), self.turn);
        for (running, slice) in self.running.iter().zip(slices) {
            let tokens = &running.prepared.prompt.tokens;
            for position in running.computed..running.computed + slice {
                let output = position + 1 == tokens.len();
                inputs.push(Input { sequence: running.slot, position, token: tokens[position], output });
            }
        }
        inputs
    }

    /// Chooses the next token of each answer after a run.
    fn advance(&mut self, inputs: &[Input], statistics: &Statistics) {
        let answer_tokens = inputs.iter().filter(|input| input.output).count();
        let next_tokens = self.running.iter().filter(|running| running.next.is_some()).count();
        // Before the responses: who has one may ask for a report.
        statistics.record_run(inputs.len() - next_tokens, answer_tokens);
        let mut ended = Vec::new();
        for (at, input) in inputs.iter().enumerate() {
            let Some(running) = self.running.iter_mut().find(|running| running.slot == input.sequence) else {
                continue;
            };
            running.computed = input.position + 1;
            if running.computed >= running.prepared.prompt.head {
                self.slots.head_computed(running.slot);
            }
            if input.output {
                let model = self.context.model().clone();
                let end = self.end;
                if running.answered == 0 {
                    statistics.record_first_token(running.prepared.request.arrived.elapsed());
                }
                if running.take(self.context.logits(at), &model, end, statistics) {
                    ended.push(running.slot);
                }
            }
        }
        self.end_where(|running| ended.contains(&running.slot));
    }

    /// Ends the requests of a failed run.
    fn fail(&mut self, error: RunError, statistics: &Statistics) {
        let said = library::take_log();
        for running in &self.running {
            let request = &running.prepared.request;
            statistics.record_response();
            request.fail(match error {
                RunError::Ended => Error::new(Kind::Cancelled, "generating text was cancelled"),
                RunError::Full => Error::new(Kind::OutOfMemory, "the cache of the generator is full")
                    .hint("Raise socle.generator_memory_limit, or try again later."),
                RunError::Failed(code) => Error::new(Kind::InferenceFailed, "generating text failed")
                    .detail(format!("llama.cpp returned {code}: {said}")),
            });
        }
        for running in std::mem::take(&mut self.running) {
            self.slots.clear(running.slot);
            self.context.remove(running.slot, 0);
        }
    }

    /// Ends the requests for which the condition is true.
    fn end_where(&mut self, condition: impl Fn(&Running) -> bool) {
        let (ended, running) = std::mem::take(&mut self.running).into_iter().partition(condition);
        self.running = running;
        for Running { slot, .. } in ended {
            let kept = self.slots.finish(slot);
            if !self.context.remove(slot, kept) {
                self.context.remove(slot, 0);
                self.slots.clear(slot);
            }
        }
    }
}

/// Processor time of this thread, and of all threads of the process.
const CLOCKS: [ClockId; 2] = [ClockId::ThreadCPUTime, ClockId::ProcessCPUTime];

fn time(clock: ClockId) -> Duration {
    Duration::try_from(clock_gettime(clock)).unwrap_or_default()
}

impl Running {
    /// Chooses the next token and sends what it adds to the answer. True when the answer is complete.
    fn take(&mut self, logits: &[f32], model: &Model, end: Option<Token>, statistics: &Statistics) -> bool {
        let Self { prepared: Prepared { request, prompt, answer }, .. } = self;
        let Some(token) = answer.sampler.choose(logits, model) else {
            statistics.record_response();
            request.fail(
                Error::new(Kind::InferenceFailed, "the model cannot go on with the answer")
                    .detail("No token of its vocabulary fits the constraint."),
            );
            return true;
        };
        self.answered += 1;
        self.next = Some(token);
        let is_end = model.is_end(token) || end == Some(token);
        let mut finish = is_end.then_some(Finish::Stop);
        let mut text = String::new();
        if !is_end {
            let piece = answer.text.push(model.bytes(token));
            text = piece.text;
            if piece.stopped || answer.sampler.is_complete() {
                finish = Some(Finish::Stop);
            } else if self.answered >= answer.max_tokens {
                finish = Some(Finish::Length);
            }
        }
        if finish.is_some() {
            text += &answer.text.finish();
        }
        if !text.is_empty() {
            request.respond(&GeneratorResponse::Text(text));
        }
        if let Some(finish) = finish {
            statistics.record_response();
            request.respond(&GeneratorResponse::Generated {
                prompt_tokens: prompt.tokens.len() as u32,
                answer_tokens: self.answered as u32,
                finish,
            });
        }
        finish.is_some()
    }
}
