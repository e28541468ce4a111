//! The Merkle tree over all lines (RFC 6962), of which only the roots of its full subtrees are kept: one for each bit of the
//! number of lines that is set.

use crate::hash::Hash;

/// The tree over a number of lines.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Tree {
    size: u64,
    /// Roots of the full subtrees, the largest first.
    roots: Vec<Hash>,
}

impl Tree {
    /// A tree of which the roots of its subtrees are known; `None` if there are not as many as there have to be.
    pub fn of(size: u64, roots: Vec<Hash>) -> Option<Self> {
        (roots.len() == size.count_ones() as usize).then_some(Self { size, roots })
    }

    /// Number of lines.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Roots of the full subtrees, the largest first.
    pub fn roots(&self) -> &[Hash] {
        &self.roots
    }

    /// Adds a line, which is given without its LF.
    pub fn push(&mut self, line: &[u8]) {
        let mut root = Hash::of(&[&[0], line]);
        for _ in 0..self.size.trailing_ones() {
            let Some(left) = self.roots.pop() else { break };
            root = node(left, root);
        }
        self.roots.push(root);
        self.size += 1;
    }

    /// The root over all lines.
    pub fn root(&self) -> Hash {
        let mut roots = self.roots.iter().rev().copied();
        let Some(last) = roots.next() else { return Hash::of(&[]) };
        roots.fold(last, |right, left| node(left, right))
    }
}

fn node(left: Hash, right: Hash) -> Hash {
    Hash::of(&[&[1], &left.0, &right.0])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition in RFC 6962, section 2.1.
    fn defined(lines: &[Vec<u8>]) -> Hash {
        match lines {
            [] => Hash::of(&[]),
            [line] => Hash::of(&[&[0], line]),
            _ => {
                let left = lines.len().next_power_of_two() / 2;
                node(defined(&lines[..left]), defined(&lines[left..]))
            }
        }
    }

    #[test]
    fn its_root_is_that_of_the_definition() {
        let mut tree = Tree::default();
        let mut lines = Vec::new();
        for number in 0..70_u8 {
            assert_eq!(tree.root(), defined(&lines), "{number}");
            tree.push(&[number; 3]);
            lines.push(vec![number; 3]);
            assert_eq!(Tree::of(tree.size(), tree.roots().to_vec()), Some(tree.clone()));
        }
        assert_eq!(Tree::of(3, vec![Hash::NONE]), None);
    }

    #[test]
    fn known_roots_are_found() {
        // The test vectors of certificate transparency.
        let mut tree = Tree::default();
        assert_eq!(tree.root().to_string(), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        tree.push(b"");
        assert_eq!(tree.root().to_string(), "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d");
        tree.push(b"\0");
        assert_eq!(tree.root().to_string(), "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125");
        tree.push(b"\x10");
        assert_eq!(tree.root().to_string(), "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77");
    }
}
