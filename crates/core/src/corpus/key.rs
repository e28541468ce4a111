//! Changes of the type of key columns.

/// The cost of a type change that preserves all values.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Widening {
    /// Stored values are binary compatible.
    Free,
    /// Stored values have to be rewritten.
    Rewrite,
}

/// Whether changing a column from type `old` to `new` preserves all values and their equality; `None` if not. Types are
/// as `format_type` gives them, with ` COLLATE ` and the collation if they have a non-default one.
pub fn widens(old: &str, new: &str) -> Option<Widening> {
    let ((old, old_collation), (new, new_collation)) = (collated(old), collated(new));
    if old_collation != new_collation {
        return None;
    }
    let ((old, old_limits), (new, new_limits)) = (limited(old)?, limited(new)?);
    match (old, new) {
        ("smallint", "integer" | "bigint" | "numeric") | ("integer", "bigint" | "numeric") | ("bigint", "numeric")
            if new_limits.is_empty() =>
        {
            Some(Widening::Rewrite)
        }
        ("character varying" | "text", "text") | ("text", "character varying") if new_limits.is_empty() => {
            Some(Widening::Free)
        }
        ("character varying", "character varying") if at_least(&new_limits, &old_limits) => Some(Widening::Free),
        ("numeric", "numeric") if new_limits.is_empty() => Some(Widening::Free),
        ("numeric", "numeric") if at_least(&new_limits, &old_limits) && old_limits.get(1) == new_limits.get(1) => {
            Some(Widening::Free)
        }
        _ => None,
    }
}

/// A type and its collation, empty for the default.
fn collated(definition: &str) -> (&str, &str) {
    definition.split_once(" COLLATE ").unwrap_or((definition, ""))
}

/// A type and its modifiers; `None` if they are not numbers.
fn limited(name: &str) -> Option<(&str, Vec<i64>)> {
    let Some((name, limits)) = name.split_once('(') else { return Some((name, Vec::new())) };
    let limits = limits.strip_suffix(')')?.split(',').map(|limit| limit.trim().parse().ok());
    Some((name, limits.collect::<Option<_>>()?))
}

/// Whether the new length limit is absent or not smaller than the old one.
fn at_least(new: &[i64], old: &[i64]) -> bool {
    match (new.first(), old.first()) {
        (None, _) => true,
        (Some(new), Some(old)) => new >= old,
        (Some(_), None) => false,
    }
}

#[cfg(test)]
mod tests {
    use super::{Widening, widens};

    #[test]
    fn what_keeps_every_value_and_no_more() {
        for (old, new, wanted) in [
            ("integer", "bigint", Some(Widening::Rewrite)),
            ("smallint", "integer", Some(Widening::Rewrite)),
            ("smallint", "numeric", Some(Widening::Rewrite)),
            ("bigint", "integer", None),
            ("integer", "text", None),
            ("integer", "numeric(5,2)", None),
            ("character varying(20)", "character varying(40)", Some(Widening::Free)),
            ("character varying(20)", "character varying", Some(Widening::Free)),
            ("character varying(20)", "text", Some(Widening::Free)),
            ("text", "character varying", Some(Widening::Free)),
            ("character varying(20)", "character varying(10)", None),
            ("character varying", "character varying(10)", None),
            ("text", "character varying(10)", None),
            ("character(3)", "character(4)", None),
            ("numeric(10,2)", "numeric(12,2)", Some(Widening::Free)),
            ("numeric(10,2)", "numeric(12,4)", None),
            ("numeric(10,2)", "numeric", Some(Widening::Free)),
            ("numeric", "numeric(12,4)", None),
            ("text", "public.citext", None),
            ("text COLLATE pg_catalog.\"C\"", "text", None),
            ("character varying(5) COLLATE pg_catalog.\"C\"", "text COLLATE pg_catalog.\"C\"", Some(Widening::Free)),
            ("timestamp without time zone", "timestamp with time zone", None),
            ("uuid", "text", None),
        ] {
            assert_eq!(widens(old, new), wanted, "{old} → {new}");
        }
    }
}
