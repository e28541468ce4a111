//! Reads `modules.json`, the list of the modules of a model in the order in which they are applied.

use super::configuration::unsupported;
use serde_json::Value;
use socle_core::Error;

/// The modules of a model. Without `modules.json`, it is a transformer in the directory of the model.
#[derive(Debug, Default)]
pub struct Modules {
    /// Whether there is a `modules.json`.
    pub stated: bool,
    /// Directory of the transformer module; empty for that of the model.
    pub transformer: String,
    /// Directory of the pooling module.
    pub pooling: Option<String>,
    /// The modules after pooling.
    pub after: Vec<Module>,
    /// The error for the first module that socle does not support, or not in that place.
    pub refused: Option<Error>,
}

/// A module after pooling.
#[derive(Debug)]
pub struct Module {
    /// Its kind.
    pub kind: ModuleKind,
    /// Its directory.
    pub path: String,
    /// Its `config.json`; null without one.
    pub configuration: Value,
}

/// Kind of a module after pooling.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum ModuleKind {
    /// A linear layer with bias and activation function.
    Dense,
    /// Layer normalization.
    LayerNorm,
    /// Scaling to length 1.
    Normalize,
}

impl Module {
    /// Path of a file of the module, in the directory of the model.
    pub fn file(&self, name: &str) -> String {
        if self.path.is_empty() { name.to_string() } else { format!("{}/{name}", self.path) }
    }
}

impl Modules {
    /// Reads `modules.json`.
    ///
    /// # Errors
    /// A sentence that says what is wrong.
    pub fn parse(value: &Value) -> Result<Self, String> {
        let entries = value.as_array().ok_or("It is no list of modules.")?;
        let mut modules = Self { stated: true, ..Self::default() };
        let mut has_transformer = false;
        for entry in entries {
            let text = |key: &str| entry.get(key).and_then(Value::as_str).unwrap_or_default();
            let (name, path) = (text("type"), text("path").trim_end_matches('/').to_string());
            let refuse = |what: &str| Some(unsupported(&format!("{what} \"{name}\""), "modules.json"));
            // Modules of other packages are code that is distributed with the model.
            let known = name.strip_prefix("sentence_transformers.").and_then(|name| name.rsplit('.').next());
            let after = match known {
                Some("Transformer") if !has_transformer => {
                    has_transformer = true;
                    modules.transformer = path;
                    continue;
                }
                Some("Pooling") if has_transformer && modules.pooling.is_none() && modules.after.is_empty() => {
                    modules.pooling = Some(path);
                    continue;
                }
                // Has an effect in training only.
                Some("Dropout") => continue,
                Some("Dense") => ModuleKind::Dense,
                Some("LayerNorm") => ModuleKind::LayerNorm,
                Some("Normalize") => ModuleKind::Normalize,
                Some("Transformer" | "Pooling") => {
                    modules.refused = modules.refused.or_else(|| refuse("place of module"));
                    continue;
                }
                _ => {
                    modules.refused = modules.refused.or_else(|| refuse("module"));
                    continue;
                }
            };
            modules.after.push(Module { kind: after, path, configuration: Value::Null });
        }
        Ok(modules)
    }

    /// Whether the last module normalizes vectors; `None` without `modules.json`.
    pub fn normalizes(&self) -> Option<bool> {
        self.stated.then(|| self.after.last().is_some_and(|module| module.kind == ModuleKind::Normalize))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn modules(types: &[&str]) -> Modules {
        let entry = |(at, name): (usize, &&str)| json!({"idx": at, "path": format!("{at}_x"), "type": name});
        Modules::parse(&types.iter().enumerate().map(entry).collect()).unwrap()
    }

    #[test]
    fn modules_are_read_in_order_under_old_and_new_names() {
        let old = modules(&[
            "sentence_transformers.models.Transformer",
            "sentence_transformers.models.Pooling",
            "sentence_transformers.models.Dropout",
            "sentence_transformers.models.Dense",
            "sentence_transformers.models.Normalize",
        ]);
        assert_eq!((old.transformer.as_str(), old.pooling.as_deref()), ("0_x", Some("1_x")));
        let kinds: Vec<ModuleKind> = old.after.iter().map(|module| module.kind).collect();
        assert_eq!(kinds, [ModuleKind::Dense, ModuleKind::Normalize]);
        assert_eq!(old.after.first().map(|module| module.file("config.json")), Some("3_x/config.json".into()));
        assert!(old.refused.is_none());
        assert_eq!((old.normalizes(), Modules::default().normalizes()), (Some(true), None));
        let new = modules(&[
            "sentence_transformers.base.modules.transformer.Transformer",
            "sentence_transformers.sentence_transformer.modules.pooling.Pooling",
            "sentence_transformers.base.modules.normalize.Normalize",
            "sentence_transformers.base.modules.dense.Dense",
        ]);
        assert!(new.refused.is_none() && new.normalizes() == Some(false));
    }

    #[test]
    fn what_socle_does_not_run_is_refused_by_name() {
        const TRANSFORMER: &str = "sentence_transformers.models.Transformer";
        const POOLING: &str = "sentence_transformers.models.Pooling";
        const DENSE: &str = "sentence_transformers.models.Dense";
        let asym = "sentence_transformers.models.Asym";
        for (types, what) in [
            (vec!["sentence_transformers.models.Router"], "module \"sentence_transformers.models.Router\""),
            (vec!["custom_st.Transformer", POOLING], "module \"custom_st.Transformer\""),
            (vec!["pylate.models.Dense.Dense"], "module \"pylate.models.Dense.Dense\""),
            (vec![TRANSFORMER, POOLING, asym], "module \"sentence_transformers.models.Asym\""),
            (vec![TRANSFORMER, DENSE, POOLING], "place of module \"sentence_transformers.models.Pooling\""),
            (vec![TRANSFORMER, POOLING, POOLING], "place of module \"sentence_transformers.models.Pooling\""),
        ] {
            let refused = modules(&types).refused.map(|error| error.message);
            assert_eq!(refused, Some(format!("unsupported {what} in modules.json")));
        }
        assert!(Modules::parse(&json!({})).is_err());
    }
}
