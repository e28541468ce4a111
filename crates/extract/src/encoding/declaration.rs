//! The encoding that HTML and XML declare in their first bytes.

/// Bytes in which a document declares its encoding.
const PROLOG: usize = 4096;

/// The encoding that an XML declaration or a `<meta>` element in the first [`PROLOG`] bytes names; `None` if there is
/// none.
pub(crate) fn declared(bytes: &[u8]) -> Option<String> {
    let prolog = String::from_utf8_lossy(bytes.get(..PROLOG).unwrap_or(bytes)).to_ascii_lowercase();
    let label = |text: &str, mark: &str| {
        let (_, value) = text.split_once(mark)?;
        let value = value.trim_start().strip_prefix('=')?.trim_start().trim_start_matches(['"', '\'']);
        let end =
            value.find(|c: char| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | ':')).unwrap_or(value.len());
        value.get(..end).filter(|label| !label.is_empty()).map(str::to_string)
    };
    let xml = prolog.trim_start().strip_prefix("<?xml").and_then(|rest| rest.split_once("?>"));
    xml.and_then(|(declaration, _)| label(declaration, "encoding"))
        .or_else(|| prolog.split("<meta").skip(1).find_map(|meta| label(meta.split('>').next()?, "charset")))
}
