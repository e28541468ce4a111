//! Tests of the parts of the engine in this process, for what no client can cause: races, panics, timeouts.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use socle_core::Kind;
use socle_core::model::{ModelFile, ModelKind, ModelOverrides, ModelSpec, sha256};
use socle_core::protocol::Role;
use socle_engine::document::{ForkServer, PageCache};
use socle_engine::keyword::cache::SegmentCache;
use socle_engine::model::runtime::Runtime;
use socle_engine::model::store::{Cancelled, EVICTION_TIMEOUT, ModelStore};
use socle_engine::request::{Job, Request};
use socle_engine::response_queue::ResponseQueue;
use socle_engine::scheduler::Scheduler;
use socle_engine::statistics::Statistics;
use socle_engine::worker::{self, Resources};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use support::Scratch;
use support::onnx::{self, Flaw};

/// The request was not cancelled.
const WAITING: Cancelled<'static> = &|| false;

fn store(models: &Scratch, limit: u64, eviction_timeout: Duration) -> ModelStore {
    // A process can have only one environment of ONNX Runtime.
    static RUNTIME: LazyLock<Arc<Runtime>> =
        LazyLock::new(|| Arc::new(Runtime::new(Path::new(&support::onnxruntime()))));
    ModelStore::new(models.0.clone(), RUNTIME.clone(), limit, eviction_timeout)
}

/// Sets a flag when it is dropped, so that threads that wait for it end even when the test fails.
struct Raise<'a>(&'a AtomicBool);

impl Drop for Raise<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// Size in bytes that is added to the files of a large model.
const PADDING: usize = 32 << 20;

/// A store whose limit allows for either of the models "first" and "large", of which "first" is in use, or for "first" and
/// "small".
struct Full {
    _alone: MutexGuard<'static, ()>,
    _models: Scratch,
    store: ModelStore,
    first: ModelSpec,
    large: ModelSpec,
    small: ModelSpec,
}

impl Full {
    fn new(eviction_timeout: Duration) -> Self {
        // The memory of a load is measured, which concurrent tests would falsify.
        static ALONE: Mutex<()> = Mutex::new(());
        let alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
        let models = Scratch::new();
        for (name, flaw) in [
            ("first", Flaw::default()),
            ("large", Flaw { slow: 1, ..Flaw::default() }),
            ("small", Flaw { nan: true, ..Flaw::default() }),
        ] {
            onnx::write(&models.0.join(name), &flaw);
        }
        // The memory of a model is taken to be at least the size of its files.
        let padded = format!("{}{}", onnx::tokenizer(), " ".repeat(PADDING));
        std::fs::write(models.0.join("first/tokenizer.json"), padded).unwrap();
        let trial = store(&models, 1 << 30, eviction_timeout);
        let inspect = |name: &str| {
            let options = trial.run_options().unwrap();
            trial.inspect(name, name, &ModelOverrides::default(), &options, WAITING).unwrap().model
        };
        let [first, large] = ["first", "large"].map(inspect);
        let graph = onnx::graph(&Flaw { nan: true, ..Flaw::default() });
        let file = ModelFile { path: "model.onnx".into(), bytes: graph.len() as u64, sha256: sha256(&graph) };
        let small = ModelSpec { directory: "small".into(), graph: file, ..large.clone() };
        let limit = PADDING as u64 + large.graph.bytes;
        assert!(small.graph.bytes < large.graph.bytes / 10);
        Self { _alone: alone, store: store(&models, limit, eviction_timeout), _models: models, first, large, small }
    }

    /// Whether the small model can be loaded before another load times out.
    fn still_loads(&self) -> bool {
        let begun = Instant::now();
        let given_up = || begun.elapsed() > EVICTION_TIMEOUT / 2;
        self.store.get(&self.small, &given_up).is_ok()
    }
}

#[test]
fn a_load_gives_up_in_time_however_busy_the_other_models_are() {
    let full = Full::new(Duration::from_millis(500));
    let used = full.store.get(&full.first, WAITING).unwrap();
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let _end = Raise(&over);
        scope.spawn(|| {
            while !over.load(Relaxed) {
                drop(full.store.get(&full.first, WAITING).unwrap());
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        // Meanwhile the other model is in use by one lease after the other.
        let error = full.store.get(&full.large, WAITING).map(drop).unwrap_err();
        assert_eq!(error.kind, Kind::OutOfMemory);
        assert!(error.detail.unwrap().contains("all in use"));
    });
    assert!(full.still_loads());
    drop(used);
    assert!(full.store.get(&full.large, WAITING).is_ok());
}

#[test]
fn a_load_that_nobody_waits_for_holds_up_no_other() {
    let full = Full::new(EVICTION_TIMEOUT);
    let _used = full.store.get(&full.first, WAITING).unwrap();
    let begun = Instant::now();
    let left = || begun.elapsed() > Duration::from_millis(200);
    // Otherwise it would fail with another error at its own timeout.
    assert_eq!(full.store.get(&full.large, &left).map(drop).unwrap_err().kind, Kind::Cancelled);
    assert!(full.still_loads());
}

#[test]
fn a_load_that_panics_holds_up_no_other() {
    let full = Full::new(EVICTION_TIMEOUT);
    let _used = full.store.get(&full.first, WAITING).unwrap();
    let panics = || panic!("on purpose");
    assert!(catch_unwind(AssertUnwindSafe(|| full.store.get(&full.large, &panics).map(drop))).is_err());
    assert!(full.still_loads());
}

#[test]
fn registrations_take_their_turn_and_make_room() {
    let full = Full::new(Duration::from_secs(3));
    let inspect = |name: &str, cancelled: Cancelled<'_>| {
        let options = full.store.run_options().unwrap();
        full.store.inspect(name, name, &ModelOverrides::default(), &options, cancelled)
    };
    let used = full.store.get(&full.first, WAITING).unwrap();
    assert_eq!(inspect("large", WAITING).unwrap_err().kind, Kind::OutOfMemory, "no room beside what is in use");
    let (holds, leave) = (AtomicBool::new(false), AtomicBool::new(false));
    // Holds the load guard until it is cancelled, which it checks while it waits for memory.
    let told = || {
        holds.store(true, Relaxed);
        leave.load(Relaxed)
    };
    std::thread::scope(|scope| {
        let _end = Raise(&leave);
        let load = scope.spawn(|| full.store.get(&full.large, &told).map(drop));
        support::eventually("it holds the turn", || holds.load(Relaxed).then_some(()));
        assert_eq!(inspect("small", &|| true).unwrap_err().kind, Kind::Cancelled, "somebody else loads");
        leave.store(true, Relaxed);
        assert!(load.join().unwrap().is_err());
    });
    drop(used);
    let spec = inspect("large", WAITING).unwrap();
    let digests: Vec<String> = full.store.report().into_iter().map(|model| model.digest).collect();
    assert_eq!(digests, [spec.model.digest()], "the idle one has made room");
}

#[test]
fn one_model_in_two_directories_is_loaded_once_and_has_both_names() {
    let models = Scratch::new();
    let store = store(&models, 1 << 30, EVICTION_TIMEOUT);
    let options = store.run_options().unwrap();
    let [first, second] = ["first", "second"].map(|name| {
        onnx::write(&models.0.join(name), &Flaw::default());
        store.inspect(name, name, &ModelOverrides::default(), &options, WAITING).unwrap().model
    });
    assert_eq!(first.digest(), second.digest());
    let loaded_at = || store.report().iter().map(|model| model.loaded_at).collect::<Vec<_>>();
    let loaded = loaded_at();
    assert_eq!(loaded.len(), 1);
    for spec in [&first, &second, &first, &second] {
        let used = store.checked(spec, WAITING).unwrap();
        let error = used.model().unwrap().require(ModelKind::Reranker).unwrap_err();
        assert!(error.message.contains(&format!("\"{}\"", spec.name)), "{error}");
    }
    assert_eq!(loaded_at(), loaded, "not once more");

    let file = models.0.join("second/model.onnx");
    let bytes = std::fs::read(&file).unwrap();
    std::fs::write(&file, onnx::graph(&Flaw { zero: true, ..Flaw::default() })).unwrap();
    let error = store.checked(&second, WAITING).map(drop).unwrap_err();
    assert!(error.message.contains("second/model.onnx"), "{error}");
    assert!(store.checked(&first, WAITING).is_ok(), "whose files are sound");
    std::fs::write(&file, bytes).unwrap();
    assert!(store.checked(&second, WAITING).is_ok(), "restored");
    assert_eq!(loaded_at(), loaded);
}

#[test]
fn a_run_that_begins_after_its_requests_were_cancelled_ends_at_once() {
    let models = Scratch::new();
    onnx::write(&models.0.join("model"), &Flaw::default());
    let store = Arc::new(store(&models, 1 << 30, EVICTION_TIMEOUT));
    let spec = store
        .inspect("model", "model", &ModelOverrides::default(), &store.run_options().unwrap(), WAITING)
        .unwrap()
        .model;
    let used = store.get(&spec, WAITING).unwrap();
    let model = used.model().unwrap();
    let tokens = model.tokens(Role::Query, "one", false).unwrap();

    let poll = mio::Poll::new().unwrap();
    let statistics = Arc::new(Statistics::default());
    let waker = mio::Waker::new(poll.registry(), mio::Token(0)).unwrap();
    let responses = Arc::new(ResponseQueue::new(waker, statistics.clone()));
    let resources = Resources {
        store: store.clone(),
        keyword: Arc::new(SegmentCache::new(&models.0)),
        pages: Arc::new(PageCache::new(&models.0)),
        fork_server: Arc::new(ForkServer::start().unwrap()),
    };
    let scheduler = Arc::new(Scheduler::new(1024, 4));
    worker::start(&scheduler, &resources, &responses, &statistics, 1).unwrap();
    let request = || {
        let job = Job::CountTokens { model: Arc::new(spec.clone()), content: String::new() };
        Arc::new(Request::new(1, 1, false, 0, job))
    };
    let (gone, waiting) = (request(), request());
    gone.cancel();
    let run = |requests: Vec<Arc<Request>>| {
        let options = store.run_options().unwrap();
        let _run = scheduler.begin_run(&options, requests);
        model.run(&[&tokens], &options)
    };
    assert_eq!(run(vec![gone.clone()]).unwrap_err().kind, Kind::InferenceFailed);
    assert!(run(vec![gone, waiting]).is_ok(), "somebody waits for it");
}
