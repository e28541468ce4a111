//! Content sniffing of text: HTML, mail, delimiter-separated values.

/// Number of lines that are examined.
const LINES: usize = 30;
/// Elements with which an HTML fragment may start.
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

/// `Some(true)` if the text is certainly HTML, `Some(false)` if it may be a fragment, else `None`.
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

/// The text after the `<` of the root element, and whether an HTML doctype precedes it.
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

/// Whether a text starts with a mail header. `expected`: the hints indicate a mail.
pub(super) fn is_mail(text: &str, expected: bool) -> bool {
    // Empty lines may precede the header.
    let mut text = text.trim_start_matches('\u{feff}');
    while let Some((_, after)) = text.split_once('\n').filter(|(first, _)| first.trim().is_empty()) {
        text = after;
    }
    let mut lines = text.lines().peekable();
    if lines.peek().is_some_and(|line| line.starts_with("From ") && line.contains(':')) {
        lines.next();
    }
    // The separator of a mailbox is certain evidence.
    let (mut fields, mut sure, mut begun) = (Vec::new(), usize::from(is_mbox_separator(text.as_bytes())), false);
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

/// Whether `bytes` start with a separator line of a mailbox (mbox), followed by a mail header.
pub(crate) fn is_mbox_separator(bytes: &[u8]) -> bool {
    let mut lines = bytes.split(|byte| *byte == b'\n');
    let (Some(first), Some(second)) = (lines.next(), lines.next()) else { return false };
    let has_time = first.split(|byte| *byte == b' ').any(|word| {
        let word = word.trim_ascii_end();
        word.len() >= 4 && word.contains(&b':') && word.iter().all(|byte| byte.is_ascii_digit() || *byte == b':')
    });
    let name = second.split(|byte| *byte == b':').next().filter(|name| name.len() < second.len());
    let is_field = |name: &[u8]| !name.is_empty() && name.iter().all(|byte| byte.is_ascii_graphic());
    first.starts_with(b"From ") && has_time && name.is_some_and(is_field)
}

/// The delimiter of a text that clearly consists of delimiter-separated values.
pub(crate) fn delimiter(text: &str, is_whole: bool) -> Option<u8> {
    let mut lines: Vec<&str> = text.lines().filter(|line| !line.trim().is_empty()).take(LINES).collect();
    if !is_whole && lines.len() < LINES {
        lines.pop();
    }
    // Not a Markdown table.
    if lines.len() < 3 || lines.iter().all(|line| line.trim_start().starts_with('|')) {
        return None;
    }
    [b'\t', b';', b',', b'|'].into_iter().find(|delimiter| {
        let mut counts = lines.iter().map(|line| cells(line, *delimiter));
        let first = counts.next().flatten();
        // Two cells per line may be coincidence, except with tabs.
        let least = if *delimiter == b'\t' { 2 } else { 3 };
        first.is_some_and(|count| count >= least) && counts.all(|count| count == first)
    })
}

/// Number of cells of a line; `None` if a quoted cell continues on the next line or a cell is longer than 200 bytes.
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
