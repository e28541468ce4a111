//! Models whose files ask for something unusual: they are registered accordingly, or refused with an error that names it.
//! Each vector is compared with one that is computed here from the tables of the graph.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use serde_json::{Value, json};
use socle_core::model::{ModelOverrides, ModelSpec, Pooling, Similarity};
use socle_core::protocol::{EngineSettings, Request, Response, Role};
use socle_core::{Error, Kind};
use std::fs;
use support::table::{self, POSITIONS, Shape, WIDTH, config, mean, modules, position_row, row, tokens};
use support::{Client, Engine, Scratch, max_difference, settings};

const POOLING: &str = "1_Pooling/config.json";
const WHOLE: &str = "config_sentence_transformers.json";
const TEXT: &str = "alpha beta gamma";

struct Models {
    directory: Scratch,
    engine: Engine,
    client: Client,
}

impl Models {
    fn new() -> Self {
        let directory = Scratch::new();
        let model_directory = directory.0.to_string_lossy().into_owned();
        let engine = Engine::start_with(&EngineSettings { model_directory, ..settings() });
        let client = engine.connect();
        Self { directory, engine, client }
    }

    fn write(&self, name: &str, shape: Shape, files: &[(&str, Value)]) {
        table::write(&self.directory.0, name, shape, files);
    }

    fn add(&mut self, name: &str, shape: Shape, files: &[(&str, Value)]) -> ModelSpec {
        self.write(name, shape, files);
        self.client.model(name)
    }

    fn refused(&mut self, name: &str, files: &[(&str, Value)]) -> Error {
        self.write(name, Shape::default(), files);
        self.client.inspect(name, ModelOverrides::default()).expect_err(name)
    }

    fn embed(&mut self, model: &ModelSpec, role: Role, text: &str) -> Vec<f32> {
        self.client.embed_as(model, role, false, &[text]).unwrap().pop().unwrap()
    }

    /// Asserts the vector of [`TEXT`]: alone, in a batch, and by an engine that loads the registered model.
    fn check(&mut self, model: &ModelSpec, expected: &[f32]) {
        let near = |vector: &[f32]| max_difference(vector, expected) < 1e-4;
        let alone = self.embed(model, Role::Passage, TEXT);
        assert!(near(&alone), "{}: {alone:?} is not {expected:?}", model.name);
        let texts = ["delta", TEXT, "beta beta beta beta beta alpha"];
        let together = self.client.embed(model, &texts).unwrap();
        assert!(near(&together[1]), "{}: in company", model.name);
        let model_directory = self.directory.0.to_string_lossy().into_owned();
        let other = Engine::start_with(&EngineSettings { model_directory, ..settings() });
        assert!(near(&other.connect().embed(model, &[TEXT]).unwrap()[0]), "{}: loaded anew", model.name);
    }
}

/// The vector of each token, added to that of its position.
fn placed(text: &str, first: usize) -> Vec<Vec<f32>> {
    let sum = |(at, token): (usize, Vec<f32>)| -> Vec<f32> {
        token.iter().zip(position_row(first + at)).map(|(a, b)| a + b).collect()
    };
    tokens(text).into_iter().enumerate().map(sum).collect()
}

fn pooled(mode: &str) -> Vec<(&'static str, Value)> {
    vec![(POOLING, json!({"word_embedding_dimension": WIDTH, "pooling_mode": mode}))]
}

#[test]
fn positions_begin_where_the_family_of_the_model_has_them() {
    let mut models = Models::new();
    let shape = Shape { positions: true, ..Shape::default() };
    for (family, pad_id, first) in [
        ("bert", 0, 0),
        ("xlm-roberta", 1, 2),
        ("roberta", 1, 2),
        ("mpnet", 1, 2),
        ("camembert", 1, 2),
        ("xlm-roberta", 0, 1),
    ] {
        let name = format!("{family}-{pad_id}");
        let model = models.add(&name, shape, &[("config.json", config(family, pad_id))]);
        assert_eq!((model.first_position, model.max_tokens), (first, POSITIONS as u32 - first), "{name}");
        models.check(&model, &mean(&placed(TEXT, first as usize)));
        // The whole window, for which a table that lacks a row would be too short.
        let words = vec!["alpha"; model.max_tokens as usize - 2].join(" ");
        let vector = models.embed(&model, Role::Passage, &words);
        assert!(max_difference(&vector, &mean(&placed(&words, first as usize))) < 1e-4, "{name}");
    }
    // A graph that computes positions itself has the same window, and the digest of a model without position ids.
    let model = models.add("inside", Shape::default(), &[("config.json", config("xlm-roberta", 1))]);
    assert_eq!((model.first_position, model.max_tokens), (0, POSITIONS as u32 - 2));
    let table_size = json!({"max_seq_length": POSITIONS});
    let files = [("config.json", config("mpnet", 1)), ("sentence_bert_config.json", table_size)];
    assert_eq!(models.add("whole-table", shape, &files).max_tokens, POSITIONS as u32 - 2);
}

#[test]
fn every_way_of_pooling_gives_its_vector() {
    let mut models = Models::new();
    let tokens = tokens(TEXT);
    let count = tokens.len() as f32;
    let average = mean(&tokens);
    let greatest = |at: usize| tokens.iter().map(|token| token[at]).fold(f32::MIN, f32::max);
    let weighted = |at: usize| {
        let sum: f32 = tokens.iter().zip(1_u8..).map(|(token, weight)| token[at] * f32::from(weight)).sum();
        sum / (count * (count + 1.0) / 2.0)
    };
    for (mode, pooling, expected) in [
        ("mean", Pooling::Mean, average.clone()),
        ("cls", Pooling::Cls, tokens[0].clone()),
        ("lasttoken", Pooling::Last, tokens[tokens.len() - 1].clone()),
        ("max", Pooling::Max, (0..WIDTH).map(greatest).collect()),
        ("mean_sqrt_len_tokens", Pooling::MeanSqrtLen, average.iter().map(|x| x * count / count.sqrt()).collect()),
        ("weightedmean", Pooling::WeightedMean, (0..WIDTH).map(weighted).collect()),
    ] {
        let model = models.add(mode, Shape::default(), &pooled(mode));
        assert_eq!((model.pooling, model.normalize), (pooling, false));
        models.check(&model, &expected);
    }
    let both = json!({"pooling_mode_mean_tokens": true, "pooling_mode_cls_token": true});
    let error = models.refused("both", &[(POOLING, both)]);
    assert_eq!(error.kind, Kind::NotSupported);
    assert_eq!(error.message, "unsupported pooling cls_token and mean_tokens in 1_Pooling/config.json");
    let error = models.refused("unknown", &pooled("attention"));
    assert_eq!(error.message, "unsupported pooling \"attention\" in 1_Pooling/config.json");
    // An argument of the caller needs no file.
    let overrides = ModelOverrides { pooling: Some(Pooling::Max), ..ModelOverrides::default() };
    assert_eq!(models.client.inspect("unknown", overrides).unwrap().pooling, Pooling::Max);
}

#[test]
fn the_tokens_of_a_prompt_are_left_out_where_the_files_say_so() {
    let mut models = Models::new();
    let files = |mode: &str| {
        [
            (POOLING, json!({"word_embedding_dimension": WIDTH, "pooling_mode": mode, "include_prompt": false})),
            (WHOLE, json!({"prompts": {"query": "query : ", "document": ""}})),
        ]
    };
    let model = models.add("mean", Shape::default(), &files("mean"));
    assert!(!model.pool_prefix);
    let all = tokens(&format!("query : {TEXT}"));
    let vector = models.embed(&model, Role::Query, TEXT);
    assert!(max_difference(&vector, &mean(&all[3..])) < 1e-5, "[CLS], the prompt's two tokens");
    models.check(&model, &mean(&tokens(TEXT)));
    let model = models.add("last", Shape::default(), &files("lasttoken"));
    assert!(max_difference(&models.embed(&model, Role::Query, TEXT), &all[all.len() - 1]) < 1e-5);
    let error = models.refused("cls", &files("cls"));
    assert_eq!(error.message, "unsupported include_prompt = false in the configuration of pooling");
    // Without prompts there is no prefix to be left out.
    let [pooling, _] = files("cls");
    assert!(models.add("bare", Shape::default(), &[pooling]).pool_prefix);
    models.write("graph", Shape { pooled: true, ..Shape::default() }, &files("mean"));
    let error = models.client.inspect("graph", ModelOverrides::default()).unwrap_err();
    assert!(error.detail.unwrap().contains("The graph pools by itself"));
}

#[test]
fn prompts_of_any_name_can_be_chosen() {
    let mut models = Models::new();
    let whole =
        json!({"prompts": {"retrieval.query": "query : ", "retrieval.passage": "passage : ", "other": "other "}});
    models.write("named", Shape::default(), &[(WHOLE, whole)]);
    let unchosen = models.client.inspection("named", ModelOverrides::default()).unwrap();
    assert_eq!((unchosen.model.query_prefix.as_str(), unchosen.model.passage_prefix.as_str()), ("", ""));
    assert!(unchosen.notices[0].contains("\"retrieval.query\""), "{:?}", unchosen.notices);
    let overrides = ModelOverrides {
        query_prompt: Some("retrieval.query".into()),
        passage_prompt: Some("retrieval.passage".into()),
        ..ModelOverrides::default()
    };
    let chosen = models.client.inspection("named", overrides).unwrap();
    assert!(chosen.notices.is_empty(), "{:?}", chosen.notices);
    for (role, prompt) in [(Role::Query, "query : "), (Role::Passage, "passage : ")] {
        let vector = models.embed(&chosen.model, role, TEXT);
        assert!(max_difference(&vector, &mean(&tokens(&format!("{prompt}{TEXT}")))) < 1e-5);
    }
    let whole = json!({"prompts": {"clustering": "other ", "query": "query : "}, "default_prompt_name": "clustering"});
    models.write("default", Shape::default(), &[(WHOLE, whole)]);
    let inspection = models.client.inspection("default", ModelOverrides::default()).unwrap();
    assert_eq!(inspection.model.passage_prefix, "other ");
    assert!(inspection.notices[0].contains("\"clustering\""));
}

fn dense_configuration(activation: &str) -> Value {
    json!({"in_features": WIDTH, "out_features": 2, "bias": true, "activation_function": activation})
}

const DENSE: [f32; 2 * WIDTH] = [0.5, -0.25, 0.125, 0.0, 1.0, -0.5, -1.0, 0.75, 0.5, 0.25, -0.125, 0.0625];
const BIAS: [f32; 2] = [0.25, -0.5];

fn dense(vector: &[f32]) -> Vec<f32> {
    let product = |row: &[f32]| row.iter().zip(vector).map(|(a, b)| a * b).sum::<f32>();
    DENSE.chunks(WIDTH).zip(BIAS).map(|(row, bias)| (product(row) + bias).tanh()).collect()
}

fn unit(vector: &[f32]) -> Vec<f32> {
    let norm = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
    vector.iter().map(|x| x / norm).collect()
}

#[test]
fn modules_after_pooling_are_applied_in_their_order() {
    let mut models = Models::new();
    const TANH: &str = "torch.nn.modules.activation.Tanh";
    let average = mean(&tokens(TEXT));
    let weights = |models: &Models, name: &str| {
        let tensors: [(&str, &[usize], &[f32]); 2] =
            [("linear.weight", &[2, WIDTH], &DENSE), ("linear.bias", &[2], &BIAS)];
        table::write_weights(&models.directory.0.join(name).join("2_Dense"), &tensors);
    };
    let base = [("Transformer", ""), ("Pooling", "1_Pooling"), ("Dense", "2_Dense"), ("Normalize", "3_Normalize")];
    weights(&models, "dense");
    let files = [("modules.json", modules(&base[..3])), ("2_Dense/config.json", dense_configuration(TANH))];
    let model = models.add("dense", Shape::default(), &files);
    assert_eq!((model.dimensions, model.normalize), (2, false));
    models.check(&model, &dense(&average));
    weights(&models, "dense-normalize");
    let files = [("modules.json", modules(&base)), ("2_Dense/config.json", dense_configuration(TANH))];
    let model = models.add("dense-normalize", Shape::default(), &files);
    assert!(model.normalize);
    models.check(&model, &unit(&dense(&average)));
    weights(&models, "normalize-dense");
    let order = modules(&[base[0], base[1], base[3], base[2]]);
    let files = [("modules.json", order), ("2_Dense/config.json", dense_configuration(TANH))];
    let model = models.add("normalize-dense", Shape::default(), &files);
    models.check(&model, &dense(&unit(&average)));

    let norm: [(&str, &[usize], &[f32]); 2] =
        [("norm.weight", &[WIDTH], &[1.0, 2.0, 0.5, 1.5, -1.0, 3.0]), ("norm.bias", &[WIDTH], &[0.5; WIDTH])];
    table::write_weights(&models.directory.0.join("norm/2_LayerNorm"), &norm);
    let files = [
        ("modules.json", modules(&[base[0], base[1], ("LayerNorm", "2_LayerNorm")])),
        ("2_LayerNorm/config.json", json!({"dimension": WIDTH})),
    ];
    let model = models.add("norm", Shape::default(), &files);
    let middle = average.iter().sum::<f32>() / WIDTH as f32;
    let variance = average.iter().map(|x| (x - middle).powi(2)).sum::<f32>() / WIDTH as f32;
    let expected: Vec<f32> = average
        .iter()
        .zip(norm[0].2)
        .map(|(x, weight)| (x - middle) / (variance + 1e-5).sqrt() * weight + 0.5)
        .collect();
    models.check(&model, &expected);
    // Its weights are files of the model, whose changes are detected.
    fs::write(models.directory.0.join("norm/2_LayerNorm/model.safetensors"), "other").unwrap();
    let error = models.client.embed(&model, &[TEXT]).unwrap_err();
    assert!(error.message.contains("norm/2_LayerNorm/model.safetensors"), "{error}");
}

#[test]
fn modules_without_weights_or_with_options_socle_lacks_are_refused() {
    let mut models = Models::new();
    let chain = modules(&[("Transformer", ""), ("Pooling", "1_Pooling"), ("Dense", "2_Dense")]);
    let files = |configuration: Value| [("modules.json", chain.clone()), ("2_Dense/config.json", configuration)];
    let tanh = dense_configuration("torch.nn.modules.activation.Tanh");
    let error = models.refused("bare", &files(tanh.clone()));
    assert_eq!(error.kind, Kind::MissingFile);
    assert!(error.message.contains("2_Dense/model.safetensors"), "{error}");
    fs::create_dir_all(models.directory.0.join("pickle/2_Dense")).unwrap();
    fs::write(models.directory.0.join("pickle/2_Dense/pytorch_model.bin"), "x").unwrap();
    let error = models.refused("pickle", &files(tanh.clone()));
    assert_eq!(error.message, "unsupported weights in pytorch_model.bin in 2_Dense");
    let gelu = dense_configuration("torch.nn.modules.activation.GELU");
    let error = models.refused("gelu", &files(gelu));
    assert!(error.message.starts_with("unsupported activation function"), "{error}");
    let mut residual = tanh.clone();
    residual["use_residual"] = true.into();
    let error = models.refused("residual", &files(residual));
    assert_eq!(error.message, "unsupported option use_residual = true in 2_Dense/config.json");
    let unbiased: [(&str, &[usize], &[f32]); 1] = [("linear.weight", &[2, WIDTH], &DENSE)];
    table::write_weights(&models.directory.0.join("short/2_Dense"), &unbiased);
    let error = models.refused("short", &files(tanh.clone()));
    assert!(error.to_string().contains("linear.bias"), "{error}");
    let mut wide = tanh;
    wide["in_features"] = (WIDTH + 1).into();
    let wider: [(&str, &[usize], &[f32]); 2] =
        [("linear.weight", &[2, WIDTH + 1], &[0.5; 2 * WIDTH + 2]), ("linear.bias", &[2], &BIAS)];
    table::write_weights(&models.directory.0.join("wide/2_Dense"), &wider);
    assert_eq!(models.refused("wide", &files(wide)).kind, Kind::DimensionMismatch);

    for (name, module) in [
        ("router", "sentence_transformers.models.Router"),
        ("custom", "custom_st.Transformer"),
        ("words", "sentence_transformers.models.WordWeights"),
    ] {
        let chain = modules(&[(module, ""), ("Pooling", "1_Pooling")]);
        let error = models.refused(name, &[("modules.json", chain)]);
        assert_eq!(error.kind, Kind::NotSupported);
        assert_eq!(error.message, format!("unsupported module \"{module}\" in modules.json"));
        assert!(error.hint.unwrap().contains("pooling => 'none'"));
    }
    let error = models.refused("sparse", &[(WHOLE, json!({"model_type": "SparseEncoder"}))]);
    assert_eq!(error.message, "unsupported model type \"SparseEncoder\" in config_sentence_transformers.json");
    let task = json!({"transformer_task": "fill-mask"});
    let error = models.refused("task", &[("sentence_bert_config.json", task)]);
    assert_eq!(error.message, "unsupported transformer_task \"fill-mask\" in sentence_bert_config.json");
    let mut endless = table::tokenizer();
    endless["post_processor"] = Value::Null;
    let end = ("tokenizer_config.json", json!({"add_eos_token": true}));
    let error = models.refused("end", &[("tokenizer.json", endless), end.clone()]);
    assert_eq!(error.message, "unsupported add_eos_token in tokenizer_config.json");
    models.add("ended", Shape::default(), &[end]);
}

#[test]
fn similarity_and_length_are_those_of_the_files() {
    let mut models = Models::new();
    let average = mean(&tokens(TEXT));
    let dot = [(WHOLE, json!({"prompts": {}, "truncate_dim": 4, "similarity_fn_name": "dot"}))];
    models.write("dot", Shape::default(), &dot);
    let inspection = models.client.inspection("dot", ModelOverrides::default()).unwrap();
    let model = inspection.model;
    assert_eq!((model.similarity, model.dimensions, model.is_cosine()), (Similarity::Dot, 4, false));
    assert!(inspection.notices[0].contains("compared by dot, not by cosine"), "{:?}", inspection.notices);
    models.check(&model, &average[..4]);
    let overrides = ModelOverrides { normalize: Some(true), ..ModelOverrides::default() };
    let normalized = models.client.inspection("dot", overrides).unwrap();
    assert!(normalized.model.is_cosine() && normalized.notices.is_empty());
    assert_ne!(normalized.model.digest(), model.digest());
    models.check(&normalized.model, &unit(&average[..4]));
    let overrides = ModelOverrides { dimensions: Some(WIDTH as u32), ..ModelOverrides::default() };
    assert_eq!(models.client.inspect("dot", overrides).unwrap_err().message, "expected 6 dimensions, not 4");
    // Truncation to more dimensions than there are has no effect.
    let long = [(WHOLE, json!({"truncate_dim": 400, "similarity_fn_name": "euclidean"}))];
    let model = models.add("long", Shape::default(), &long);
    assert_eq!((model.similarity, model.dimensions), (Similarity::Euclidean, WIDTH as u32));
    let error = models.refused("unknown", &[(WHOLE, json!({"similarity_fn_name": "hamming"}))]);
    assert_eq!(error.message, "unsupported similarity \"hamming\" in config_sentence_transformers.json");
}

#[test]
fn texts_are_put_into_lower_case_where_the_files_say_so() {
    let mut models = Models::new();
    let files = [("sentence_bert_config.json", json!({"max_seq_length": 12, "do_lower_case": true}))];
    let model = models.add("lower", Shape::default(), &files);
    assert_eq!((model.lower_case, model.max_tokens), (true, 12));
    models.check(&model, &mean(&tokens(TEXT)));
    let lower = models.embed(&model, Role::Passage, "alpha beta");
    assert_eq!(models.embed(&model, Role::Passage, "Alpha BETA"), lower);
    let cased = models.add("cased", Shape::default(), &[]);
    assert!(max_difference(&models.embed(&cased, Role::Passage, "Alpha BETA"), &lower) > 0.1);
    let count = Request::CountTokens { model, content: "ALPHA Beta" };
    assert_eq!(models.client.call(&count), [Response::Count(4)]);
}

#[test]
fn inputs_and_outputs_of_other_widths_and_names_serve() {
    let mut models = Models::new();
    let average = mean(&tokens(TEXT));
    for (name, shape) in [
        ("narrow", Shape { narrow: true, ..Shape::default() }),
        ("half", Shape { half: true, ..Shape::default() }),
        ("hidden", Shape { hidden: true, ..Shape::default() }),
        ("named", Shape { output: Some("token_embeddings"), ..Shape::default() }),
        ("only", Shape { output: Some("encoded"), ..Shape::default() }),
    ] {
        let model = models.add(name, shape, &[]);
        models.check(&model, &average);
    }
    let model = models.add("pooled", Shape { pooled: true, ..Shape::default() }, &[]);
    assert_eq!((model.output.as_str(), model.pooling), ("sentence_embedding", Pooling::None));
    let tokens = tokens(TEXT);
    let greatest = |at: usize| tokens.iter().map(|token| token[at]).fold(f32::MIN, f32::max);
    models.check(&model, &(0..WIDTH).map(greatest).collect::<Vec<_>>());
    // Two outputs, neither of which has a known name.
    models.write("ambiguous", Shape { hidden: true, output: Some("encoded"), ..Shape::default() }, &[]);
    let error = models.client.inspect("ambiguous", ModelOverrides::default()).unwrap_err();
    assert_eq!(error.kind, Kind::NotSupported);
    assert!(error.to_string().contains("hidden, encoded"), "{error}");
    // The tokenizer asks for padding on the left, which is not applied: the last token is that of the text.
    let mut left = table::tokenizer();
    left["padding"] = json!({
        "strategy": {"Fixed": 10}, "direction": "Left", "pad_to_multiple_of": null, "pad_id": 0, "pad_type_id": 0,
        "pad_token": "[PAD]"
    });
    left["post_processor"] = Value::Null;
    let side = json!({"padding_side": "left", "model_max_length": 20});
    let mut files = pooled("lasttoken");
    files.extend([("tokenizer.json", left), ("tokenizer_config.json", side)]);
    let model = models.add("left", Shape::default(), &files);
    assert_eq!(model.max_tokens, 20);
    models.check(&model, &row(6));
}

#[test]
fn a_transformer_may_have_a_directory_of_its_own() {
    let mut models = Models::new();
    let chain = modules(&[("Transformer", "0_Transformer"), ("Pooling", "1_Pooling")]);
    let files = [
        ("modules.json", chain),
        ("0_Transformer/config.json", config("xlm-roberta", 1)),
        ("0_Transformer/sentence_roberta_config.json", json!({"max_seq_length": 10})),
    ];
    let shape = Shape { positions: true, ..Shape::default() };
    let model = models.add("beside", shape, &files);
    assert_eq!((model.max_tokens, model.first_position), (10, 2));
    models.check(&model, &mean(&placed(TEXT, 2)));
    let below = models.directory.0.join("beside");
    for file in ["model.onnx", "tokenizer.json"] {
        fs::rename(below.join(file), below.join("0_Transformer").join(file)).unwrap();
    }
    let inside = models.client.model("beside");
    assert_eq!(inside.graph.path, "0_Transformer/model.onnx");
    assert_eq!(inside.digest(), model.digest());
    models.check(&inside, &mean(&placed(TEXT, 2)));
    assert!(models.engine.process.try_wait().unwrap().is_none());
}
