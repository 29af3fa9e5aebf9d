//! Who serves a model, and its name there.

use crate::price::provider;

/// A key of the file, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    /// The provider.
    pub provider: String,
    /// The model's name without the provider.
    pub model: String,
    /// The key has no provider in front, so that the name alone means this provider.
    pub is_bare: bool,
}

/// Takes a key apart.
pub fn split(key: &str, litellm_provider: &str) -> Name {
    let provider = provider::canonical(litellm_provider);
    // `amazon-nova/nova-micro-v1` is of `amazon_nova`.
    let spelled = |name: &str| name.replace('-', "_");
    let model = key.split_once('/').and_then(|(prefix, model)| {
        let is_provider = [provider.as_str(), litellm_provider].iter().any(|name| spelled(name) == spelled(prefix));
        (is_provider && !model.is_empty()).then_some(model)
    });
    let (is_bare, model) = (model.is_none(), model.unwrap_or(key).to_owned());
    Name { provider, model, is_bare }
}
