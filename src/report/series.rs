//! What a row of a roll-up is about, as one id: the same whoever adds to the row, and whenever.

use sha2::{Digest, Sha256};

/// The first half of the SHA-256 of the accounts and of all attributes, each with its length, so that no two lists of
/// attributes read alike and none that somebody chose reads like another's.
pub fn id(account_ids: &[i64], attributes: &[Option<&str>]) -> [u8; 16] {
    let mut hash = Sha256::new();
    hash.update((account_ids.len() as u64).to_le_bytes());
    for account_id in account_ids {
        hash.update(account_id.to_le_bytes());
    }
    for attribute in attributes {
        match attribute {
            None => hash.update([0]),
            Some(text) => {
                hash.update([1]);
                hash.update((text.len() as u64).to_le_bytes());
                hash.update(text);
            }
        }
    }
    let mut half = [0; 16];
    half.copy_from_slice(&hash.finalize()[..16]);
    half
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::id;

    #[test]
    fn what_differs_has_another_id() {
        let all = [
            id(&[1, 2], &[Some("a"), None]),
            id(&[2, 1], &[Some("a"), None]),
            id(&[1], &[Some("a"), None]),
            id(&[1, 2], &[None, Some("a")]),
            id(&[1, 2], &[Some(""), Some("a")]),
            id(&[1, 2], &[Some("a"), Some("")]),
            id(&[1, 2], &[Some("ab"), Some("")]),
            id(&[1, 2], &[Some("a"), Some("b")]),
            id(&[1, 2], &[None, None]),
            id(&[], &[None, None]),
            id(&[1], &[Some("\0\0"), None]),
            id(&[1, 2], &[None]),
        ];
        assert_eq!(all.iter().collect::<BTreeSet<_>>().len(), all.len());
        assert_eq!(all[0], id(&[1, 2], &[Some("a"), None]));
    }
}
