//! Pictures of documents on their way through the bulk lane: first their lines are found, then each line is read, by
//! whichever worker is free. Lines of several pages and sessions are read side by side.

use crate::document::{Done, PictureRoom};
use crate::request::Request;
use socle_core::model::ModelSpec;
use socle_core::{Error, Result};
use socle_ocr::{Page, Picture, ReadLine};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// A picture whose lines are to be found.
pub struct PictureTask {
    /// The request for its document.
    pub request: Arc<Request>,
    /// The model that reads it.
    pub model: Arc<ModelSpec>,
    /// Its pixels.
    pub picture: Picture,
    /// The memory that they take.
    pub room: PictureRoom,
    /// Is given its words.
    pub done: Done,
}

impl std::fmt::Debug for PictureTask {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "picture of {} × {}", self.picture.width, self.picture.height)
    }
}

/// A line that is to be read.
#[derive(Clone, Debug)]
pub struct LineTask {
    /// Its page.
    pub page: Arc<PageInWork>,
    /// Number of the line in the page.
    pub at: usize,
}

/// A page whose lines are being read.
pub struct PageInWork {
    /// The request for its document.
    pub request: Arc<Request>,
    /// The model that reads it.
    pub model: Arc<ModelSpec>,
    /// Its lines.
    pub page: Page,
    /// Memory of its picture.
    _room: PictureRoom,
    results: Mutex<Results>,
}

struct Results {
    of_lines: Vec<ReadLine>,
    missing: usize,
    /// Processor time so far.
    time: Duration,
    done: Option<Done>,
}

impl std::fmt::Debug for PageInWork {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "page of {} lines", self.page.line_count())
    }
}

impl PageInWork {
    /// The lines of a page, as tasks, which were found in so much time. A page without lines is finished at once.
    pub fn begin(
        request: Arc<Request>,
        model: Arc<ModelSpec>,
        page: Page,
        room: PictureRoom,
        done: Done,
        time: Duration,
    ) -> Vec<LineTask> {
        let count = page.line_count();
        if count == 0 {
            done(Ok(page.finish(Vec::new())), time);
            return Vec::new();
        }
        let results = Results { of_lines: vec![ReadLine::default(); count], missing: count, time, done: Some(done) };
        let page = Arc::new(Self { request, model, page, _room: room, results: Mutex::new(results) });
        (0..count).map(|at| LineTask { page: page.clone(), at }).collect()
    }

    /// Whether its lines are still wanted: somebody waits for the document, and no other line of the page has failed.
    pub fn is_wanted(&self) -> bool {
        !self.request.is_over() && self.results.lock().unwrap_or_else(PoisonError::into_inner).done.is_some()
    }

    /// Keeps what was read in a line, which took so much time. The last one finishes the page.
    pub fn fill(&self, at: usize, line: Result<ReadLine>, time: Duration) {
        let mut results = self.results.lock().unwrap_or_else(PoisonError::into_inner);
        results.time += time;
        let line = match line {
            Ok(line) => line,
            Err(error) => return fail(results.done.take(), error, results.time),
        };
        if let Some(result) = results.of_lines.get_mut(at) {
            *result = line;
        }
        results.missing -= 1;
        if results.missing == 0 {
            let lines = std::mem::take(&mut results.of_lines);
            if let Some(done) = results.done.take() {
                done(Ok(self.page.finish(lines)), results.time);
            }
        }
    }
}

fn fail(done: Option<Done>, error: Error, time: Duration) {
    if let Some(done) = done {
        done(Err(error), time);
    }
}
