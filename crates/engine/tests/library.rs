//! What no client of an engine can bring about: races, panics, patience that runs out. The engine's parts, in this
//! process.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use socle_core::Kind;
use socle_core::model::ModelOverrides;
use socle_core::protocol::Role;
use socle_engine::model::runtime::Runtime;
use socle_engine::model::store::Store;
use socle_engine::outbox::Outbox;
use socle_engine::request::{Job, Request};
use socle_engine::scheduler::Scheduler;
use socle_engine::statistics::Statistics;
use std::path::Path;
use std::sync::Arc;
use support::Scratch;
use support::onnx::{self, Flaw};

#[test]
fn a_run_that_begins_after_its_requests_were_cancelled_ends_at_once() {
    let models = Scratch::new();
    onnx::write(&models.0.join("model"), &Flaw::default());
    let runtime = Runtime::new(Path::new(&support::onnxruntime()));
    let store = Arc::new(Store::new(models.0.clone(), runtime, 1 << 30));
    let spec = store.inspect("model", "model", &ModelOverrides::default(), &store.run_options().unwrap()).unwrap();
    let used = store.get(&spec).unwrap();
    let model = used.model().unwrap();
    let tokens = model.tokens(Role::Query, "one", false).unwrap();

    let poll = mio::Poll::new().unwrap();
    let statistics = Arc::new(Statistics::default());
    let waker = mio::Waker::new(poll.registry(), mio::Token(0)).unwrap();
    let outbox = Arc::new(Outbox::new(waker, statistics.clone()));
    let scheduler = Scheduler::start(&store, &outbox, &statistics, 1, 1024).unwrap();
    let request = || {
        let job = Job::CountTokens { model: Arc::new(spec.clone()), content: String::new() };
        Arc::new(Request::new(1, 1, false, 0, job))
    };
    let (gone, waiting) = (request(), request());
    gone.cancel();
    let run = |requests: Vec<Arc<Request>>| {
        let options = store.run_options().unwrap();
        let _run = scheduler.run_begins(&options, requests);
        model.run(&[&tokens], &options)
    };
    assert_eq!(run(vec![gone.clone()]).unwrap_err().kind, Kind::InferenceFailed);
    assert!(run(vec![gone, waiting]).is_ok(), "somebody waits for it");
}
