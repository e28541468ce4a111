//! Names of key columns in the tables of a corpus.

/// Maximum length of an identifier in bytes (`NAMEDATALEN - 1`). PostgreSQL truncates longer ones.
const MAX_BYTES: usize = 63;

/// The names of the key columns of a source in the tables of a corpus: `source_` and the name, truncated to
/// `MAX_BYTES`, with a numeric suffix if that name is already taken.
pub fn key_names<'a>(columns: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for column in columns {
        let whole = format!("source_{column}");
        let mut name = cut(&whole, MAX_BYTES).to_string();
        let mut number = 2;
        while names.contains(&name) {
            let end = format!("_{number}");
            name = cut(&whole, MAX_BYTES - end.len()).to_string() + &end;
            number += 1;
        }
        names.push(name);
    }
    names
}

/// The longest prefix of whole characters with at most `bytes` bytes.
fn cut(text: &str, bytes: usize) -> &str {
    &text[..text.floor_char_boundary(bytes)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_as_long_as_postgres_keeps_them_and_no_two_are_equal() {
        assert_eq!(key_names(["id", "tenant"]), ["source_id", "source_tenant"]);
        let long = "a".repeat(56);
        let same = [format!("{long}1"), format!("{long}2"), format!("{}_2", &long[..54]), format!("{long}3")];
        let names = key_names(same.iter().map(String::as_str));
        assert_eq!(names[0], format!("source_{long}"));
        assert_eq!(names[1], format!("source_{}_2", &long[..54]));
        assert_eq!(names[2], format!("source_{}_3", &long[..54]));
        assert_eq!(names[3], format!("source_{}_4", &long[..54]));
        // Characters of two and of three bytes, at the place of the cut.
        for sign in ["é", "東"] {
            let columns: Vec<String> = ["x", "y", "z"].iter().map(|end| sign.repeat(60 / sign.len()) + end).collect();
            let names = key_names(columns.iter().map(String::as_str));
            assert!(names.iter().all(|name| name.len() <= MAX_BYTES && name.starts_with("source_")), "{names:?}");
            assert!(names[0] != names[1] && names[1] != names[2] && names[0] != names[2], "{names:?}");
        }
    }
}
