//! Recognition of the pictures of documents, by the workers of the bulk lane.

use super::{Worker, internal_error};
use crate::document::{CachedPictures, Done, File, PictureRoom, Pictures, Recognition, recognized_languages};
use crate::picture::{LineTask, PageInWork, PictureTask};
use crate::request::Request;
use crate::scheduler::RecognitionGuard;
use rustix::time::{ClockId, clock_gettime};
use socle_child::panic_message;
use socle_core::document::Ocr;
use socle_core::model::ModelSpec;
use socle_core::protocol::Response;
use socle_core::{Error, Result};
use socle_ocr::remote::AHEAD;
use socle_ocr::{Page, Picture, ReadLine, Recognized};
use std::cell::{Cell, OnceCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

/// The pictures of one document.
struct PicturesOf<'a> {
    worker: &'a Worker,
    request: Arc<Request>,
    model: Arc<ModelSpec>,
    /// Since its first picture that is recognised, if there is room.
    guard: OnceCell<Option<RecognitionGuard<'a>>>,
    /// Number of pictures of a suspect document that were recognised alone.
    alone: Cell<usize>,
}

impl Pictures for PicturesOf<'_> {
    fn begin(&self, picture: Picture, room: PictureRoom, done: Done) {
        let (request, model) = (self.request.clone(), self.model.clone());
        self.guard.get_or_init(|| self.worker.scheduler.begin_recognition(&request));
        if request.suspect && self.alone.get() < AHEAD {
            self.alone.set(self.alone.get() + 1);
            let Some(_alone) = self.worker.scheduler.isolate(&request) else { return };
            self.worker.say(&request, &Response::Alone);
            let (result, time) = timed(&request, || self.worker.recognize(&request, &model, picture));
            self.worker.say(&request, &Response::NotAlone);
            done(result, time);
        } else {
            self.worker.scheduler.submit_picture(PictureTask { request, model, picture, room, done });
        }
    }
}

/// The pictures of a document that may not be recognised.
struct Refused(Error);

impl Pictures for Refused {
    fn begin(&self, _picture: Picture, _room: PictureRoom, done: Done) {
        done(Err(self.0.clone()), Duration::ZERO);
    }
}

impl Worker {
    /// Answers with the text of a document, whose pictures are read if the request names a model.
    pub(super) fn answer_document(&self, request: &Arc<Request>, file: File<'_>, ocr: Option<&Ocr>) -> Result<()> {
        let of_document = |ocr: &Ocr| {
            let model = Arc::new(ocr.model.clone());
            PicturesOf { worker: self, request: request.clone(), model, guard: OnceCell::new(), alone: Cell::new(0) }
        };
        let pictures = ocr.map(of_document);
        let pictures = ocr.zip(pictures.as_ref()).map(|(ocr, pictures)| CachedPictures {
            pictures,
            cache: Arc::clone(&self.resources.pages),
            model_digest: ocr.model.digest(),
            request,
        });
        let refused = ocr.and_then(|ocr| ocr.refusal.clone()).map(Refused);
        let recognition = ocr.zip(pictures.as_ref()).map(|(ocr, pictures)| Recognition {
            mode: ocr.mode,
            pictures: refused.as_ref().map_or(pictures as &dyn Pictures, |refused| refused),
        });
        let mut document = self.resources.fork_server.read(request, file, recognition)?;
        document.metadata.recognized_languages = recognized_languages(&document);
        self.responses.answer(request, &Response::Extracted(Box::new(document)));
        Ok(())
    }

    /// Finds the lines of a picture and queues them.
    pub(super) fn find_lines(&self, task: PictureTask) {
        let PictureTask { request, model, picture, room, done } = task;
        // The reader may have ended meanwhile.
        if request.is_over() {
            return;
        }
        match timed(&request, || self.try_find(&request, &model, picture)) {
            (Ok(page), time) => {
                self.scheduler.submit_lines(PageInWork::begin(request, model, page, room, done, time));
            }
            (Err(error), time) => done(Err(error), time),
        }
    }

    fn try_find(&self, request: &Arc<Request>, model: &ModelSpec, picture: Picture) -> Result<Page> {
        let lease = self.resources.store.checked(model, &|| request.is_cancelled())?;
        let parts = lease.ocr()?.parts();
        let options = self.resources.store.run_options()?;
        let _run = self.scheduler.begin_run(&options, vec![request.clone()]);
        Page::find(picture, &parts.graphs(&options), parts.characters())
    }

    /// Reads a line. The last of a page finishes it.
    pub(super) fn read_line(&self, task: &LineTask) {
        if task.page.is_wanted() {
            let (line, time) = timed(&task.page.request, || self.try_read(task));
            task.page.fill(task.at, line, time);
        }
    }

    fn try_read(&self, LineTask { page, at }: &LineTask) -> Result<ReadLine> {
        let lease = self.resources.store.get(&page.model, &|| page.request.is_cancelled())?;
        let parts = lease.ocr()?.parts();
        let options = self.resources.store.run_options()?;
        let _run = self.scheduler.begin_run(&options, vec![page.request.clone()]);
        let line = page.page.read(*at, &parts.graphs(&options), parts.characters())?;
        lease.count_texts(1);
        Ok(line)
    }

    /// Recognises a picture on this thread.
    fn recognize(&self, request: &Arc<Request>, model: &ModelSpec, picture: Picture) -> Result<Recognized> {
        let lease = self.resources.store.checked(model, &|| request.is_cancelled())?;
        let parts = lease.ocr()?.parts();
        let options = self.resources.store.run_options()?;
        let _run = self.scheduler.begin_run(&options, vec![request.clone()]);
        socle_ocr::recognize(picture, &parts.graphs(&options), parts.characters())
    }
}

/// The result of some work for a request, or the error that a panic becomes, and the processor time that it took: on a busy
/// machine, it is not less work.
fn timed<T>(request: &Request, work: impl FnOnce() -> Result<T>) -> (Result<T>, Duration) {
    let begun = processor_time();
    let result = catch_unwind(AssertUnwindSafe(work))
        .unwrap_or_else(|panic| Err(internal_error(&panic_message(panic.as_ref()))));
    // A graph runs on the thread that calls it.
    let time = processor_time().saturating_sub(begun);
    request.add_recognition_time(time);
    (result, time)
}

fn processor_time() -> Duration {
    Duration::try_from(clock_gettime(ClockId::ThreadCPUTime)).unwrap_or_default()
}
