//! The common base of Office Open XML documents: relationships between parts, and metadata.

use crate::archive::Archive;
use crate::picture::write_referenced;
use crate::xml::{Token, Xml, decoded};
use crate::{Limits, Writer};
use socle_core::Result;
use std::ops::Range;

/// A relationship to another part.
#[derive(Debug)]
pub struct Relation {
    /// The identifier used in the referring part.
    pub id: String,
    /// The last segment of the type, e.g. `styles`. The prefix differs between variants of the standard.
    pub kind: String,
    /// The name of the part.
    pub target: String,
}

/// The relationships of a part, or of the package if `part` is empty, without external targets.
///
/// # Errors
/// As [`Archive::read`].
pub fn relations(archive: &mut Archive<'_>, part: &str, limits: &mut Limits) -> Result<Vec<Relation>> {
    let folder = part.rsplit_once('/').map_or("", |(folder, _)| folder);
    let Some(bytes) = archive.read(&relations_of(part), limits)? else { return Ok(Vec::new()) };
    let text = decoded(&bytes);
    let mut xml = Xml::new(&text);
    let mut relations = Vec::new();
    while let Some(token) = xml.next()? {
        let Token::Start(element) = token else { continue };
        if element.name().local() != "Relationship" || element.get("TargetMode").as_deref() == Some("External") {
            continue;
        }
        if let (Some(id), Some(kind), Some(target)) = (element.get("Id"), element.get("Type"), element.get("Target")) {
            let kind = kind.rsplit('/').next().unwrap_or_default().to_string();
            relations.push(Relation { id, kind, target: resolved(folder, &target) });
        }
    }
    Ok(relations)
}

/// The name of the relationships part of `part`.
pub fn relations_of(part: &str) -> String {
    match part.rsplit_once('/') {
        Some((folder, file)) => format!("{folder}/_rels/{file}.rels"),
        None => format!("_rels/{part}.rels"),
    }
}

/// The name of the main part.
///
/// # Errors
/// As [`Archive::read`].
pub fn main_part(archive: &mut Archive<'_>, usual: &str, limits: &mut Limits) -> Result<String> {
    let relations = relations(archive, "", limits)?;
    let main = relations.into_iter().find(|relation| relation.kind == "officeDocument");
    Ok(main.map_or_else(|| usual.to_string(), |relation| relation.target))
}

/// Reads the metadata. Damaged metadata is ignored.
///
/// # Errors
/// As [`Archive::read`].
pub fn metadata(archive: &mut Archive<'_>, writer: &mut Writer) -> Result<()> {
    for name in ["docProps/core.xml", "docProps/app.xml"] {
        let Some(bytes) = archive.read(name, writer.limits())? else { continue };
        let text = decoded(&bytes);
        let mut xml = Xml::new(&text);
        while let Ok(Some(token)) = xml.next() {
            let Token::Start(element) = token else { continue };
            let name = element.name().local();
            if !matches!(name, "title" | "creator" | "language" | "created" | "modified" | "Pages" | "Slides") {
                continue;
            }
            let Ok(value) = xml.text() else { break };
            let value = value.trim().to_string();
            if value.is_empty() {
                continue;
            }
            let metadata = writer.metadata();
            match element.name().local() {
                "title" => metadata.title = Some(value),
                "creator" => metadata.author = Some(value),
                "language" => metadata.language = Some(value),
                "created" => metadata.created = Some(value),
                "modified" => metadata.modified = Some(value),
                _ => metadata.page_count = value.parse().ok().filter(|count| *count > 0),
            }
        }
    }
    Ok(())
}

/// Writes the text of the pictures that a part refers to; see [`crate::picture::write_referenced`].
///
/// # Errors
/// Those of the recognizer and of [`crate::extract`].
pub fn pictures(
    archive: &mut Archive<'_>,
    parts: &[Relation],
    within: Range<usize>,
    writer: &mut Writer,
) -> Result<()> {
    let load = &mut |id: &str, writer: &mut Writer| {
        let Some(part) = parts.iter().find(|part| part.id == id) else { return Ok(None) };
        archive.read(&part.target, writer.limits())
    };
    write_referenced(within, writer, load).map(drop)
}

/// Resolves a target relative to the folder of the referring part.
pub fn resolved(folder: &str, target: &str) -> String {
    if let Some(absolute) = target.strip_prefix('/') {
        return absolute.to_string();
    }
    let mut path: Vec<&str> = folder.split('/').filter(|segment| !segment.is_empty()).collect();
    for segment in target.split('/') {
        match segment {
            "" | "." => {}
            ".." => drop(path.pop()),
            _ => path.push(segment),
        }
    }
    path.join("/")
}

#[cfg(test)]
mod tests {
    use super::resolved;

    #[test]
    fn targets_are_relative_to_the_folder_of_their_part() {
        assert_eq!(resolved("ppt/slides", "../notesSlides/notesSlide1.xml"), "ppt/notesSlides/notesSlide1.xml");
        assert_eq!(resolved("word", "/word/styles.xml"), "word/styles.xml");
        assert_eq!(resolved("", "../../word/document.xml"), "word/document.xml");
    }
}
