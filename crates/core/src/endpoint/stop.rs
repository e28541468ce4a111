//! Ends a text that comes in pieces before the first of some stop texts. Done here and not by the server: some servers
//! refuse the field, and some have a limit to it.

/// A text that is being received.
#[derive(Debug)]
pub struct StopText {
    stop: Vec<String>,
    /// What may be the begin of a stop text.
    held: String,
    /// Whether a stop text has come.
    pub is_ended: bool,
}

impl StopText {
    /// A text that ends before these; empty ones have no meaning.
    pub fn new(stop: Vec<String>) -> Self {
        Self { stop: stop.into_iter().filter(|text| !text.is_empty()).collect(), held: String::new(), is_ended: false }
    }

    /// The part that can be passed on after this piece.
    pub fn push(&mut self, piece: &str) -> String {
        if self.is_ended {
            return String::new();
        }
        self.held.push_str(piece);
        if let Some(at) = self.stop.iter().filter_map(|stop| self.held.find(stop.as_str())).min() {
            self.is_ended = true;
            self.held.truncate(at);
            return std::mem::take(&mut self.held);
        }
        let may_begin = |at: usize| self.stop.iter().any(|stop| stop.starts_with(&self.held[at..]));
        let keep = self.held.char_indices().map(|(at, _)| at).find(|at| may_begin(*at)).unwrap_or(self.held.len());
        self.held.drain(..keep).collect()
    }

    /// The rest, once there are no more pieces.
    pub fn end(&mut self) -> String {
        std::mem::take(&mut self.held)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(stop: &[&str], pieces: &[&str]) -> String {
        let mut text = StopText::new(stop.iter().map(|stop| (*stop).to_string()).collect());
        let mut read: String = pieces.iter().map(|piece| text.push(piece)).collect();
        read += &text.end();
        read
    }

    #[test]
    fn a_text_ends_before_the_first_stop_text() {
        assert_eq!(read(&[], &["a", "b"]), "ab");
        assert_eq!(read(&["END", "E"], &["one EN", "D two"]), "one ");
        assert_eq!(read(&["</passages"], &["a <", "/pass", "word> b </passage", "s> c"]), "a </password> b ");
        assert_eq!(read(&["aab"], &["a", "a", "a", "b", "c"]), "a");
        assert_eq!(read(&["END"], &["one EN"]), "one EN");
        assert_eq!(read(&["é!"], &["d", "é", "é!x"]), "dé");
        assert_eq!(read(&["", "x"], &["ax"]), "a");
    }
}
