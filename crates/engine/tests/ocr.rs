//! Text of pictures, with the real graphs. `data/page.pbm` is a page of eight lines in six languages, set in Liberation;
//! `data/codes.pgm` lines of small print with the numbers of a firm.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use socle_child::directory::ModelRoot;
use socle_core::Kind;
use socle_core::model::{ModelKind, ModelOverrides, ModelSpec};
use socle_engine::model::inspect::inspect;
use socle_engine::model::resident::ResidentModel;
use socle_engine::model::runtime::Runtime;
use socle_ocr::{Channels, Picture, Recognized};
use std::path::Path;
use std::sync::LazyLock;
use support::{MINILM, Scratch, models, onnxruntime};

const OCR: &str = "pp-ocrv6-small";

const LINES: [&str; 8] = [
    "Rapport annuel",
    "Les élèves français ont déjà reçu leurs œuvres à Noël.",
    "Straße und Größe: für Übungen genügen zehn Äpfel.",
    "Zażółć gęślą jaźń, łódź płynie w świetle księżyca.",
    "Příliš žlutoučký kůň úpěl ďábelské ódy o řece.",
    "El niño bebió agua de la montaña y pidió más.",
    "Perché la città è così bella? Più tardi lo saprò.",
    "IBAN FR76 3000 6000 0112 3456 7890 189, 1.234,56 EUR",
];

/// The page, black on white.
fn page() -> Picture {
    let file = include_bytes!("data/page.pbm");
    let begin = file.iter().enumerate().filter(|(_, byte)| **byte == b'\n').nth(1).unwrap().0 + 1;
    let (width, height) = (1000, 430);
    let row = |row: &[u8]| -> Vec<u8> {
        (0..width).map(|x| if row[x / 8] & (0x80 >> (x % 8)) == 0 { 255 } else { 0 }).collect()
    };
    let pixels = file[begin..].chunks_exact(width / 8).take(height).flat_map(row).collect();
    grey(width, height, pixels)
}

fn grey(width: usize, height: usize, pixels: Vec<u8>) -> Picture {
    Picture { width: width as u32, height: height as u32, channels: Channels::Grey, pixels, dpi: None }
}

/// The picture after a quarter turn clockwise.
fn turned(picture: &Picture) -> Picture {
    let (width, height) = (picture.width as usize, picture.height as usize);
    let pixels = (0..width).flat_map(|x| (0..height).rev().map(move |y| picture.pixels[y * width + x])).collect();
    grey(height, width, pixels)
}

/// The picture turned by some degrees clockwise, on a larger one.
fn skewed(picture: &Picture, degrees: f32) -> Picture {
    let (width, height) = (picture.width as f32, picture.height as f32);
    let (sin, cos) = degrees.to_radians().sin_cos();
    let at = |x: usize, y: usize| {
        let (x, y) = (x as f32 - width / 2.0 - 50.0, y as f32 - height / 2.0 - 50.0);
        let (x, y) = (x * cos + y * sin + width / 2.0, y * cos - x * sin + height / 2.0);
        let inside = x >= 0.0 && y >= 0.0 && x < width && y < height;
        if inside { picture.pixels[y as usize * picture.width as usize + x as usize] } else { 255 }
    };
    let (wide, high) = (picture.width as usize + 100, picture.height as usize + 100);
    grey(wide, high, (0..high).flat_map(|y| (0..wide).map(move |x| at(x, y))).collect())
}

/// The one that a process may have.
static RUNTIME: LazyLock<Runtime> = LazyLock::new(|| Runtime::new(Path::new(&onnxruntime())));

struct Loaded {
    spec: ModelSpec,
    resident: ResidentModel,
}

impl Loaded {
    fn new() -> Self {
        let root = ModelRoot::open(&models()).unwrap();
        let (inspection, resident) = inspect(&root, &RUNTIME, "ocr", OCR, &ModelOverrides::default()).unwrap();
        Self { spec: inspection.model, resident }
    }

    fn read(&self, picture: Picture) -> Recognized {
        let parts = self.resident.model.ocr().unwrap().parts();
        let options = RUNTIME.run_options().unwrap();
        socle_ocr::recognize(picture, &parts.graphs(&options), parts.characters()).unwrap()
    }
}

fn lines(recognized: &Recognized) -> Vec<String> {
    let lines = recognized.words.chunk_by(|a, b| a.line == b.line);
    lines.map(|words| words.iter().map(|word| word.text.as_str()).collect::<Vec<_>>().join(" ")).collect()
}

/// Characters of the page that were read otherwise, of 373. The háček of ď looks like an apostrophe in this type.
fn wrong(recognized: &Recognized) -> usize {
    let read = lines(recognized);
    assert_eq!(read.len(), LINES.len(), "{read:?}");
    read.iter().zip(LINES).map(|(read, line)| distance(read, line)).sum()
}

/// Fewest characters to insert, remove or replace.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (at, letter) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = at + 1;
        for (column, other) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = replaced.min(row[column] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

#[test]
fn a_page_is_read_word_by_word_with_the_accents_of_six_languages() {
    let recognized = Loaded::new().read(page());
    assert!(wrong(&recognized) <= 2, "{:#?}", lines(&recognized));
    assert_eq!((recognized.rotation, recognized.skew_degrees.abs() < 0.3), (0, true));
    assert!(recognized.confidence().unwrap() > 0.95);
    let (boxes, width, height) = recognized.upright(1000, 430);
    assert_eq!((width, height), (1000.0, 430.0));
    for (pair, words) in boxes.windows(2).zip(recognized.words.windows(2)) {
        if words[0].line == words[1].line {
            let gap = pair[1].left - pair[0].right;
            assert!((3.0..25.0).contains(&gap), "{gap} between {:?} and {:?}", words[0].text, words[1].text);
        } else {
            assert!(pair[1].top > pair[0].top);
        }
    }
    let annuel = &boxes[1];
    assert!((222.0 - annuel.left).abs() < 4.0 && (359.0 - annuel.right).abs() < 4.0, "{annuel:?}");
}

#[test]
fn digits_that_repeat_in_a_long_line_of_small_print_are_all_read() {
    let (width, height, whole) = (1352, 50, 1520);
    let file = include_bytes!("data/codes.pgm");
    let mut pixels = vec![255; whole * 200];
    for (row, line) in file[file.len() - width * height..].chunks_exact(width).enumerate() {
        pixels[(row + 16) * whole..][..width].copy_from_slice(line);
    }
    let recognized = Loaded::new().read(grey(whole, 200, pixels));
    let words: Vec<&str> = recognized.words.iter().map(|word| word.text.as_str()).collect();
    for code in ["DE98ZZZ09999999999", "1000000000001", "DE12000000000000111111"] {
        assert_eq!(words.iter().filter(|word| **word == code).count(), 2, "{words:?}");
    }
}

#[test]
fn a_page_on_its_side_or_its_head_reads_as_the_upright_one() {
    let loaded = Loaded::new();
    let mut picture = page();
    let upright = loaded.read(page());
    let (boxes, ..) = upright.upright(1000, 430);
    for rotation in [3, 2, 1] {
        picture = turned(&picture);
        let recognized = loaded.read(picture.clone());
        assert_eq!(recognized.rotation, rotation);
        assert!(wrong(&recognized) <= 4, "{:#?}", lines(&recognized));
        let (turned_boxes, width, height) = recognized.upright(picture.width, picture.height);
        assert_eq!((width, height), (1000.0, 430.0));
        let (first, same) = (boxes[0], turned_boxes[0]);
        assert!((first.left - same.left).abs() < 8.0 && (first.top - same.top).abs() < 12.0, "{first:?} {same:?}");
    }
}

#[test]
fn a_page_that_lies_askew_or_is_pale_or_bright_on_dark_is_read() {
    let loaded = Loaded::new();
    for degrees in [2.0, -3.0] {
        let recognized = loaded.read(skewed(&page(), degrees));
        assert!((recognized.skew_degrees - degrees).abs() < 0.4, "{degrees}: {}", recognized.skew_degrees);
        // The letters of the test are turned without care for their edges.
        assert!(wrong(&recognized) <= 12, "{:#?}", lines(&recognized));
    }
    for (black, white) in [(150, 200), (230, 20)] {
        let mut picture = page();
        picture.pixels.iter_mut().for_each(|pixel| *pixel = if *pixel == 0 { black } else { white });
        let recognized = loaded.read(picture);
        assert!(wrong(&recognized) <= 4, "{black} on {white}: {:#?}", lines(&recognized));
    }
}

#[test]
fn an_empty_page_has_no_words() {
    let loaded = Loaded::new();
    for value in [0, 128, 255] {
        let recognized = loaded.read(grey(600, 800, vec![value; 600 * 800]));
        assert_eq!(recognized.words, [], "{value}");
        assert_eq!(recognized.confidence(), None);
    }
    assert!(loaded.read(grey(1, 1, vec![0])).words.is_empty());
}

#[test]
fn a_model_of_pictures_is_registered_with_three_graphs_and_what_it_cannot_write() {
    let spec = Loaded::new().spec;
    let graphs = spec.ocr.clone().unwrap();
    assert_eq!((spec.kind, spec.graph.path.as_str()), (ModelKind::Ocr, "recognition.onnx"));
    assert_eq!((graphs.detection.path.as_str(), spec.tokenizer.path.as_str()), ("detection.onnx", "recognition.onnx"));
    for written in ["english", "french", "german", "polish", "czech", "italian", "swedish"] {
        assert_eq!(graphs.missing_letters(written), "", "{written}");
    }
    assert!(graphs.missing_letters("russian").contains('ж'));
    let mut other = spec.clone();
    other.ocr.as_mut().unwrap().detection.sha256 = "0".repeat(64);
    assert_ne!(spec.digest(), other.digest());
}

/// The error of registering a directory with these copies of files, each as `(file of the model, name)`.
fn refusal(files: &[(&str, &str)], overrides: &ModelOverrides) -> socle_core::Error {
    let scratch = Scratch::new();
    let directory = scratch.0.join("mixed");
    std::fs::create_dir(&directory).unwrap();
    for (from, to) in files {
        std::fs::copy(models().join(from), directory.join(to)).unwrap();
    }
    let root = ModelRoot::open(&scratch.0).unwrap();
    inspect(&root, &RUNTIME, "mixed", "mixed", overrides).unwrap_err()
}

#[test]
fn graphs_that_are_missing_or_mixed_up_are_refused_by_name() {
    let (detection, recognition) = (format!("{OCR}/detection.onnx"), format!("{OCR}/recognition.onnx"));
    let text = format!("{MINILM}/model.onnx");
    let ocr = ModelOverrides { kind: Some(ModelKind::Ocr), ..ModelOverrides::default() };
    let missing = refusal(&[(&recognition, "recognition.onnx")], &ocr);
    assert_eq!(missing.kind, Kind::MissingFile);
    assert!(missing.message.contains("detection.onnx"), "{missing:?}");
    let swapped = refusal(&[(&recognition, "detection.onnx"), (&detection, "recognition.onnx")], &ocr);
    assert_eq!(swapped.kind, Kind::DamagedModelFile, "{swapped:?}");
    let of_text = refusal(&[(&text, "detection.onnx"), (&recognition, "recognition.onnx")], &ocr);
    assert_eq!(of_text.kind, Kind::DamagedModelFile, "{of_text:?}");
    let files = [(detection.as_str(), "detection.onnx"), (recognition.as_str(), "recognition.onnx")];
    let pooled = refusal(&files, &ModelOverrides { dimensions: Some(3), ..ocr });
    assert_eq!(
        (pooled.kind, pooled.message.as_str()),
        (Kind::InvalidArgument, "a model of kind ocr has no dimensions")
    );
}

#[test]
fn a_model_of_texts_reads_no_pictures_and_one_of_pictures_no_texts() {
    let engine = support::Engine::start();
    let mut client = engine.connect();
    let spec = client.model(OCR);
    let error = client.embed(&spec, &["text"]).unwrap_err();
    assert_eq!(error.kind, Kind::WrongModelKind, "{error:?}");
    let root = ModelRoot::open(&models()).unwrap();
    let (_, resident) = inspect(&root, &RUNTIME, "m", MINILM, &ModelOverrides::default()).unwrap();
    assert_eq!(resident.model.ocr().unwrap_err().kind, Kind::WrongModelKind);
}
