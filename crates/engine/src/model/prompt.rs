//! Chooses the prefixes of queries and passages among the prompts of a model and the arguments of the caller.

use serde_json::Value;
use socle_core::model::{ModelKind, ModelOverrides};
use socle_core::{Error, Kind, Result};
use std::collections::BTreeMap;

/// The prompts in `config_sentence_transformers.json`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Prompts {
    /// Texts by name.
    texts: BTreeMap<String, String>,
    /// Name of the default prompt.
    default: Option<String>,
}

/// The texts that precede every query and every passage.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Prefixes {
    /// Before queries.
    pub query: String,
    /// Before passages.
    pub passage: String,
}

/// Queries or passages, for which a prompt is chosen.
struct PromptRole<'a> {
    /// Its name in messages.
    what: &'static str,
    /// Name and value of the argument with the text.
    prefix: (&'static str, Option<&'a String>),
    /// Name and value of the argument with the name of a prompt.
    prompt: (&'static str, Option<&'a String>),
    /// Names of the prompts that are taken by default, as by `encode_query` and `encode_document`.
    names: &'static [&'static str],
}

impl Prompts {
    /// Reads `config_sentence_transformers.json`.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
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

    /// The prefixes of queries and passages, and notices for the caller who registers the model.
    ///
    /// # Errors
    /// `InvalidArgument` for any prefix of a reranker, an unknown name, or both a text and a name.
    pub fn choose(&self, kind: ModelKind, overrides: &ModelOverrides) -> Result<(Prefixes, Vec<String>)> {
        if kind.is_reranking() {
            return self.for_reranker(overrides);
        }
        let query = PromptRole {
            what: "queries",
            prefix: ("query_prefix", overrides.query_prefix.as_ref()),
            prompt: ("query_prompt", overrides.query_prompt.as_ref()),
            names: &["query"],
        };
        let passage = PromptRole {
            what: "passages",
            prefix: ("passage_prefix", overrides.passage_prefix.as_ref()),
            prompt: ("passage_prompt", overrides.passage_prompt.as_ref()),
            names: &["document", "passage", "corpus"],
        };
        let mut notices = Vec::new();
        let [query_prefix, passage_prefix] = [&query, &passage].map(|role| self.prefix(role, &mut notices));
        let (query_prefix, passage_prefix) = (query_prefix?, passage_prefix?);
        let roles = [(&query, &query_prefix), (&passage, &passage_prefix)];
        let without: Vec<&PromptRole<'_>> =
            roles.iter().filter(|(_, prefix)| prefix.is_none()).map(|(role, _)| *role).collect();
        // A prompt of a default name belongs to its role even if the caller has overridden it.
        let usual = |name: &str| roles.iter().any(|(role, _)| role.names.contains(&name));
        let taken = |text: &String| roles.iter().any(|(_, prefix)| prefix.as_ref() == Some(text));
        let others: Vec<String> = self
            .texts
            .iter()
            .filter(|(name, text)| !text.is_empty() && !usual(name) && !taken(text))
            .map(|(name, _)| format!("\"{name}\""))
            .collect();
        if !without.is_empty() && !others.is_empty() {
            let what: Vec<&str> = without.iter().map(|role| role.what).collect();
            let arguments: Vec<&str> = without.iter().map(|role| role.prompt.0).collect();
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

    /// A reranker has no prefixes.
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

    fn prefix(&self, role: &PromptRole<'_>, notices: &mut Vec<String>) -> Result<Option<String>> {
        let ((prefix_argument, prefix), (prompt_argument, prompt)) = (role.prefix, role.prompt);
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
        if let Some(text) = role.names.iter().find_map(|name| self.texts.get(*name)) {
            return Ok(Some(text.clone()));
        }
        let Some(default) = &self.default else { return Ok(None) };
        let text = self.texts.get(default).cloned().ok_or_else(|| {
            let why = format!("Its default_prompt_name \"{default}\" is none of its prompts.");
            Error::new(Kind::DamagedModelFile, "config_sentence_transformers.json contradicts itself").detail(why)
        })?;
        notices.push(format!("{} get the prompt \"{default}\", the default of the model", role.what));
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
