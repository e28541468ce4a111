//! Hints for a name that does not exist: the one that was probably meant, and those that there are.

/// Most names that a hint lists.
const MAX_LISTED: usize = 10;

/// Longest name that is compared, in characters: that of an identifier of PostgreSQL.
const MAX_COMPARED: usize = 64;

/// Most differences of names that are taken for each other, and how many letters a name needs for each.
const MAX_DIFFERENCES: usize = 3;
const LETTERS_PER_DIFFERENCE: usize = 3;

/// The hint for a name that is not among these: `Did you mean "x"? Corpora are "x", "y".` `listed` is the begin of the
/// list, such as `Corpora are`; `none` is the hint where there are none.
pub fn for_name(name: &str, known: &[String], listed: &str, none: &str) -> String {
    if known.is_empty() {
        return none.to_string();
    }
    let meant = nearest(name, known).map(|near| format!("Did you mean \"{near}\"? ")).unwrap_or_default();
    let quoted: Vec<String> = known.iter().take(MAX_LISTED).map(|name| format!("\"{name}\"")).collect();
    let more = if known.len() > MAX_LISTED { ", …" } else { "" };
    format!("{meant}{listed} {}{more}.", quoted.join(", "))
}

/// The name that differs from this one by a slip: letters in another case, left out, doubled, exchanged or beside.
pub fn nearest<'a>(name: &str, known: &'a [String]) -> Option<&'a str> {
    let wanted = folded(name);
    let allowed = (wanted.len() / LETTERS_PER_DIFFERENCE).min(MAX_DIFFERENCES);
    let distances = known.iter().map(|other| (distance(&wanted, &folded(other)), other));
    let near = distances.filter(|(distance, _)| *distance <= allowed);
    near.min_by_key(|(distance, _)| *distance).map(|(_, other)| other.as_str())
}

fn folded(name: &str) -> Vec<char> {
    name.to_lowercase().chars().take(MAX_COMPARED).collect()
}

/// Letters to insert, remove, replace or exchange with their neighbour (optimal string alignment).
fn distance(one: &[char], other: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=other.len()).collect();
    for (i, a) in one.iter().enumerate() {
        let mut row = vec![i + 1];
        for (j, b) in other.iter().enumerate() {
            let mut least = (last[j] + usize::from(a != b)).min(last[j + 1] + 1).min(row[j] + 1);
            if i > 0 && j > 0 && one[i - 1] == *b && *a == other[j - 1] {
                least = least.min(before[j - 1] + 1);
            }
            row.push(least);
        }
        before = std::mem::replace(&mut last, row);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_string()).collect()
    }

    #[test]
    fn slips_are_recognized_and_other_names_are_not() {
        let known = names(&["tuvqar", "tickets", "a"]);
        for slip in ["tuvqr", "Tuvqar", "tuqvar", "tuvqaar", "tuvqer", "tuvqars"] {
            assert!(nearest(slip, &known).is_some(), "{slip}");
        }
        for other in ["", "b", "manual", "cookbook store", "tick"] {
            assert_eq!(nearest(other, &known), None, "{other}");
        }
        assert_eq!(nearest("ticketz", &known), Some("tickets"));
    }

    #[test]
    fn hints_say_what_there_is() {
        let hint = |name: &str, known: &[&str]| for_name(name, &names(known), "Corpora are", "No corpus exists.");
        assert_eq!(hint("x", &[]), "No corpus exists.");
        assert_eq!(hint("tuvqr", &["tuvqar", "b"]), "Did you mean \"tuvqar\"? Corpora are \"tuvqar\", \"b\".");
        assert_eq!(hint("other", &["tuvqar"]), "Corpora are \"tuvqar\".");
        let many: Vec<String> = (0..11).map(|number| format!("corpus number {number}")).collect();
        let hint = for_name("x", &many, "Corpora are", "");
        assert!(hint.ends_with("\"corpus number 9\", …."), "{hint}");
    }
}
