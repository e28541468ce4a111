//! The RTF tokenizer. Accepts every byte sequence.

/// A token of RTF.
#[derive(Debug, Eq, PartialEq)]
pub enum Token<'a> {
    /// `{`
    Open,
    /// `}`
    Close,
    /// A control word with its numeric parameter, if any.
    Word(&'a str, Option<i32>),
    /// A control symbol: a backslash and this byte.
    Symbol(u8),
    /// A byte of text, literal or in hexadecimal.
    Byte(u8),
    /// Bytes that are no RTF (`\bin`).
    Binary(&'a [u8]),
}

/// Iterator over tokens.
pub struct Tokens<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Tokens<'a> {
    /// A tokenizer at the first byte.
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn take_while(&mut self, most: usize, is_wanted: impl Fn(u8) -> bool) -> &'a str {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.iter().take(most).take_while(|byte| is_wanted(**byte)).count();
        self.at += length;
        rest.get(..length).and_then(|taken| std::str::from_utf8(taken).ok()).unwrap_or_default()
    }

    fn control(&mut self) -> Option<Token<'a>> {
        // Longer than any control word and number of the standard.
        let name = self.take_while(40, |byte| byte.is_ascii_alphabetic());
        if name.is_empty() {
            let symbol = self.peek()?;
            self.at += 1;
            if symbol != b'\'' {
                return Some(Token::Symbol(symbol));
            }
            let digits = self.take_while(2, |byte| byte.is_ascii_hexdigit());
            return Some(u8::from_str_radix(digits, 16).map_or(Token::Symbol(b'\''), Token::Byte));
        }
        let sign = self.take_while(1, |byte| byte == b'-');
        let digits = self.take_while(12, |byte| byte.is_ascii_digit());
        let number = format!("{sign}{digits}").parse().ok();
        if self.peek() == Some(b' ') {
            self.at += 1;
        }
        if name == "bin" {
            let length = number.and_then(|length: i32| usize::try_from(length).ok()).unwrap_or(0);
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let (binary, _) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            self.at += binary.len();
            return Some(Token::Binary(binary));
        }
        Some(Token::Word(name, number))
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let byte = self.peek()?;
            self.at += 1;
            return match byte {
                b'{' => Some(Token::Open),
                b'}' => Some(Token::Close),
                b'\\' => self.control(),
                b'\r' | b'\n' | 0 => continue,
                b'\t' => Some(Token::Word("tab", None)),
                byte => Some(Token::Byte(byte)),
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_kinds_of_tokens_are_told_apart() {
        let tokens: Vec<Token> = Tokens::new(b"{\\u-10 \\b0x\\'e9\\~\r\n\\bin3 }}}\\'z\\").collect();
        let expected = [
            Token::Open,
            Token::Word("u", Some(-10)),
            Token::Word("b", Some(0)),
            Token::Byte(b'x'),
            Token::Byte(0xe9),
            Token::Symbol(b'~'),
            Token::Binary(b"}}}"),
            Token::Symbol(b'\''),
            Token::Byte(b'z'),
        ];
        assert_eq!(tokens, expected);
    }
}
