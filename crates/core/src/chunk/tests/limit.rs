//! Empty documents, huge ones and hostile ones. Work is measured in what the sizer is asked for, not in seconds.

use super::*;
use std::cell::Cell;

const FORMATS: [Format; 3] = [Format::Plain, Format::Markdown, Format::Html];

/// Counts what it measures; fails after `most` calls.
struct Meter {
    calls: Cell<usize>,
    bytes: Cell<usize>,
    most: usize,
}

impl Meter {
    fn new(most: usize) -> Self {
        Self { calls: Cell::new(0), bytes: Cell::new(0), most }
    }
}

impl Sizer for Meter {
    fn size(&self, text: &str) -> Result<usize> {
        self.calls.set(self.calls.get() + 1);
        self.bytes.set(self.bytes.get() + text.len());
        assert!(self.calls.get() <= self.most + 1, "called again after it failed");
        if self.calls.get() > self.most {
            return Err(Error::new(Kind::Cancelled, "cancelled"));
        }
        Characters.size(text)
    }
}

#[test]
fn nothing_has_no_chunk() {
    let blank = ["", " ", "\n\n", "\t\r\n \u{a0}\u{3000}\u{2029}", &"\n".repeat(10_000)];
    for text in blank {
        for format in FORMATS {
            assert_eq!(checked(text, &rule(5, 2, format), &Pieces), []);
        }
    }
    assert_eq!(checked("<p> <br>&nbsp;<script>a</script><!-- b -->", &rule(5, 0, Format::Html), &Characters), []);
}

#[test]
fn a_small_text_is_one_chunk() {
    for format in FORMATS {
        let chunks = checked("\n\nUn mot.\n\nDeux.\n", &rule(usize::MAX, 0, format), &Characters);
        assert_eq!(chunks.len(), 1);
        assert_eq!((chunks[0].start, chunks[0].end), (2, 16));
    }
}

#[test]
fn an_error_of_the_sizer_ends_it_at_once() {
    let text = "Some words. ".repeat(300);
    for format in FORMATS {
        for most in [0, 1, 2, 10, 100] {
            let result = chunk(&text, &rule(20, 5, format), &Meter::new(most), &mut |_| Ok(()));
            assert_eq!(result.unwrap_err().kind, Kind::Cancelled);
        }
    }
}

#[test]
fn an_error_of_the_receiver_ends_it_at_once() {
    let mut received = 0;
    let result = chunk(&"word ".repeat(100), &rule(10, 0, Format::Plain), &Characters, &mut |_| {
        received += 1;
        Err(Error::new(Kind::Cancelled, "gone"))
    });
    assert_eq!((result.unwrap_err().kind, received), (Kind::Cancelled, 1));
}

/// Ten times the text is ten times the work: text-splitter alone takes a hundred times.
#[test]
fn work_is_linear() {
    let text = "# Titre\n\nUne phrase, puis une autre. Et encore *une* !\n\n- un\n- deux\n\n".repeat(400);
    for format in FORMATS {
        let work = |text: &str| {
            let meter = Meter::new(usize::MAX - 1);
            chunk(text, &rule(100, 20, format), &meter, &mut |_| Ok(())).unwrap();
            (meter.calls.get(), meter.bytes.get())
        };
        let (calls, bytes) = work(&text[..text.len() / 10]);
        let (more_calls, more_bytes) = work(&text);
        assert!(more_calls < calls * 12 && more_bytes < bytes * 12, "{format:?}: {calls} {more_calls}");
        assert!(more_bytes < text.len() * 20, "{format:?}: {more_bytes}");
    }
}

/// Each of these made some part of it quadratic or worse.
#[test]
fn hostile_documents_are_harmless() {
    let rows = "|a".repeat(500) + "\n" + &"|-".repeat(500) + "\n" + &"|b\n".repeat(500);
    let documents = [
        "a".repeat(20_000),
        "^".repeat(20_000),
        "_a".repeat(5_000),
        format!("a{}", "\u{301}".repeat(20_000)),
        format!("a{}b", "\n".repeat(20_000)),
        format!("a{}", "\t".repeat(1_000)).repeat(10),
        format!("a{}b", " ".repeat(20_000)),
        "> ".repeat(10_000),
        format!("{}a\n{}", ">".repeat(5_000), "b\n".repeat(5_000)),
        format!("{}a\n{}", "- ".repeat(5_000), "b\n".repeat(5_000)),
        format!("x\r{}a\r{}", ">".repeat(5_000), "b\r".repeat(5_000)),
        rows.repeat(4),
        "[".repeat(20_000),
        "# a\n\n".repeat(3_000),
        "<div>".repeat(5_000) + "x",
        "<h1>a".repeat(3_000),
        "&lt;".repeat(5_000),
        "<template>".repeat(3_000),
    ];
    for document in &documents {
        for format in FORMATS {
            let start = std::time::Instant::now();
            let meter = Meter::new(usize::MAX - 1);
            chunk(document, &rule(200, 40, format), &meter, &mut |_| Ok(())).unwrap();
            let name = document.chars().take(20).collect::<String>();
            assert!(
                meter.bytes.get() < document.len() * 200,
                "{format:?} {name:?}: {} bytes measured",
                meter.bytes.get()
            );
            assert!(start.elapsed().as_secs() < 60, "{format:?} {name:?} took {:?}", start.elapsed());
        }
    }
}

/// The parts of a cluster that is longer than any window stay together, and so does what follows.
#[test]
fn a_huge_cluster_is_one_chunk() {
    let text = format!("Before. a{} After.", "\u{301}".repeat(5_000));
    let chunks = checked(&text, &rule(20, 0, Format::Plain), &Characters);
    assert_eq!(chunks.iter().map(|chunk| chunk.size).collect::<Vec<_>>(), [7, 5_001, 6]);
}

#[test]
fn overlap_repeats_whole_words() {
    let text = "One two three four five six seven eight nine ten";
    let chunks = checked(text, &rule(20, 8, Format::Plain), &Characters);
    let contents = chunks.iter().map(|chunk| chunk.content.as_str()).collect::<Vec<_>>();
    assert_eq!(contents, ["One two three four", "four five six seven", "seven eight nine ten"]);
}
