//! Elements of OpenDocument texts and presentations that are skipped with their content.

use crate::xml::Element;

/// Whether an element says of itself that it is not shown: a section, or a shape.
pub(super) fn is_hidden(element: &Element<'_>) -> bool {
    let name = element.name().full();
    let is_on = |attribute: &str, value: &str| element.get(attribute).as_deref() == Some(value);
    match name {
        "text:section" => is_on("display", "none") || is_on("is-hidden", "true"),
        _ => name.starts_with("draw:") && is_on("display", "none"),
    }
}

/// Whether an element is skipped with its content: comments, deleted text, note numbers, ruby text, descriptions of
/// pictures, index templates.
pub(super) fn is_left_out(name: &str) -> bool {
    matches!(
        name,
        "office:annotation"
            | "text:tracked-changes"
            | "text:note-citation"
            | "text:ruby-text"
            | "svg:title"
            | "svg:desc"
            | "office:forms"
            | "text:table-of-content-source"
            | "text:alphabetical-index-source"
            | "text:illustration-index-source"
            | "text:table-index-source"
            | "text:bibliography-source"
            | "text:user-index-source"
            | "text:object-index-source"
            | "text:hidden-text"
            | "office:binary-data"
            | "office:event-listeners"
            | "presentation:settings"
    )
}
