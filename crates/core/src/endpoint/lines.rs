//! Server-sent events, as streamed answers come in: lines of a byte stream that is cut anywhere (WHATWG HTML, 9.2).

/// Longest event in bytes. Those of answers have a few words each.
const MAX_EVENT: usize = 1 << 20;

/// Takes bytes, and returns the data of the events that they complete.
#[derive(Debug, Default)]
pub struct Events {
    line: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    after_return: bool,
    is_begun: bool,
}

/// An event is larger than any answer has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct TooLong;

impl Events {
    /// The events that are complete with these bytes.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<Vec<String>, TooLong> {
        let mut events = Vec::new();
        for byte in bytes {
            let after_return = std::mem::take(&mut self.after_return);
            match byte {
                b'\n' if after_return => {}
                b'\n' | b'\r' => {
                    self.after_return = *byte == b'\r';
                    self.end_line(&mut events);
                }
                _ if self.line.len() + self.data.len() >= MAX_EVENT => return Err(TooLong),
                byte => self.line.push(*byte),
            }
        }
        Ok(events)
    }

    /// The event at the end of the stream: some servers leave out the empty line after their last one.
    ///
    /// # Errors
    /// [`TooLong`].
    pub fn end(&mut self) -> Result<Vec<String>, TooLong> {
        self.push(b"\n\n")
    }

    fn end_line(&mut self, events: &mut Vec<String>) {
        let line = std::mem::take(&mut self.line);
        let mut line = line.as_slice();
        if !std::mem::replace(&mut self.is_begun, true) {
            line = line.strip_prefix("\u{feff}".as_bytes()).unwrap_or(line);
        }
        if line.is_empty() {
            if std::mem::take(&mut self.has_data) {
                events.push(String::from_utf8_lossy(&std::mem::take(&mut self.data)).into_owned());
            }
        } else if let Some(data) = line.strip_prefix(b"data") {
            let Some(data) = data.strip_prefix(b":").or(data.is_empty().then_some(data)) else { return };
            if self.has_data {
                self.data.push(b'\n');
            }
            self.data.extend_from_slice(data.strip_prefix(b" ").unwrap_or(data));
            self.has_data = true;
        }
        // Other fields (event, id, retry) and comments say nothing that the data does not.
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STREAM: &str = "\u{feff}: comment\n\nevent: x\ndata: {\"a\":1}\n\ndata:b\r\ndata: c\r\n\r\nid: 1\rdata\r\rdata: é\n\ndata: last";

    fn expected() -> Vec<String> {
        ["{\"a\":1}", "b\nc", "", "é", "last"].map(str::to_string).to_vec()
    }

    proptest! {
        #[test]
        fn events_are_the_same_wherever_the_stream_is_cut(cuts in proptest::collection::vec(0..STREAM.len(), 0..9)) {
            let mut cuts = cuts;
            cuts.sort_unstable();
            let (mut events, mut found, mut from) = (Events::default(), Vec::new(), 0);
            for cut in cuts.into_iter().chain([STREAM.len()]) {
                found.extend(events.push(&STREAM.as_bytes()[from..cut]).unwrap());
                from = cut;
            }
            found.extend(events.end().unwrap());
            prop_assert_eq!(found, expected());
        }
    }

    #[test]
    fn an_endless_event_is_refused() {
        let mut events = Events::default();
        assert_eq!(events.push(&vec![b'a'; MAX_EVENT]), Ok(vec![]));
        assert_eq!(events.push(b"a"), Err(TooLong));
        let mut events = Events::default();
        assert!((0..MAX_EVENT).any(|_| events.push(b"data: aaaaaaaaaaaaaaaa\n").is_err()));
    }
}
