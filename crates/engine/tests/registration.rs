//! Models that are refused at registration, and registered ones whose files change.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use socle_core::model::{ModelKind, ModelOverrides, Pooling};
use socle_core::protocol::EngineSettings;
use socle_core::{Error, Kind};
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use support::onnx::{self, Flaw};
use support::{Client, Engine, Scratch, settings};

/// An engine with a directory of generated models.
struct Models {
    directory: Scratch,
    _engine: Engine,
    client: Client,
}

impl Models {
    fn new() -> Self {
        let directory = Scratch::new();
        let engine = Engine::start_with(&EngineSettings {
            model_directory: directory.0.to_string_lossy().into_owned(),
            ..settings()
        });
        let client = engine.connect();
        Self { directory, _engine: engine, client }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.0.join(name)
    }

    fn add(&self, name: &str, flaw: &Flaw) -> PathBuf {
        onnx::write(&self.path(name), flaw);
        self.path(name)
    }

    fn error(&mut self, name: &str, overrides: ModelOverrides) -> Error {
        self.client.inspect(name, overrides).expect_err(name)
    }

    fn refused(&mut self, name: &str, kind: Kind, words: &str) {
        let error = self.error(name, ModelOverrides::default());
        let text = format!("{error} {}", error.hint.clone().unwrap_or_default());
        assert_eq!(error.kind, kind, "{name}: {text}");
        assert!(text.contains(words), "{name}: {text}");
    }
}

#[test]
fn a_sound_model_is_worked_out_from_its_files() {
    let mut models = Models::new();
    models.add("sound", &Flaw::default());
    let spec = models.client.model("sound");
    assert_eq!((spec.kind, spec.dimensions, spec.max_tokens), (ModelKind::Embedding, 4, 16));
    assert_eq!((spec.pooling, spec.normalize, spec.batchable), (Pooling::Mean, true, true));
    let vectors = models.client.embed(&spec, &["one two", "three"]).unwrap();
    assert!(vectors.iter().all(|vector| (vector.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-6));
}

#[test]
fn what_the_caller_says_wins_but_never_against_the_graph() {
    let mut models = Models::new();
    models.add("sound", &Flaw::default());
    let overrides = ModelOverrides {
        max_tokens: Some(8),
        pooling: Some(Pooling::Cls),
        normalize: Some(false),
        query_prefix: Some("one ".into()),
        ..ModelOverrides::default()
    };
    let spec = models.client.inspect("sound", overrides).unwrap();
    assert_eq!((spec.max_tokens, spec.pooling, spec.normalize), (8, Pooling::Cls, false));
    assert_eq!(spec.query_prefix, "one ");
    let error = models.error("sound", ModelOverrides { dimensions: Some(5), ..ModelOverrides::default() });
    assert_eq!((error.kind, error.message.as_str()), (Kind::DimensionMismatch, "expected 5 dimensions, not 4"));
    let error = models.error("sound", ModelOverrides { pooling: Some(Pooling::None), ..ModelOverrides::default() });
    assert_eq!(error.kind, Kind::DamagedModelFile);
    let error = models.error("sound", ModelOverrides { kind: Some(ModelKind::Reranker), ..ModelOverrides::default() });
    assert_eq!(error.kind, Kind::DamagedModelFile);
}

#[test]
fn silent_files_ask_the_caller() {
    let mut models = Models::new();
    let path = models.add("silent", &Flaw::default());
    fs::remove_dir_all(path.join("1_Pooling")).unwrap();
    models.refused("silent", Kind::InvalidArgument, "pooling => 'mean'");
    fs::remove_file(path.join("sentence_bert_config.json")).unwrap();
    let error = models.error("silent", ModelOverrides { pooling: Some(Pooling::Mean), ..ModelOverrides::default() });
    assert!(error.hint.unwrap().contains("max_tokens"));
    fs::rename(path.join("model.onnx"), path.join("a.onnx")).unwrap();
    fs::copy(path.join("a.onnx"), path.join("b.onnx")).unwrap();
    models.refused("silent", Kind::InvalidArgument, "a.onnx, b.onnx");
}

#[test]
fn unsafe_graphs_are_refused_before_onnxruntime_sees_them() {
    let mut models = Models::new();
    let flaws = [
        ("external", Flaw { external: true, ..Flaw::default() }, "external data"),
        ("custom", Flaw { domain: Some("ai.onnx.contrib"), ..Flaw::default() }, "ai.onnx.contrib"),
    ];
    for (name, flaw, words) in flaws {
        models.add(name, &flaw);
        models.refused(name, Kind::DamagedModelFile, words);
    }
}

#[test]
fn models_that_could_not_serve_are_refused() {
    let mut models = Models::new();
    let flaws = [
        ("nan", Flaw { nan: true, ..Flaw::default() }, "not finite"),
        ("zero", Flaw { zero: true, ..Flaw::default() }, "zero vector"),
        ("vocabulary", Flaw { missing_rows: 2, ..Flaw::default() }, "largest token id, 7"),
        ("batch", Flaw { shape: [Some(3), None], ..Flaw::default() }, "exactly 3 texts"),
        ("input", Flaw { input: Some("words"), ..Flaw::default() }, "input \"words\""),
    ];
    for (name, flaw, words) in flaws {
        models.add(name, &flaw);
        let error = models.error(name, ModelOverrides::default());
        assert!(error.to_string().contains(words), "{name}: {error}");
    }
}

#[test]
fn odd_shapes_serve_within_their_limits() {
    let mut models = Models::new();
    models.add("fixed", &Flaw { shape: [Some(1), Some(6)], ..Flaw::default() });
    models.add("sound", &Flaw::default());
    let fixed = models.client.model("fixed");
    assert_eq!((fixed.max_tokens, fixed.batchable), (6, false));
    let sound = models.client.model("sound");
    let texts = ["one", "two three", "three three three"];
    assert_eq!(models.client.embed(&fixed, &texts).unwrap(), models.client.embed(&sound, &texts).unwrap());
    let error = models.client.embed(&fixed, &["one one one one one"]).unwrap_err();
    assert_eq!(error.kind, Kind::InputTooLong);
    models.add("dynamic", &Flaw { dynamic: true, ..Flaw::default() });
    assert!(!models.client.model("dynamic").batchable);
}

#[test]
fn files_that_are_not_files_are_refused() {
    let mut models = Models::new();
    let outside = Scratch::new();
    onnx::write(&outside.0, &Flaw::default());
    let root = models.directory.0.clone();
    let model = |name: &str| {
        onnx::write(&root.join(name), &Flaw::default());
        fs::remove_file(root.join(name).join("model.onnx")).unwrap();
        root.join(name).join("model.onnx")
    };
    symlink(outside.0.join("model.onnx"), model("link")).unwrap();
    symlink("../../../../../../../../etc/passwd", model("climb")).unwrap();
    fs::create_dir(model("directory")).unwrap();
    fs::write(model("empty"), "").unwrap();
    fs::hard_link(outside.0.join("model.onnx"), model("hardlink")).unwrap();
    assert!(Command::new("mkfifo").arg(model("fifo")).status().unwrap().success());
    symlink(&outside.0, models.path("elsewhere")).unwrap();
    model("missing");

    models.refused("link", Kind::DamagedModelFile, "symbolic link");
    models.refused("climb", Kind::DamagedModelFile, "symbolic link");
    models.refused("elsewhere", Kind::DamagedModelFile, "symbolic link");
    models.refused("directory", Kind::DamagedModelFile, "it is a directory");
    models.refused("fifo", Kind::DamagedModelFile, "not a regular file");
    models.refused("hardlink", Kind::DamagedModelFile, "hard link");
    models.refused("empty", Kind::DamagedModelFile, "holds no graph");
    models.refused("missing", Kind::MissingFile, "model.onnx");
    models.refused("nowhere", Kind::MissingFile, "nowhere");
    models.refused("../x", Kind::InvalidArgument, "not a path below");
    models.refused("/etc", Kind::InvalidArgument, "not a path below");

    // Download caches use symbolic links within the directory.
    models.add("real", &Flaw::default());
    symlink("../real/model.onnx", model("inside")).unwrap();
    assert!(models.client.inspect("inside", ModelOverrides::default()).is_ok());
}

#[test]
fn damaged_graphs_are_refused_or_kill_the_engine_alone() {
    let mut models = Models::new();
    let path = models.add("damaged", &Flaw::default());
    let sound = fs::read(path.join("model.onnx")).unwrap();
    for cut in (0..sound.len()).step_by(7) {
        fs::write(path.join("model.onnx"), &sound[..cut]).unwrap();
        let error = models.error("damaged", ModelOverrides::default());
        assert_eq!(error.kind, Kind::DamagedModelFile, "cut at {cut}: {error}");
    }
    for at in (0..sound.len()).step_by(5) {
        let mut flipped = sound.clone();
        flipped[at] ^= 1 << (at % 8);
        fs::write(path.join("model.onnx"), &flipped).unwrap();
        // Some flips leave a valid model. Each has to be answered.
        let _ = models.client.inspect("damaged", ModelOverrides::default());
    }
}

#[test]
fn damaged_tokenizers_and_configurations_are_refused() {
    let mut models = Models::new();
    let path = models.add("damaged", &Flaw::default());
    let sound = onnx::tokenizer().to_string();
    let mut wrong_type = onnx::tokenizer();
    wrong_type["model"]["type"] = "Nonsense".into();
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let inputs = ["", "{}", "null", "not json", &sound[..sound.len() / 2], &wrong_type.to_string(), &deep];
    for input in inputs {
        fs::write(path.join("tokenizer.json"), input).unwrap();
        let error = models.error("damaged", ModelOverrides::default());
        assert_eq!(error.kind, Kind::DamagedModelFile, "{error}");
    }
    let large = fs::File::create(path.join("tokenizer.json")).unwrap();
    large.set_len((64 << 20) + 1).unwrap();
    models.refused("damaged", Kind::DamagedModelFile, "the limit is");
    fs::write(path.join("tokenizer.json"), &sound).unwrap();
    fs::write(path.join("config.json"), "{").unwrap();
    models.refused("damaged", Kind::DamagedModelFile, "config.json");
    fs::write(path.join("config.json"), "{}").unwrap();
    fs::write(path.join("1_Pooling/config.json"), "[").unwrap();
    models.refused("damaged", Kind::DamagedModelFile, "1_Pooling/config.json");
}

#[test]
fn a_window_that_the_graph_lacks_is_refused() {
    let mut engine = Engine::start();
    let mut client = engine.connect();
    let overrides = ModelOverrides { max_tokens: Some(600), ..ModelOverrides::default() };
    let error = client.inspect(support::BGE, overrides).unwrap_err();
    assert_eq!(error.kind, Kind::DamagedModelFile);
    assert!(error.hint.unwrap().contains("smaller max_tokens"));
    engine.process.kill().unwrap();
}

#[test]
fn a_file_that_changes_is_an_error_whether_or_not_the_model_is_loaded() {
    let mut models = Models::new();
    let path = models.add("model", &Flaw::default());
    let graph = path.join("model.onnx");
    let spec = models.client.model("model");
    let before = models.client.embed(&spec, &["one"]).unwrap();

    let touched = fs::read(&graph).unwrap();
    fs::write(&graph, &touched).unwrap();
    assert_eq!(models.client.embed(&spec, &["one"]).unwrap(), before, "the same bytes written again");

    fs::write(&graph, onnx::graph(&Flaw { zero: true, ..Flaw::default() })).unwrap();
    for _ in 0..2 {
        let error = models.client.embed(&spec, &["one"]).unwrap_err();
        assert_eq!(error.kind, Kind::DamagedModelFile);
        assert!(error.message.contains("model/model.onnx"), "{error}");
    }
    fs::write(path.join("tokenizer.json"), "{}").unwrap();
    fs::write(&graph, &touched).unwrap();
    let error = models.client.embed(&spec, &["one"]).unwrap_err();
    assert!(error.message.contains("model/tokenizer.json"), "{error}");
    fs::write(path.join("tokenizer.json"), onnx::tokenizer().to_string()).unwrap();
    assert_eq!(models.client.embed(&spec, &["one"]).unwrap(), before, "restored");

    fs::remove_file(&graph).unwrap();
    let error = models.client.embed(&spec, &["one"]).unwrap_err();
    assert_eq!(error.kind, Kind::MissingFile);
    assert!(error.message.contains("model/model.onnx"), "{error}");
}

#[test]
fn a_configuration_that_changes_is_an_error_too() {
    let mut models = Models::new();
    let path = models.add("model", &Flaw::default());
    let configuration = path.join("1_Pooling/config.json");
    let sound = fs::read(&configuration).unwrap();
    let spec = models.client.model("model");
    models.client.embed(&spec, &["one"]).unwrap();
    fs::write(&configuration, r#"{"pooling_mode_cls_token": true}"#).unwrap();
    let error = models.client.embed(&spec, &["one"]).unwrap_err();
    assert_eq!(error.kind, Kind::DamagedModelFile);
    assert!(error.message.contains("model/1_Pooling/config.json"), "{error}");
    // An engine that starts afterwards must not load it either.
    let model_directory = models.directory.0.to_string_lossy().into_owned();
    let engine = Engine::start_with(&EngineSettings { model_directory, ..settings() });
    assert_eq!(engine.connect().embed(&spec, &["one"]).unwrap_err(), error);
    fs::write(&configuration, sound).unwrap();
    assert!(models.client.embed(&spec, &["one"]).is_ok(), "restored");
}

/// A library that pretends to be another version of ONNX Runtime.
fn library_of_version(directory: &Path, version: &str) -> PathBuf {
    let source = directory.join("ort.c");
    let code = format!(
        "static const void *api(unsigned v) {{ return 0; }} static const char *version(void) {{ return \"{version}\"; }}\
         struct base {{ const void *(*a)(unsigned); const char *(*v)(void); }}; static struct base b = {{ api, version }};\
         struct base *OrtGetApiBase(void) {{ return &b; }}"
    );
    fs::write(&source, code).unwrap();
    let library = directory.join("libonnxruntime.so");
    let built = Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&library).arg(&source).status().unwrap();
    assert!(built.success());
    library
}

#[test]
fn onnxruntime_is_not_looked_for_in_the_places_of_the_dynamic_loader() {
    for name in ["libonnxruntime.so", "./libonnxruntime.so"] {
        let scratch = Scratch::new();
        // The current directory of the engine, to which a relative path would refer.
        fs::copy(support::onnxruntime(), scratch.0.join("libonnxruntime.so")).unwrap();
        let engine = Engine::start_in(scratch, &EngineSettings { onnxruntime_library: name.to_string(), ..settings() });
        let error = engine.connect().inspect(support::MINILM, ModelOverrides::default()).unwrap_err();
        assert_eq!(error.kind, Kind::EngineUnavailable);
        assert_eq!(error.detail, Some(format!("\"{name}\" is not an absolute path.")));
    }
}

#[test]
fn onnxruntime_that_is_missing_or_unfit_is_a_clear_error_and_can_be_repaired() {
    let directory = Scratch::new();
    let library = directory.0.join("libonnxruntime.so");
    let path = library.to_string_lossy().into_owned();
    let engine = Engine::start_with(&EngineSettings { onnxruntime_library: path, ..settings() });
    let mut client = engine.connect();
    let mut error = || client.inspect(support::MINILM, ModelOverrides::default()).map(drop).unwrap_err();

    let missing = error();
    assert_eq!((missing.kind, missing.message.as_str()), (Kind::MissingFile, "ONNX Runtime is not installed"));
    fs::write(&library, "not a library").unwrap();
    assert_eq!(error().kind, Kind::EngineUnavailable);
    fs::remove_file(&library).unwrap();
    library_of_version(&directory.0, "1.20.1");
    let old = error();
    assert_eq!(old.kind, Kind::EngineUnavailable);
    assert!(old.detail.unwrap().contains("1.20.1"));
    assert!(old.hint.unwrap().contains("1.26"));
    fs::remove_file(&library).unwrap();
    fs::copy(support::onnxruntime(), &library).unwrap();
    let mut permissions = fs::metadata(&library).unwrap().permissions();
    permissions.set_mode(0o777);
    fs::set_permissions(&library, permissions.clone()).unwrap();
    assert!(error().detail.unwrap().contains("can be written by others"));
    permissions.set_mode(0o755);
    fs::set_permissions(&library, permissions).unwrap();
    assert!(client.inspect(support::MINILM, ModelOverrides::default()).is_ok(), "without a restart");
}
