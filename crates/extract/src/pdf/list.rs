//! Markers of list items.

/// The marker of a list item.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Mark {
    /// A bullet.
    Bullet,
    /// A number with a full stop or parenthesis.
    Number(u64),
    /// A letter or another marker that stays in the text.
    MailMessage,
}

/// The marker of a list item and the text after it; `None` for other text.
pub(super) fn item(text: &str) -> Option<(Mark, &str)> {
    let (first, rest) = text.split_once(' ')?;
    let rest = rest.trim_start();
    match mark(first)? {
        Mark::MailMessage => Some((Mark::MailMessage, text)),
        mark => Some((mark, rest)),
    }
}

/// Whether a text consists of a marker.
pub(super) fn is_mark(text: &str) -> bool {
    mark(text.trim()).is_some()
}

/// Whether a text is an unambiguous bullet character.
pub(super) fn is_bullet(text: &str) -> bool {
    matches!(text, "•" | "◦" | "▪" | "▫" | "‣" | "⁃" | "●" | "○" | "■" | "□" | "➢" | "➤" | "✓" | "◆" | "▶")
}

/// Whether a text is a section number, such as "2.1", or in bold "2".
pub(super) fn is_section(text: &str, bold: bool) -> bool {
    let text = text.trim();
    let text = text.strip_suffix('.').unwrap_or(text);
    let parts = text.split('.').count();
    let figures = |part: &str| (1..=2).contains(&part.len()) && part.bytes().all(|b| b.is_ascii_digit());
    let letter = |part: &str| part.len() == 1 && part.bytes().all(|b| b.is_ascii_uppercase());
    let fits = text.split('.').enumerate().all(|(at, part)| figures(part) || (at == 0 && letter(part)));
    fits && (bold || (2..=5).contains(&parts) && text.split('.').all(|part| part != "0" && part.len() < 3))
}

fn mark(word: &str) -> Option<Mark> {
    let mut letters = word.chars();
    let first = letters.next()?;
    if letters.as_str().is_empty() {
        let bullet = matches!(
            first,
            '•' | '◦'
                | '▪'
                | '▫'
                | '‣'
                | '⁃'
                | '●'
                | '○'
                | '■'
                | '□'
                | '➢'
                | '➤'
                | '✓'
                | '–'
                | '—'
                | '-'
                | '*'
                | '·'
                | '∙'
                | '◆'
                | '▶'
        );
        return bullet.then_some(Mark::Bullet);
    }
    if let Some(inner) = word.strip_prefix('(').and_then(|word| word.strip_suffix(')')) {
        return short(inner).then_some(Mark::MailMessage);
    }
    let inner = word.strip_suffix(['.', ')'])?;
    if (1..=3).contains(&inner.len()) && inner.bytes().all(|b| b.is_ascii_digit()) {
        return inner.parse().ok().map(Mark::Number);
    }
    // "a)" is a marker; "a." or "I." may end a sentence or be an initial.
    (word.ends_with(')') && short(inner)).then_some(Mark::MailMessage)
}

/// A number, a letter, or a lower-case Roman number.
fn short(inner: &str) -> bool {
    let figures = inner.len() <= 3 && inner.bytes().all(|b| b.is_ascii_digit());
    let roman = inner.len() <= 4 && inner.bytes().all(|b| matches!(b, b'i' | b'v' | b'x'));
    let letter = inner.len() == 1 && inner.bytes().all(|b| b.is_ascii_lowercase());
    !inner.is_empty() && (figures || roman || letter)
}
