//! Every known name has its encoding, for ever: a count must not change with an update.

use tiktoken_rs::tokenizer::get_tokenizer;

use crate::tokenizer::Encoding::{self, *};
use crate::tokenizer::{UnknownModel, resolve};

/// This list may only grow.
const PINNED: &[(&str, Encoding)] = &[
    ("o200k_harmony", O200kHarmony),
    ("o200k_base", O200kBase),
    ("cl100k_base", Cl100kBase),
    ("p50k_base", P50kBase),
    ("p50k_edit", P50kEdit),
    ("r50k_base", R50kBase),
    ("gpt2", R50kBase),
    ("gpt-2", R50kBase),
    ("o1", O200kBase),
    ("o1-mini", O200kBase),
    ("o1-preview-2024-09-12", O200kBase),
    ("o3", O200kBase),
    ("o3-mini", O200kBase),
    ("o4-mini", O200kBase),
    ("o4-mini-2025-04-16", O200kBase),
    ("gpt-5", O200kBase),
    ("gpt-5-mini", O200kBase),
    ("gpt-5.4-pro", O200kBase),
    ("gpt-5_future", O200kBase),
    ("gpt-4.5-preview", O200kBase),
    ("gpt-4.1", O200kBase),
    ("gpt-4.1-nano", O200kBase),
    ("gpt-4o", O200kBase),
    ("gpt-4o-2024-05-13", O200kBase),
    ("chatgpt-4o-latest", O200kBase),
    ("codex-mini", O200kBase),
    ("codex-mini-latest", O200kBase),
    ("gpt-oss-20b", O200kHarmony),
    ("gpt-oss-120b", O200kHarmony),
    ("gpt-4", Cl100kBase),
    ("gpt-4-0314", Cl100kBase),
    ("gpt-4-32k-0613", Cl100kBase),
    ("gpt-4-turbo", Cl100kBase),
    ("gpt-3.5", Cl100kBase),
    ("gpt-3.5-turbo", Cl100kBase),
    ("gpt-3.5-turbo-0301", Cl100kBase),
    ("gpt-35-turbo", Cl100kBase),
    ("gpt-35-turbo-16k", Cl100kBase),
    ("davinci-002", Cl100kBase),
    ("babbage-002", Cl100kBase),
    ("text-embedding-ada-002", Cl100kBase),
    ("text-embedding-3-small", Cl100kBase),
    ("text-embedding-3-large", Cl100kBase),
    ("text-davinci-003", P50kBase),
    ("text-davinci-002", P50kBase),
    ("code-davinci-002", P50kBase),
    ("code-davinci-001", P50kBase),
    ("code-cushman-002", P50kBase),
    ("code-cushman-001", P50kBase),
    ("davinci-codex", P50kBase),
    ("cushman-codex", P50kBase),
    ("text-davinci-edit-001", P50kEdit),
    ("code-davinci-edit-001", P50kEdit),
    ("text-davinci-001", R50kBase),
    ("text-curie-001", R50kBase),
    ("text-babbage-001", R50kBase),
    ("text-ada-001", R50kBase),
    ("davinci", R50kBase),
    ("curie", R50kBase),
    ("babbage", R50kBase),
    ("ada", R50kBase),
    ("text-similarity-davinci-001", R50kBase),
    ("text-similarity-curie-001", R50kBase),
    ("text-similarity-babbage-001", R50kBase),
    ("text-similarity-ada-001", R50kBase),
    ("text-search-davinci-doc-001", R50kBase),
    ("text-search-curie-doc-001", R50kBase),
    ("text-search-babbage-doc-001", R50kBase),
    ("text-search-ada-doc-001", R50kBase),
    ("code-search-babbage-code-001", R50kBase),
    ("code-search-ada-code-001", R50kBase),
    ("ft:gpt-3.5-turbo:XXXXXX:2023-11-11", Cl100kBase),
    ("ft:gpt-4o:org:name:id", O200kBase),
    ("ft:gpt-4o-mini-2024-07-18:org::id", O200kBase),
    ("ft:davinci-002:org", Cl100kBase),
];

#[test]
fn every_pinned_name_keeps_its_encoding() {
    for (name, encoding) in PINNED {
        assert_eq!(resolve(name), Ok(*encoding), "{name}");
    }
}

#[test]
fn every_name_in_the_list_of_known_ones_is_known_and_pinned() {
    for known in UnknownModel::known() {
        let name = match known.strip_suffix('*') {
            Some("ft:") => continue,
            Some(prefix) => {
                let pinned = PINNED.iter().any(|(name, _)| name.starts_with(prefix));
                assert!(pinned, "no name with the prefix {prefix} is pinned");
                format!("{prefix}x")
            }
            None => {
                assert!(PINNED.iter().any(|(name, _)| *name == known), "{known} is not pinned");
                known
            }
        };
        assert!(resolve(&name).is_ok(), "{name} is not known");
    }
}

/// tiktoken-rs does not show its table, but its source does: each entry is a name in quotes and a
/// variant. A new entry must appear in the list of known names too.
#[test]
fn the_list_of_known_names_has_all_of_tiktoken() {
    let sources = super::texts::source_files(usize::MAX);
    let table = sources
        .iter()
        .find(|path| path.ends_with("tiktoken-rs-0.12.1/src/tokenizer.rs"))
        .and_then(|path| std::fs::read_to_string(path).ok())
        .expect("cargo keeps the source of tiktoken-rs");
    let known = UnknownModel::known();
    let mut entries = 0;
    for line in table.lines().take_while(|line| !line.contains("mod tests")) {
        let Some((name, _)) = line.trim().strip_prefix("(\"").and_then(|l| l.split_once("\", Tok")) else {
            continue;
        };
        entries += 1;
        let listed = known.iter().any(|known| known == name || *known == format!("{name}*"));
        assert!(listed, "{name} is not in the list of known names");
        assert!(get_tokenizer(name).is_some() || name.ends_with('-'));
    }
    assert!(entries > 50, "only {entries} entries found");
}

#[test]
fn unknown_names_are_errors_never_guesses() {
    for name in ["", "gpt-6", "o4", "claude-sonnet-4", "gemini-2.5-pro", "GPT-4o", " gpt-4o", "ft:"] {
        assert_eq!(resolve(name), Err(UnknownModel { name: name.to_owned() }));
    }
    let hostile = "ft:".repeat(1_000_000);
    assert!(resolve(&hostile).is_err());
}

#[test]
fn suggestions_are_near() {
    let suggest = |name: &str| UnknownModel { name: name.to_owned() }.suggestions();
    assert_eq!(suggest("gpt4o").first(), Some(&"gpt-4o"));
    assert_eq!(suggest("GPT-4o").first(), Some(&"gpt-4o"));
    assert_eq!(suggest("o200k-base").first(), Some(&"o200k_base"));
    assert_eq!(suggest("text-embeding-3-small").first(), Some(&"text-embedding-3-small"));
    assert!(suggest("claude-sonnet-4-5").is_empty());
    assert!(suggest(&"x".repeat(1_000_000)).is_empty());
}

#[test]
fn the_known_names_are_sorted() {
    let known = UnknownModel::known();
    assert!(known.is_sorted());
    assert!(known.contains(&"gpt-oss-*".to_owned()));
}

#[test]
fn names_round_trip() {
    for encoding in Encoding::ALL {
        assert_eq!(Encoding::from_name(encoding.name()), Some(encoding));
        assert_eq!(encoding.to_string(), encoding.name());
    }
}
