//! The prompts of a model: which of them stands before queries, which before passages.

use serde_json::Value;
use socle_core::model::{ModelKind, ModelOverrides};
use socle_core::{Error, Kind, Result};
use std::collections::BTreeMap;

/// What `config_sentence_transformers.json` says of prompts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Prompts {
    /// Text by name.
    texts: BTreeMap<String, String>,
    /// The name of the one that is used where no other is.
    default: Option<String>,
}

/// What is put before texts.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Prefixes {
    /// Before queries.
    pub query: String,
    /// Before passages.
    pub passage: String,
}

/// On whose behalf a prompt is looked for.
struct Part<'a> {
    /// In messages.
    what: &'static str,
    /// The argument that gives the text.
    prefix: (&'static str, Option<&'a String>),
    /// The argument that gives the name.
    prompt: (&'static str, Option<&'a String>),
    /// The names that are taken without asking, as `encode_query` and `encode_document` do.
    names: &'static [&'static str],
}

impl Prompts {
    /// Reads them.
    ///
    /// # Errors
    /// What is wrong, in words.
    pub fn parse(whole: &Value) -> Result<Self, String> {
        let mut texts = BTreeMap::new();
        match whole.get("prompts") {
            None | Some(Value::Null) => {}
            Some(Value::Object(prompts)) => {
                for (name, text) in prompts {
                    let text = match text {
                        Value::String(text) => text.clone(),
                        Value::Null => String::new(),
                        _ => return Err(format!("The prompt \"{name}\" is no text.")),
                    };
                    texts.insert(name.clone(), text);
                }
            }
            Some(_) => return Err("Its prompts are no object.".to_string()),
        }
        let default = whole.get("default_prompt_name").and_then(Value::as_str).map(str::to_string);
        Ok(Self { texts, default })
    }

    /// The prefixes of queries and passages, and what whoever registers the model should know about them.
    ///
    /// # Errors
    /// `InvalidArgument` where a reranker is given any, a name is unknown, or text and name are given both.
    pub fn choose(&self, kind: ModelKind, overrides: &ModelOverrides) -> Result<(Prefixes, Vec<String>)> {
        if kind == ModelKind::Reranker {
            return self.for_reranker(overrides);
        }
        let query = Part {
            what: "queries",
            prefix: ("query_prefix", overrides.query_prefix.as_ref()),
            prompt: ("query_prompt", overrides.query_prompt.as_ref()),
            names: &["query"],
        };
        let passage = Part {
            what: "passages",
            prefix: ("passage_prefix", overrides.passage_prefix.as_ref()),
            prompt: ("passage_prompt", overrides.passage_prompt.as_ref()),
            names: &["document", "passage", "corpus"],
        };
        let mut notices = Vec::new();
        let [query_prefix, passage_prefix] = [&query, &passage].map(|part| self.prefix(part, &mut notices));
        let (query_prefix, passage_prefix) = (query_prefix?, passage_prefix?);
        let parts = [(&query, &query_prefix), (&passage, &passage_prefix)];
        let without: Vec<&Part<'_>> =
            parts.iter().filter(|(_, prefix)| prefix.is_none()).map(|(part, _)| *part).collect();
        // A prompt of a usual name belongs to its own part, whatever the caller has put in its place.
        let usual = |name: &str| parts.iter().any(|(part, _)| part.names.contains(&name));
        let taken = |text: &String| parts.iter().any(|(_, prefix)| prefix.as_ref() == Some(text));
        let others: Vec<String> = self
            .texts
            .iter()
            .filter(|(name, text)| !text.is_empty() && !usual(name) && !taken(text))
            .map(|(name, _)| format!("\"{name}\""))
            .collect();
        if !without.is_empty() && !others.is_empty() {
            let what: Vec<&str> = without.iter().map(|part| part.what).collect();
            let arguments: Vec<&str> = without.iter().map(|part| part.prompt.0).collect();
            notices.push(format!(
                "nothing is put before {}, but the model has prompts: {}; choose with {}",
                what.join(" and "),
                others.join(", "),
                arguments.join(" and ")
            ));
        }
        let prefixes =
            Prefixes { query: query_prefix.unwrap_or_default(), passage: passage_prefix.unwrap_or_default() };
        Ok((prefixes, notices))
    }

    /// A reranker reads query and document as they are.
    fn for_reranker(&self, overrides: &ModelOverrides) -> Result<(Prefixes, Vec<String>)> {
        let prefixes = [&overrides.query_prefix, &overrides.passage_prefix];
        let prompts = [&overrides.query_prompt, &overrides.passage_prompt];
        if prefixes.into_iter().chain(prompts).flatten().any(|text| !text.is_empty()) {
            return Err(Error::new(Kind::InvalidArgument, "a reranker takes no prefix")
                .hint("Leave out query_prefix, passage_prefix, query_prompt and passage_prompt."));
        }
        let names: Vec<String> =
            self.texts.iter().filter(|(_, text)| !text.is_empty()).map(|(name, _)| format!("\"{name}\"")).collect();
        let notice =
            format!("the prompts of the model are not used, because a reranker takes none: {}", names.join(", "));
        Ok((Prefixes::default(), if names.is_empty() { Vec::new() } else { vec![notice] }))
    }

    fn prefix(&self, part: &Part<'_>, notices: &mut Vec<String>) -> Result<Option<String>> {
        let ((prefix_argument, prefix), (prompt_argument, prompt)) = (part.prefix, part.prompt);
        let invalid = |message: String| Error::new(Kind::InvalidArgument, message);
        match (prefix, prompt) {
            (Some(_), Some(_)) => {
                return Err(invalid(format!("{prefix_argument} and {prompt_argument} exclude each other")));
            }
            (Some(text), None) => return Ok(Some(text.clone())),
            (None, Some(name)) => {
                let names: Vec<String> = self.texts.keys().map(|name| format!("\"{name}\"")).collect();
                let unknown = || {
                    let error = invalid(format!("the model has no prompt \"{name}\""));
                    if names.is_empty() {
                        error.hint(format!("Its files name none. Pass the text itself as {prefix_argument}."))
                    } else {
                        error.hint(format!("Its prompts are {}.", names.join(", ")))
                    }
                };
                return self.texts.get(name).cloned().ok_or_else(unknown).map(Some);
            }
            (None, None) => {}
        }
        if let Some(text) = part.names.iter().find_map(|name| self.texts.get(*name)) {
            return Ok(Some(text.clone()));
        }
        let Some(default) = &self.default else { return Ok(None) };
        let text = self.texts.get(default).cloned().ok_or_else(|| {
            let why = format!("Its default_prompt_name \"{default}\" is none of its prompts.");
            Error::new(Kind::DamagedModelFile, "config_sentence_transformers.json contradicts itself").detail(why)
        })?;
        notices.push(format!("{} get the prompt \"{default}\", the default of the model", part.what));
        Ok(Some(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn chosen(whole: Value, overrides: ModelOverrides) -> Result<(String, String, Vec<String>)> {
        let (prefixes, notices) = Prompts::parse(&whole).unwrap().choose(ModelKind::Embedding, &overrides)?;
        Ok((prefixes.query, prefixes.passage, notices))
    }

    fn named(query: &str, passage: &str) -> ModelOverrides {
        ModelOverrides { query_prompt: Some(query.into()), passage_prompt: Some(passage.into()), ..Default::default() }
    }

    #[test]
    fn prompts_of_the_usual_names_are_taken() {
        for passage in ["document", "passage", "corpus"] {
            let whole = json!({"prompts": {"query": "q: ", passage: "p: ", "STS": "s: "}});
            assert_eq!(chosen(whole, Default::default()).unwrap(), ("q: ".into(), "p: ".into(), vec![]));
        }
        let none = (String::new(), String::new(), vec![]);
        assert_eq!(chosen(json!({}), Default::default()).unwrap(), none);
        assert_eq!(chosen(json!({"prompts": {"query": "", "document": null}}), Default::default()).unwrap(), none);
        // Most models want nothing before passages.
        let whole = || json!({"prompts": {"query": "q: "}});
        assert_eq!(chosen(whole(), Default::default()).unwrap(), ("q: ".into(), String::new(), vec![]));
        let other = ModelOverrides { query_prefix: Some("x: ".into()), ..Default::default() };
        assert_eq!(chosen(whole(), other).unwrap(), ("x: ".into(), String::new(), vec![]));
    }

    #[test]
    fn prompts_of_other_names_are_chosen_by_name_or_noticed() {
        let whole = || json!({"prompts": {"retrieval.query": "q: ", "retrieval.passage": "p: "}});
        let by_name = chosen(whole(), named("retrieval.query", "retrieval.passage")).unwrap();
        assert_eq!(by_name, ("q: ".into(), "p: ".into(), vec![]));
        let (query, passage, notices) = chosen(whole(), Default::default()).unwrap();
        assert_eq!((query.as_str(), passage.as_str(), notices.len()), ("", "", 1));
        assert_eq!(
            notices[0],
            "nothing is put before queries and passages, but the model has prompts: \"retrieval.passage\", \
             \"retrieval.query\"; choose with query_prompt and passage_prompt"
        );
        let overrides = ModelOverrides { query_prompt: Some("retrieval.query".into()), ..Default::default() };
        let (_, _, notices) = chosen(whole(), overrides).unwrap();
        assert!(
            notices[0].starts_with("nothing is put before passages, ") && notices[0].contains("\"retrieval.passage\";")
        );
        let silent = ModelOverrides {
            query_prefix: Some(String::new()),
            passage_prefix: Some(String::new()),
            ..Default::default()
        };
        assert_eq!(chosen(whole(), silent).unwrap().2, Vec::<String>::new());
    }

    #[test]
    fn the_default_prompt_stands_where_no_other_does() {
        let whole = json!({"prompts": {"clustering": "z: ", "query": "q: "}, "default_prompt_name": "clustering"});
        let (query, passage, notices) = chosen(whole, Default::default()).unwrap();
        assert_eq!((query.as_str(), passage.as_str()), ("q: ", "z: "));
        assert_eq!(notices, ["passages get the prompt \"clustering\", the default of the model"]);
        let missing = json!({"prompts": {"query": "q: "}, "default_prompt_name": "clustering"});
        assert_eq!(chosen(missing, Default::default()).unwrap_err().kind, Kind::DamagedModelFile);
    }

    #[test]
    fn contradictions_are_refused() {
        let whole = || json!({"prompts": {"a": "a: "}});
        let error = chosen(whole(), named("b", "a")).unwrap_err();
        assert_eq!(
            (error.message.as_str(), error.hint.as_deref()),
            ("the model has no prompt \"b\"", Some("Its prompts are \"a\"."))
        );
        let both = ModelOverrides { query_prefix: Some("x".into()), ..named("a", "a") };
        assert_eq!(chosen(whole(), both).unwrap_err().message, "query_prefix and query_prompt exclude each other");
        assert!(Prompts::parse(&json!({"prompts": {"query": 1}})).is_err());
        assert!(Prompts::parse(&json!({"prompts": []})).is_err());
        let reranker = Prompts::parse(&whole()).unwrap();
        assert_eq!(reranker.choose(ModelKind::Reranker, &named("a", "a")).unwrap_err().kind, Kind::InvalidArgument);
        assert_eq!(reranker.choose(ModelKind::Reranker, &Default::default()).unwrap().1.len(), 1);
    }
}
