//! The keyword index through the engine's socket.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod support;

use socle_core::Kind;
use socle_core::protocol::{
    FieldWeights, KEYWORD_DIRECTORY, KEYWORD_FORMAT, KeywordChunk, QuerySyntax, RUNTIME_DIRECTORY, Request, Response,
    SEGMENT_PART, SegmentDigest, SegmentSummary, SuggestQuery,
};
use support::{Client, Engine};

/// The segment and its summary in the responses to a request.
fn segment(answers: Vec<Response>) -> (Vec<u8>, SegmentSummary) {
    let count = answers.len();
    let mut segment = Vec::new();
    for (at, answer) in answers.into_iter().enumerate() {
        let Response::SegmentPart { bytes, summary } = answer else { panic!("{answer:?}") };
        assert!(!bytes.is_empty() && bytes.len() <= SEGMENT_PART);
        segment.extend(bytes);
        assert_eq!(summary.is_some(), at + 1 == count);
        if let Some(summary) = summary {
            assert_eq!(summary.byte_count, segment.len() as u64);
            assert_eq!(summary.format, KEYWORD_FORMAT);
            return (segment, summary);
        }
    }
    panic!("no summary");
}

fn build(client: &mut Client, texts: &[(i64, &str)]) -> (Vec<u8>, SegmentSummary) {
    let chunk = |(chunk_id, content): &(i64, &'static str)| KeywordChunk {
        chunk_id: *chunk_id,
        language: None,
        title: "Handbuch",
        headings: "",
        context: "",
        content,
    };
    let texts: Vec<(i64, &'static str)> =
        texts.iter().map(|(id, text)| (*id, &*String::leak((*text).to_string()))).collect();
    let chunks = texts.iter().map(chunk).collect();
    segment(client.call(&Request::KeywordBuild { language: Some("de"), segments: Vec::new(), chunks }))
}

fn search(client: &mut Client, segments: &[SegmentDigest], query: &str) -> Response {
    let request = Request::KeywordSearch {
        segments: segments.to_vec(),
        query,
        syntax: QuerySyntax::Natural,
        language: None,
        limit: 10,
        after: None,
        restrict: None,
        score: vec![2],
        visible_statistics: false,
        use_vocabulary: true,
        rules: Vec::new(),
        weights: FieldWeights::default(),
    };
    client.call(&request).pop().unwrap()
}

fn found(response: Response) -> Vec<i64> {
    match response {
        Response::KeywordHits { hits, .. } => hits.into_iter().map(|(chunk_id, _)| chunk_id).collect(),
        other => panic!("{other:?}"),
    }
}

fn store(client: &mut Client, digest: SegmentDigest, segment: &[u8]) -> Response {
    let mut last = None;
    for (number, bytes) in segment.chunks(SEGMENT_PART).enumerate() {
        let offset = (number * SEGMENT_PART) as u64;
        last = client.call(&Request::KeywordStore { digest, byte_count: segment.len() as u64, offset, bytes }).pop();
    }
    last.unwrap()
}

#[test]
fn segments_are_built_searched_merged_and_sent_again() {
    let engine = Engine::start();
    let mut client = engine.connect();
    let (one_bytes, one) =
        build(&mut client, &[(1, "Sicherung der Datenbank"), (2, "Wiederherstellung der Sicherungen")]);
    let (_, other) = build(&mut client, &[(3, "Sicherungen prüfen"), (4, "Verschlüsselung")]);
    let both = [one.digest, other.digest];
    assert_eq!(found(search(&mut client, &both, "Sicherung")).len(), 3);
    match search(&mut client, &both, "wiederherstellungen") {
        Response::KeywordHits { hits, scores, more, .. } => {
            assert_eq!(hits, scores);
            assert_eq!((hits[0].0, more), (2, false));
        }
        other => panic!("{other:?}"),
    }
    let suggest = |segments: &[SegmentDigest]| {
        let (segments, titles) = (segments.to_vec(), vec!["Prüfung", "Die Sicherung"]);
        Request::KeywordSuggest(SuggestQuery { segments, text: "die sich", limit: 1, restrict: None, titles })
    };
    match client.call(&suggest(&both)).pop() {
        Some(Response::KeywordSuggestions(found)) => {
            assert_eq!((found.start, found.words[0].word.as_str(), found.titles[0].number), (4, "sicherungen", 1));
        }
        other => panic!("{other:?}"),
    }
    assert_eq!(client.call(&suggest(&[[7; 32]])), [Response::KeywordMissing(vec![[7; 32]])]);
    let merge = Request::KeywordMerge { segments: both.to_vec(), deleted: vec![4, 2] };
    let (_, merged) = segment(client.call(&merge));
    assert_eq!(merged.chunk_count, 2);
    assert_eq!(found(search(&mut client, &[merged.digest], "Sicherung")), [1, 3]);
    let all_dead = Request::KeywordMerge { segments: vec![other.digest], deleted: vec![3, 4] };
    assert_eq!(client.call(&all_dead), [Response::SegmentPart { bytes: Vec::new(), summary: None }]);

    let unknown = [7; 32];
    assert_eq!(search(&mut client, &[unknown, one.digest], "x"), Response::KeywordMissing(vec![unknown]));
    let merge = Request::KeywordMerge { segments: vec![unknown], deleted: Vec::new() };
    assert_eq!(client.call(&merge), [Response::KeywordMissing(vec![unknown])]);

    // A new engine with an empty cache: the segment has to be sent again.
    let successor = Engine::start();
    let mut client = successor.connect();
    assert_eq!(search(&mut client, &[one.digest], "Sicherung"), Response::KeywordMissing(vec![one.digest]));
    assert_eq!(store(&mut client, one.digest, &one_bytes), Response::KeywordStored { complete: true });
    assert_eq!(found(search(&mut client, &[one.digest], "Sicherung")), [1, 2]);
    let cache = successor.scratch.0.join(RUNTIME_DIRECTORY).join(KEYWORD_DIRECTORY);
    let files = std::fs::read_dir(&cache).unwrap().count();
    assert_eq!(files, 1, "the sandbox lets the engine write its cache");
    match store(&mut client, other.digest, &one_bytes) {
        Response::Failed { error, .. } => assert_eq!(error.kind, Kind::DamagedIndex),
        other => panic!("{other:?}"),
    }
}

#[test]
fn large_segments_come_in_parts_and_words_are_marked() {
    let engine = Engine::start();
    let mut client = engine.connect();
    let texts: Vec<(i64, String)> = (0..30_000)
        .map(|number| (number, format!("Kapitel {number} Wort{} Wort{}", number * 7, number * 13)))
        .collect();
    let texts: Vec<(i64, &str)> = texts.iter().map(|(id, text)| (*id, text.as_str())).collect();
    let (segment, summary) = build(&mut client, &texts);
    assert!(segment.len() > SEGMENT_PART);
    assert_eq!(found(search(&mut client, &[summary.digest], "wort91000"))[0], 7000);
    let highlight = |language, segments, chunk_ids| Request::Highlight {
        query: "kapiteln",
        syntax: QuerySyntax::Natural,
        rules: Vec::new(),
        language,
        segments,
        chunk_ids,
        contents: vec!["Das Kapitel", ""],
    };
    let marks = [Response::Highlights(vec![vec![(4, 11)], vec![]])];
    assert_eq!(client.call(&highlight(Some("de"), Vec::new(), Vec::new())), marks);
    assert_eq!(client.call(&highlight(None, vec![[7; 32], summary.digest], Vec::new())), marks, "the index is German");
    let of_chunks = highlight(None, vec![summary.digest], vec![29_999, 40_000]);
    assert_eq!(client.call(&of_chunks), marks, "the language of the first chunk is in the index");
    assert_eq!(engine.report().request_count, 5);
}
