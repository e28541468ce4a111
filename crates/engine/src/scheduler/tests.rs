//! Which task comes next, run without workers.

use super::*;
use crate::document::PictureMemory;
use crate::request::Job;
use socle_core::document::ExtractLimits;
use socle_core::model::{ModelFile, ModelKind, ModelSpec, Pooling, Similarity};
use socle_ocr::{Channels, Picture};

const TIME: Duration = Duration::from_secs(1);

fn document(connection: u64, suspect: bool) -> Arc<Request> {
    document_of(connection, 1, suspect)
}

fn document_of(connection: u64, id: u32, suspect: bool) -> Arc<Request> {
    let limits = ExtractLimits { seconds: 60, memory_bytes: 1 << 30, text_bytes: 1 << 20, recognition_seconds: 0 };
    let (media_type, name, ocr, bytes) = (None, None, None, Vec::new());
    let job = Job::Extract { media_type, name, limits, bulk: false, ocr, bytes };
    Arc::new(Request::new(connection, id, suspect, 0, job))
}

fn count(connection: u64, suspect: bool) -> Arc<Request> {
    let job = Job::CountTokens { model: model(), content: String::new() };
    Arc::new(Request::new(connection, 1, suspect, 0, job))
}

fn model() -> Arc<ModelSpec> {
    let file = ModelFile { path: String::new(), bytes: 0, sha256: String::new() };
    Arc::new(ModelSpec {
        name: "m".into(),
        directory: "m".into(),
        graph: file.clone(),
        tokenizer: file,
        configuration: Vec::new(),
        kind: ModelKind::Ocr,
        dimensions: 1,
        max_tokens: 1,
        pooling: Pooling::None,
        normalize: false,
        query_prefix: String::new(),
        passage_prefix: String::new(),
        output: String::new(),
        pad_id: 0,
        batchable: false,
        similarity: Similarity::Cosine,
        pool_prefix: true,
        lower_case: false,
        first_position: 0,
        layers: Vec::new(),
        late_interaction: None,
        served: None,
        ocr: None,
    })
}

fn picture(request: &Arc<Request>) -> PictureTask {
    let picture = Picture { width: 1, height: 1, channels: Channels::Grey, pixels: vec![0], dpi: None };
    let room = PictureMemory::default().take(1).unwrap();
    PictureTask { request: request.clone(), model: model(), picture, room, done: Box::new(|_, _| {}) }
}

#[test]
fn a_suspect_waits_for_what_is_computed_and_not_for_documents_that_are_read() {
    let scheduler = Scheduler::new(1024, 2);
    scheduler.submit(document(1, false));
    let Task::Request(reading) = scheduler.next(Lane::Document) else { panic!("no document") };
    scheduler.submit_picture(picture(&reading));
    scheduler.submit_picture(picture(&reading));
    assert!(matches!(scheduler.next(Lane::Bulk), Task::Picture(_)));
    scheduler.submit(count(2, true));
    assert!(scheduler.next_now(&mut scheduler.lock(), Lane::Bulk).is_none());
    scheduler.finished(Lane::Bulk, true, TIME);
    assert!(matches!(scheduler.next(Lane::Keyword), Task::Isolated(_)));
    assert!(scheduler.next_now(&mut scheduler.lock(), Lane::Bulk).is_none());
    scheduler.end_isolation();
    scheduler.finished(Lane::Keyword, false, TIME);
    assert!(matches!(scheduler.next(Lane::Bulk), Task::Picture(_)));
}

#[test]
fn a_suspect_document_is_read_beside_others_and_its_pictures_alone() {
    let scheduler = Scheduler::new(1024, 2);
    scheduler.submit(document(1, true));
    let Task::Request(suspect) = scheduler.next(Lane::Document) else { panic!("no document") };
    scheduler.submit(count(2, false));
    let alone = scheduler.isolate(&suspect).unwrap();
    assert!(scheduler.next_now(&mut scheduler.lock(), Lane::Bulk).is_none());
    drop(alone);
    assert!(matches!(scheduler.next(Lane::Bulk), Task::Request(_)));
    suspect.cancel();
    assert!(scheduler.isolate(&suspect).is_none(), "nobody waits for one that is cancelled");
}

#[test]
fn texts_and_pictures_have_half_of_the_time_each_and_nothing_for_the_time_before_they_came() {
    let scheduler = Scheduler::new(1024, 2);
    let request = document(1, false);
    let text = || scheduler.submit(count(2, false));
    let next = |milliseconds: u64| {
        let is_picture = matches!(scheduler.next(Lane::Bulk), Task::Picture(_));
        scheduler.finished(Lane::Bulk, is_picture, Duration::from_millis(milliseconds));
        is_picture
    };
    (0..4).for_each(|_| scheduler.submit_picture(picture(&request)));
    assert!(next(1_000) && next(1_000));
    (0..5).for_each(|_| text());
    let order: Vec<bool> = [400, 400, 1_000, 400, 400, 400].into_iter().map(next).collect();
    assert_eq!(order, [false, false, false, true, true, false].map(|picture| picture));
}

#[test]
fn a_document_whose_pictures_are_recognised_makes_room_for_others_but_not_for_many_of_its_connection() {
    let scheduler = Scheduler::new(1024, 2);
    for (connection, id) in [(1, 1), (1, 2), (1, 3), (1, 4), (2, 1)] {
        scheduler.submit(document_of(connection, id, false));
    }
    let next = || {
        let task = scheduler.next_now(&mut scheduler.lock(), Lane::Document)?;
        scheduler.lock().lanes[Lane::Document as usize].busy += 1;
        let Task::Request(request) = task else { panic!("no document") };
        Some(request)
    };
    let number = |request: &Request| (request.connection, request.id);
    let (first, other) = (next().unwrap(), next().unwrap());
    assert_eq!([number(&first), number(&other)], [(1, 1), (2, 1)]);
    assert!(next().is_none(), "two are being read");
    let waits = scheduler.begin_recognition(&first).unwrap();
    let second = next().unwrap();
    let waits_too = scheduler.begin_recognition(&second).unwrap();
    assert_eq!(number(&second), (1, 2));
    assert!(next().is_none(), "two documents of the connection wait for their pictures");
    drop(waits);
    assert!(next().is_none(), "it is read to its end beside the other");
    scheduler.finished(Lane::Document, false, TIME);
    assert_eq!(number(&next().unwrap()), (1, 3));
    drop(waits_too);
}

#[test]
fn pictures_of_documents_take_turns_within_a_connection_and_connections_do() {
    let scheduler = Scheduler::new(1024, 2);
    let (many, one, other) = (document_of(1, 1, false), document_of(1, 2, false), document_of(2, 1, false));
    for request in [&many, &many, &many, &many, &one, &other] {
        scheduler.submit_picture(picture(request));
    }
    let order: Vec<(u64, u32)> = (0..6)
        .map(|_| {
            let Task::Picture(next) = scheduler.next(Lane::Bulk) else { panic!("no picture") };
            (next.request.connection, next.request.id)
        })
        .collect();
    assert_eq!(order, [(1, 1), (2, 1), (1, 2), (1, 1), (1, 1), (1, 1)]);
    assert!(scheduler.next_now(&mut scheduler.lock(), Lane::Bulk).is_none());
}

#[test]
fn pictures_of_a_connection_that_is_closed_are_forgotten() {
    let scheduler = Scheduler::new(1024, 2);
    let (closed, other) = (document(1, false), document(2, false));
    scheduler.submit_picture(picture(&closed));
    scheduler.submit_picture(picture(&other));
    scheduler.cancel(1, std::iter::once(closed));
    let Task::Picture(left) = scheduler.next(Lane::Bulk) else { panic!("no picture") };
    assert_eq!(left.request.connection, 2);
    assert!(scheduler.next_now(&mut scheduler.lock(), Lane::Bulk).is_none());
}
