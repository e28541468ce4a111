//! Annotations: form fields and free text. Without an appearance stream, the value is placed into the rectangle.
//! Comments and other markup annotations are left out.

use super::content::Run;
use super::metadata::text_string;
use hayro_syntax::Pdf;
use hayro_syntax::object::{Array, Dict, Name, Object, Stream, String as PdfString};
use hayro_syntax::page::{Page, Resources};
use socle_core::Result;

/// Maximum depth of the field tree.
const MAX_PARENTS: usize = 32;
/// Maximum length of a value in bytes.
const MAX_VALUE: usize = 1 << 20;
/// Bits of the flags of annotations and of fields (ISO 32000-1, tables 165, 226, 228).
const HIDDEN: i64 = 0b10_0010;
const MULTILINE: i64 = 1 << 12;
const PASSWORD: i64 = 1 << 13;
const PUSHBUTTON: i64 = 1 << 16;

/// The interactive form of a document.
#[derive(Default)]
pub(super) struct Form<'a> {
    /// Default resources, with the fonts of fields that have none of their own.
    pub(super) resources: Option<Resources<'a>>,
    /// Whether appearance streams may be out of date (`NeedAppearances`).
    outdated: bool,
    appearance: Option<Vec<u8>>,
}

impl<'a> Form<'a> {
    pub(super) fn of(pdf: &'a Pdf) -> Self {
        let catalog = pdf.xref().get::<Dict<'a>>(pdf.xref().root_id());
        let Some(form) = catalog.and_then(|catalog| catalog.get::<Dict<'a>>("AcroForm")) else {
            return Self::default();
        };
        Self {
            resources: form.get::<Dict<'a>>("DR").map(Resources::new),
            outdated: form.get::<bool>("NeedAppearances").unwrap_or(false),
            appearance: form.get::<PdfString<'a>>("DA").map(|text| text.as_bytes().to_vec()),
        }
    }

    /// Draws the fields and free-text annotations of a page.
    ///
    /// # Errors
    /// As [`Run::run`].
    pub(super) fn draw(&self, run: &mut Run<'_, 'a>, page: &Page<'a>) -> Result<()> {
        for annotation in page.raw().get::<Array<'a>>("Annots").iter().flat_map(|list| list.iter::<Dict<'a>>()) {
            let subtype = annotation.get::<Name<'a>>("Subtype");
            let shown = annotation.get::<i64>("F").unwrap_or(0) & HIDDEN == 0;
            let known = subtype.is_some_and(|name| matches!(name.as_ref(), b"Widget" | b"FreeText" | b"Stamp"));
            let Some(rect) = annotation.get::<[f64; 4]>("Rect").filter(|_| shown && known) else { continue };
            let value = value(&annotation, run)?;
            let appearance = appearance(&annotation).filter(|_| !(self.outdated && value.is_some()));
            let before = run.length();
            if let Some(stream) = appearance {
                run.annotation(&stream, rect, page.resources())?;
            }
            if let Some(value) = value.filter(|_| run.length() == before) {
                let own = holder(&annotation, "DA")
                    .and_then(|field| field.get::<PdfString<'a>>("DA"))
                    .map(|text| text.as_bytes().to_vec());
                let size = own.as_ref().or(self.appearance.as_ref()).and_then(|operations| size(operations));
                run.write(&value.text, rect, size, value.lines);
            }
        }
        Ok(())
    }
}

/// The value of a field or annotation.
struct Value {
    text: String,
    /// Whether it has several lines.
    lines: bool,
}

pub(super) fn appearance<'a>(annotation: &Dict<'a>) -> Option<Stream<'a>> {
    match annotation.get::<Dict<'a>>("AP")?.get::<Object<'a>>("N")? {
        Object::Stream(stream) => Some(stream),
        Object::Dict(states) => states.get::<Stream<'a>>(state(annotation)?),
        _ => None,
    }
}

/// The appearance state of a check box.
fn state<'a>(annotation: &Dict<'a>) -> Option<Name<'a>> {
    annotation.get::<Name<'a>>("AS").or_else(|| holder(annotation, "V")?.get::<Name<'a>>("V"))
}

/// The value of a field or annotation; `None` if it has none.
fn value<'a>(annotation: &Dict<'a>, run: &mut Run<'_, 'a>) -> Result<Option<Value>> {
    if annotation.get::<Name<'a>>("Subtype").is_some_and(|subtype| subtype.as_ref() == b"FreeText") {
        let text = annotation.get::<PdfString<'a>>("Contents");
        return Ok(text.and_then(|text| filled(text_string(text.as_bytes()), true)));
    }
    let flags = holder(annotation, "Ff").and_then(|field| field.get::<i64>("Ff")).unwrap_or(0);
    let Some(kind) = holder(annotation, "FT").and_then(|field| field.get::<Name<'a>>("FT")) else { return Ok(None) };
    let value = holder(annotation, "V").and_then(|field| field.get::<Object<'a>>("V"));
    Ok(match (kind.as_ref(), value) {
        (b"Tx", Some(Object::String(text))) if flags & PASSWORD == 0 => {
            filled(text_string(text.as_bytes()), flags & MULTILINE != 0)
        }
        (b"Tx", Some(Object::Stream(stream))) if flags & PASSWORD == 0 => {
            run.unpack(&stream)?.and_then(|text| filled(text_string(&text), flags & MULTILINE != 0))
        }
        (b"Ch", Some(Object::String(text))) => filled(text_string(&option(annotation, text.as_bytes())), false),
        (b"Ch", Some(Object::Array(list))) => {
            let shown: Vec<String> =
                list.iter::<PdfString<'a>>().map(|text| text_string(&option(annotation, text.as_bytes()))).collect();
            filled(shown.join("\n"), shown.len() > 1)
        }
        (b"Btn", _) if flags & PUSHBUTTON == 0 && state(annotation).is_some_and(|state| state.as_ref() != b"Off") => {
            filled("✓".to_string(), false)
        }
        _ => None,
    })
}

fn filled(text: String, lines: bool) -> Option<Value> {
    (!text.trim().is_empty() && text.len() <= MAX_VALUE).then_some(Value { text, lines })
}

/// The display text of a choice value.
fn option(annotation: &Dict<'_>, value: &[u8]) -> Vec<u8> {
    let options = holder(annotation, "Opt").and_then(|field| field.get::<Array<'_>>("Opt"));
    let pairs = options.iter().flat_map(|options| options.iter::<Array<'_>>());
    let mut named = pairs.filter_map(|pair| {
        let mut pair = pair.iter::<PdfString<'_>>();
        (pair.next()?.as_bytes() == value).then(|| pair.next()).flatten()
    });
    named.next().map_or_else(|| value.to_vec(), |shown| shown.as_bytes().to_vec())
}

/// The field or the nearest ancestor that has an entry.
fn holder<'a>(field: &Dict<'a>, key: &str) -> Option<Dict<'a>> {
    let mut field = field.clone();
    for _ in 0..MAX_PARENTS {
        if field.contains_key(key) {
            return Some(field);
        }
        field = field.get::<Dict<'a>>("Parent")?;
    }
    None
}

/// The font size in a default appearance string; `None` for automatic size.
fn size(operations: &[u8]) -> Option<f64> {
    let text = String::from_utf8_lossy(operations);
    let words: Vec<&str> = text.split_whitespace().collect();
    let at = words.iter().rposition(|word| *word == "Tf")?;
    words.get(at.checked_sub(1)?)?.parse().ok().filter(|size| *size > 0.0)
}
