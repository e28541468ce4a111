//! What a text is, by its shape: HTML, a mail, rows of cells.

use crate::mail::separates;

/// Lines that are looked at.
const LINES: usize = 30;
/// Elements that begin a part of a page, as browsers guess it.
const ELEMENTS: &[&str] = &[
    "a",
    "article",
    "b",
    "blockquote",
    "body",
    "br",
    "center",
    "div",
    "font",
    "h1",
    "h2",
    "h3",
    "head",
    "header",
    "iframe",
    "img",
    "link",
    "main",
    "meta",
    "nav",
    "ol",
    "p",
    "pre",
    "script",
    "section",
    "span",
    "style",
    "table",
    "title",
    "ul",
];

/// Whether a text is HTML for certain (`true`), or looks like a part of it (`false`).
pub(super) fn html(text: &str) -> Option<bool> {
    let (root, after) = root(text)?;
    let name: String = root.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == ':').collect();
    match name.to_ascii_lowercase().as_str() {
        "html" | "xhtml:html" => Some(true),
        "head" | "body" => Some(true),
        "" if after => Some(true),
        name => ELEMENTS.contains(&name).then_some(after),
    }
}

/// What follows the first `<` of an element, and whether a doctype of HTML stood before it.
pub(crate) fn root(text: &str) -> Option<(&str, bool)> {
    let mut rest = text.trim_start_matches(['\u{feff}', ' ', '\t', '\r', '\n']);
    let mut declared = false;
    loop {
        rest = rest.trim_start();
        let skipped = if rest.starts_with("<!--") {
            rest.split_once("-->")
        } else if rest.starts_with("<?") {
            rest.split_once("?>")
        } else if let Some(doctype) = rest.strip_prefix("<!") {
            declared = declared
                || doctype.get(..12).is_some_and(|start| start.to_ascii_lowercase().starts_with("doctype html"));
            rest.split_once('>')
        } else {
            None
        };
        match skipped {
            Some((_, after)) => rest = after,
            None if declared => return Some((rest.strip_prefix('<').unwrap_or_default(), true)),
            None => return rest.strip_prefix('<').map(|root| (root, false)),
        }
    }
}

/// Whether a text begins with the head of a mail. `expected`: the sender says that it is one.
pub(super) fn is_mail(text: &str, expected: bool) -> bool {
    // Lines without anything may stand before the head.
    let mut text = text.trim_start_matches('\u{feff}');
    while let Some((_, after)) = text.split_once('\n').filter(|(first, _)| first.trim().is_empty()) {
        text = after;
    }
    let mut lines = text.lines().peekable();
    if lines.peek().is_some_and(|line| line.starts_with("From ") && line.contains(':')) {
        lines.next();
    }
    // A mailbox says so at once.
    let (mut fields, mut sure, mut begun) = (Vec::new(), usize::from(separates(text.as_bytes())), false);
    for line in lines.take(200) {
        if line.starts_with([' ', '\t']) && begun {
            continue;
        }
        let Some((name, _)) = line.split_once(':') else { break };
        let is_name = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        if name.is_empty() || !is_name {
            break;
        }
        begun = true;
        let name = name.to_ascii_lowercase();
        sure += usize::from(matches!(
            name.as_str(),
            "received" | "message-id" | "mime-version" | "return-path" | "delivered-to" | "dkim-signature"
        ));
        if matches!(name.as_str(), "from" | "to" | "cc" | "subject" | "date" | "sender" | "reply-to" | "content-type")
            && !fields.contains(&name)
        {
            fields.push(name);
        }
    }
    let count = fields.len() + sure;
    let known = fields.iter().any(|field| field != "content-type");
    (expected && count > 0) || (sure > 0 && count >= 2) || (known && count >= 3)
}

/// The sign that separates the cells of a text that is clearly rows of them.
pub(crate) fn delimiter(text: &str, is_whole: bool) -> Option<u8> {
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).take(LINES).collect();
    if !is_whole && lines.len() < LINES {
        lines.pop();
    }
    // Lines of a table in markdown.
    if lines.len() < 3 || lines.iter().all(|line| line.trim_start().starts_with('|')) {
        return None;
    }
    [b'\t', b';', b',', b'|'].into_iter().find(|delimiter| {
        let mut counts = lines.iter().map(|line| cells(line, *delimiter));
        let first = counts.next().flatten();
        // Two cells in each line may be chance, except for tabs.
        let least = if *delimiter == b'\t' { 2 } else { 3 };
        first.is_some_and(|count| count >= least) && counts.all(|count| count == first)
    })
}

/// Number of cells of a line; nothing if a cell in quotation marks goes on in the next line, or is a whole sentence.
pub(crate) fn cells(line: &str, delimiter: u8) -> Option<usize> {
    let (mut count, mut quoted, mut length) = (1, false, 0);
    for byte in line.bytes() {
        length += 1;
        match byte {
            b'"' => quoted = !quoted,
            _ if byte == delimiter && !quoted => {
                count += 1;
                length = 0;
            }
            _ if length > 200 => return None,
            _ => {}
        }
    }
    (!quoted).then_some(count)
}
