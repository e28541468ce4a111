//! Position ids by the architecture of a model: the first one, and their number (transformers, `modeling_*.py`).

use super::configuration::number;
use serde_json::Value;

/// `model_type` of the architectures whose position ids begin after the padding id, which has a row in the table itself:
/// those with `create_position_ids_from_input_ids`.
const AFTER_PADDING: [&str; 16] = [
    "bridgetower",
    "camembert",
    "data2vec-text",
    "esm",
    "ibert",
    "layoutlmv3",
    "lilt",
    "longformer",
    "luke",
    "markuplm",
    "mpnet",
    "roberta",
    "roberta-prelayernorm",
    "xlm-roberta",
    "xlm-roberta-xl",
    "xmod",
];

/// `model_type` of the architectures whose position ids begin at 2. Their tables have two rows more than
/// `max_position_embeddings`.
const AT_TWO: [&str; 3] = ["mra", "nystromformer", "yoso"];

/// Whether position ids begin after the padding id.
pub fn begins_after_padding(config: &Value) -> bool {
    is_one_of(config, &AFTER_PADDING)
}

/// The position id of the first token.
pub fn first(config: &Value) -> u32 {
    if begins_after_padding(config) {
        number(config, "pad_token_id").unwrap_or(1).saturating_add(1)
    } else if is_one_of(config, &AT_TWO) {
        2
    } else {
        0
    }
}

/// The number of tokens that the table of positions covers; `None` when the configuration does not state it.
pub fn count(config: &Value) -> Option<u32> {
    let rows = number(config, "max_position_embeddings")?;
    if begins_after_padding(config) { rows.checked_sub(first(config)) } else { Some(rows) }
}

fn is_one_of(config: &Value, types: &[&str]) -> bool {
    config.get("model_type").and_then(Value::as_str).is_some_and(|name| types.contains(&name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn positions_of_roberta_and_its_kin_begin_after_the_padding() {
        let config = |r#type: &str| json!({"model_type": r#type, "pad_token_id": 1, "max_position_embeddings": 514});
        for kin in ["roberta", "xlm-roberta", "mpnet", "camembert"] {
            assert_eq!((first(&config(kin)), count(&config(kin))), (2, Some(512)), "{kin}");
        }
        assert_eq!((first(&config("bert")), count(&config("bert"))), (0, Some(514)));
        assert_eq!((first(&config("yoso")), count(&config("yoso"))), (2, Some(514)));
        let other_padding = json!({"model_type": "xlm-roberta", "pad_token_id": 0, "max_position_embeddings": 514});
        assert_eq!((first(&other_padding), count(&other_padding)), (1, Some(513)));
        assert_eq!((first(&json!({})), count(&json!({}))), (0, None));
    }
}
