//! Rewrites encoded words (RFC 2047) in mail headers as UTF-8. Adjacent words are joined before they are decoded,
//! because many programs split a character between two words.

use super::transfer_encoding;
use crate::encoding::stated;

/// Maximum length of a charset label with its language tag.
const MAX_LABEL: usize = 60;

struct Word<'a> {
    label: &'a str,
    is_base64: bool,
    data: &'a str,
}

/// The header with all encoded words in UTF-8. Words in unknown encodings stay unchanged.
pub(super) fn in_utf_8(head: &str) -> String {
    let mut text = String::with_capacity(head.len());
    let mut rest = head;
    while let Some(start) = rest.find("=?") {
        let (before, from) = rest.split_at(start);
        text.push_str(before);
        let Some((first, mut after)) = word(from) else {
            text.push_str("=?");
            rest = from.get(2..).unwrap_or_default();
            continue;
        };
        let label = first.label;
        let mut words = vec![first];
        // White space between two encoded words is ignored.
        while let Some((next, end)) =
            word(after.trim_start()).filter(|(next, _)| next.label.eq_ignore_ascii_case(label))
        {
            words.push(next);
            after = end;
        }
        match stated(&joined(&words), label) {
            Some(said) => {
                text.push_str("=?utf-8?B?");
                text.push_str(&crate::base64::encode(said.as_bytes()));
                text.push_str("?=");
            }
            None => text.push_str(from.get(..from.len() - after.len()).unwrap_or_default()),
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

/// The decoded bytes of adjacent words.
fn joined(words: &[Word<'_>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for same in words.chunk_by(|a, b| a.is_base64 && b.is_base64) {
        // Base64 data may be split at any character.
        let data: String = same.iter().map(|word| word.data).collect();
        if same.first().is_some_and(|word| word.is_base64) {
            bytes.extend_from_slice(&transfer_encoding::decode(data.as_bytes(), "base64"));
        } else {
            bytes.extend(transfer_encoding::quoted_word(data.as_bytes()));
        }
    }
    bytes
}

/// The encoded word at the start of a text, and the text after it.
fn word(text: &str) -> Option<(Word<'_>, &str)> {
    let (label, rest) = text.strip_prefix("=?")?.split_once('?')?;
    let (encoding, rest) = rest.split_once('?')?;
    let (data, after) = rest.split_once("?=")?;
    let is_label = !label.is_empty() && label.len() <= MAX_LABEL && label.bytes().all(|byte| byte.is_ascii_graphic());
    let is_base64 = match encoding {
        "b" | "B" => true,
        "q" | "Q" => false,
        _ => return None,
    };
    // A language tag may follow the label.
    let label = label.split('*').next().unwrap_or_default();
    (is_label && !data.contains('\n')).then_some((Word { label, is_base64, data }, after))
}

#[cfg(test)]
mod tests {
    use super::in_utf_8;

    fn said(head: &str) -> String {
        let text = in_utf_8(head);
        let mut said = String::new();
        let mut rest = text.as_str();
        while let Some((before, word)) = rest.split_once("=?utf-8?B?") {
            let (data, after) = word.split_once("?=").unwrap();
            said.push_str(before);
            said.push_str(std::str::from_utf8(&super::transfer_encoding::decode(data.as_bytes(), "base64")).unwrap());
            rest = after;
        }
        said + rest
    }

    #[test]
    fn words_are_joined_before_they_are_read() {
        assert_eq!(said("=?utf-8?Q?Gr=C3?=\r\n =?UTF-8?q?=B6=C3=9Fe_x?= end"), "Größe x end");
        assert_eq!(said("=?utf-8?B?R3LD?= =?utf-8?Q?=B6=C3=9Fe?="), "Größe");
        // Base64 cut at no boundary.
        assert_eq!(said("=?utf-8?B?R3LDt?= =?utf-8?B?sOfZQ==?="), "Größe");
        assert_eq!(said("=?gb2312?B?u+HS?= =?gb2312?B?6bzHwrw=?="), "会议记录");
        assert_eq!(said("=?gb2312*zh?B?u+HS6bzHwrw=?= =?utf-8?q?=C3=A9?="), "会议记录 é");
        assert_eq!(said("=?iso-2022-jp?B?GyRCMnE1RCROGyhC?= =?iso-2022-jp?B?GyRCNUQ7dk8/GyhC?="), "会議の議事録");
        assert_eq!(said("=?utf-7?Q?Fr+APY-sche?="), "Frösche");
        assert_eq!(said("=?cp1251?Q?=CF=F0=E8=E2=E5=F2?="), "Привет");
        // In GBK too short to be told from UTF-8 by its bytes.
        assert_eq!(said("=?gbk?B?w6E=?="), "谩");
        for kept in ["a =? b", "=?x?=", "=?utf-8?X?a?=", "=?unknown-8bit?Q?=E4?=", "=?utf-8?Q?a\nb?=", "a=?b?c?d", "=?"]
        {
            assert_eq!(in_utf_8(kept), kept);
        }
    }
}
