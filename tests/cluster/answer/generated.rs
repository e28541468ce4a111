//! What is kept of a generated text, and what becomes of the rest.

use super::{QUESTIONS, answer, states, with_guides};
use crate::search::value;
use serde_json::Value;
use socle_core::answer::particular::{normalized, particulars};
use std::collections::HashSet;

/// Questions for one answer each, at several temperatures, and the rows of the answers.
fn answers(client: &mut postgres::Client) -> Vec<(String, Value)> {
    let ask = |question: &&str| {
        let mut rows = Vec::new();
        for arguments in ["", ", temperature => 1, seed => 7", ", temperature => 1.5, seed => 8, min_relevance => -100"]
        {
            rows.push(((*question).to_string(), answer(client, question, arguments)));
        }
        rows
    };
    QUESTIONS.iter().flat_map(ask).collect()
}

#[test]
fn every_sentence_that_is_kept_has_a_valid_citation_with_its_numbers_and_names() {
    let (_cluster, mut client) = with_guides("");
    let answers = answers(&mut client);
    let mut kept = 0;
    for (question, answer) in &answers {
        assert_eq!(answer["declined"], false, "{question}: {answer}");
        assert_eq!(answer["generator"], "smol");
        assert!(["stop", "length", "unsupported"].contains(&answer["finish"].as_str().unwrap()), "{answer}");
        assert!(
            answer["prompt_tokens"].as_i64().unwrap() > 50 && answer["answer_tokens"].as_i64().unwrap() <= 60,
            "{answer}"
        );
        let text = answer["answer"].as_str().unwrap();
        let citations = answer["citations"].as_array().unwrap();
        assert!(!citations.is_empty() && states(&mut client, answer).iter().all(|state| state == "valid"), "{answer}");
        if answer["finish"] == "unsupported" {
            assert_eq!(answer["grounded"], 0.0, "{answer}");
            assert!(
                answer["reason"].as_str().unwrap().contains("extractive")
                    && !answer["removed"].as_array().unwrap().is_empty()
            );
            continue;
        }
        let removed = answer["removed"].as_array().unwrap().len();
        kept += citations.len();
        let grounded = citations.len() as f64 / (citations.len() + removed) as f64;
        assert!((answer["grounded"].as_f64().unwrap() - grounded).abs() < 1e-9, "{answer}");
        // Each sentence stands before its number.
        let mut rest = text;
        for (number, citation) in (1..).zip(citations) {
            let (sentence, after) = rest.split_once(&format!(" [{number}]")).unwrap_or_else(|| panic!("{answer}"));
            rest = after;
            let there = normalized(&format!(
                "{} {}",
                citation["title"].as_str().unwrap_or_default(),
                citation["quote"].as_str().unwrap()
            ));
            for particular in particulars(sentence.trim(), true, &HashSet::new()) {
                assert!(particular.is_in(&there), "{particular:?} of {sentence:?} is not in {there:?}");
            }
        }
        assert_eq!(rest, "", "{answer}");
    }
    // The model copies passages, which is all that is asked of it here.
    assert!(kept >= 3, "{answers:?}");
}

#[test]
fn the_same_question_has_the_same_answer_and_a_seed_repeats_a_drawn_one() {
    let (_cluster, mut client) = with_guides("");
    for arguments in ["", ", temperature => 1, seed => 42"] {
        let (one, other) = (answer(&mut client, QUESTIONS[0], arguments), answer(&mut client, QUESTIONS[0], arguments));
        assert_eq!(one, other, "{arguments}");
    }
}

#[test]
fn a_mode_and_a_setting_decide_whether_a_generator_is_asked() {
    let (_cluster, mut client) = with_guides("");
    let mut generator = |arguments: &str| -> Option<String> {
        value(
            &mut client,
            &format!(
                "SELECT generator FROM socle.answer('guide', 'How long do cats sleep?', max_tokens => 8 {arguments})"
            ),
        )
    };
    assert_eq!(generator(""), None);
    assert_eq!(generator(", mode => 'extractive', generator => 'smol'"), None);
    assert_eq!(generator(", generator => 'smol'").as_deref(), Some("smol"));
    client.batch_execute("SET socle.default_generator = 'smol'").unwrap();
    let mut generator = |arguments: &str| -> Option<String> {
        value(
            &mut client,
            &format!(
                "SELECT generator FROM socle.answer('guide', 'How long do cats sleep?', max_tokens => 8 {arguments})"
            ),
        )
    };
    assert_eq!(generator("").as_deref(), Some("smol"));
    assert_eq!(generator(", mode => 'generated'").as_deref(), Some("smol"));
    assert_eq!(generator(", mode => 'extractive'"), None);
}

#[test]
fn citations_of_a_generated_answer_follow_their_documents() {
    let (_cluster, mut client) = with_guides("");
    let found = QUESTIONS.iter().map(|question| answer(&mut client, question, ""));
    let found: Vec<Value> = found.collect();
    client.batch_execute("SELECT socle.pause_corpus('guide'); UPDATE guide SET body = 'New. ' || body").unwrap();
    for answer in &found {
        assert!(states(&mut client, answer).iter().all(|state| state == "moved"), "{answer}");
    }
    client.batch_execute("UPDATE guide SET body = replace(body, 'e', 'E')").unwrap();
    for answer in &found {
        assert!(states(&mut client, answer).iter().all(|state| state == "changed"), "{answer}");
    }
    client.batch_execute("DELETE FROM guide").unwrap();
    for answer in &found {
        assert!(states(&mut client, answer).iter().all(|state| state == "gone"), "{answer}");
    }
}

#[test]
fn a_follow_up_question_is_answered_with_a_conversation() {
    let (_cluster, mut client) = with_guides("");
    let said =
        r#"[{"role": "user", "content": "Do cats sleep in the day?"}, {"role": "assistant", "content": "They do."}]"#;
    let alone = answer(&mut client, "And how long?", "");
    assert_eq!((&alone["declined"], &alone["generator"]), (&Value::Bool(true), &Value::Null), "{alone}");
    let answered = answer(&mut client, "And how long?", &format!(", conversation => '{said}'"));
    assert!(answered["answer"].as_str().is_some_and(|text| text.contains("14 hours")), "{answered}");
}

#[test]
fn generators_are_compared_by_questions_with_references() {
    let (_cluster, mut client) = with_guides("");
    client
        .batch_execute(
            "CREATE TABLE asked (question text, reference text);
             INSERT INTO asked VALUES ('When is a backup made?', 'each night'), ('How long do cats sleep?', '14 hours'), ('Who painted the ceiling?', NULL)",
        )
        .unwrap();
    let evaluate = |client: &mut postgres::Client, mode: &str| -> Value {
        let sql = format!(
            "SELECT to_jsonb(e)::text FROM socle.evaluate_answers('guide', 'asked', 'smol', '{mode}', max_tokens => 40, context_tokens => 150) AS e"
        );
        serde_json::from_str(&value::<String>(client, &sql)).unwrap()
    };
    let extractive = evaluate(&mut client, "extractive");
    assert_eq!(extractive["contained"], 1.0, "{extractive}");
    assert_eq!(extractive["generated_count"], 0, "{extractive}");
    assert_eq!(extractive["grounded"], 1.0);
    let generated = evaluate(&mut client, "generated");
    for same in ["question_count", "answerable_count", "declined_wrongly", "unanswerable_count", "declined_rightly"] {
        assert_eq!(generated[same], extractive[same], "the gate is the same: {same}");
    }
    let mut count = |column: &str| -> i64 {
        value(
            &mut client,
            &format!(
                "SELECT count(*) FROM asked, socle.answer('guide', question, 'smol', max_tokens => 40, context_tokens => 150) WHERE {column}"
            ),
        )
    };
    assert_eq!(generated["generated_count"], count("finish <> 'unsupported'"), "{generated}");
}
