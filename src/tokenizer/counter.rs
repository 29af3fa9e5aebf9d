//! What the rest of the module needs of a tokenizer.

/// A tokenizer of one vocabulary and pattern: the interface that another implementation would need.
///
/// `interrupt` is called regularly and may unwind.
pub(super) trait Counter: Sync {
    /// The number of tokens of `text`, or `None` if there are more than `limit`; stops there.
    fn count_up_to(&self, text: &str, limit: usize, interrupt: &mut dyn FnMut()) -> Option<usize>;

    /// The tokens of `text`.
    fn encode(&self, text: &str, interrupt: &mut dyn FnMut()) -> Vec<u32>;

    /// The length of the longest prefix of `text` that has at most `limit` tokens by itself.
    fn longest_prefix(&self, text: &str, limit: usize, interrupt: &mut dyn FnMut()) -> usize;

    /// The bytes of an ordinary token.
    fn token_bytes(&self, token: u32) -> Option<&[u8]>;
}
