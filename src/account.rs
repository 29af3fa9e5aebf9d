//! Account paths: names from the root down, joined by a slash.

/// Longest path in bytes; a path is an index key, so it must stay well below a third of a page.
pub const PATH_BYTES_MAX: usize = 1024;
/// Deepest tree; every level is one more row to read and one more budget to check.
pub const DEPTH_MAX: usize = 32;

/// Why a path is not one. The text is what the user reads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    #[error("the path is empty")]
    Empty,
    #[error("the path has an empty name")]
    EmptyName,
    #[error("a name begins or ends with a space")]
    OuterSpace,
    #[error("the path has a control character")]
    ControlCharacter,
    #[error("the path is longer than {PATH_BYTES_MAX} bytes")]
    TooLong,
    #[error("the path is deeper than {DEPTH_MAX} levels")]
    TooDeep,
}

/// The paths from the root down to `path` itself: `a/b/c` gives `a`, `a/b`, `a/b/c`.
pub fn chain(path: &str) -> Result<Vec<&str>, PathError> {
    if path.is_empty() {
        return Err(PathError::Empty);
    }
    if path.len() > PATH_BYTES_MAX {
        return Err(PathError::TooLong);
    }
    if path.chars().any(char::is_control) {
        return Err(PathError::ControlCharacter);
    }
    for name in path.split('/') {
        if name.is_empty() {
            return Err(PathError::EmptyName);
        }
        if name.trim() != name {
            return Err(PathError::OuterSpace);
        }
    }
    let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
    let chain: Vec<&str> = ends.map(|end| &path[..end]).collect();
    if chain.len() > DEPTH_MAX { Err(PathError::TooDeep) } else { Ok(chain) }
}

/// The paths above `path`, from the root down to its parent.
pub fn above(path: &str) -> impl Iterator<Item = &str> {
    path.match_indices('/').map(|(at, _)| &path[..at])
}

/// Whether the names of `relative`, a path without its beginning, are those of `pattern`: as many, and each the same but
/// for `*`, which stands for any letters within a name.
pub fn matches(pattern: &str, relative: &str) -> bool {
    let (mut patterns, mut names) = (pattern.split('/'), relative.split('/'));
    loop {
        match (patterns.next(), names.next()) {
            (None, None) => return true,
            (Some(pattern), Some(name)) if name_matches(pattern, name) => {}
            _ => return false,
        }
    }
}

/// The pieces between stars occur one after the other, the first at the start and the last at the end.
fn name_matches(pattern: &str, name: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == name;
    };
    let Some(mut name) = name.strip_prefix(first) else {
        return false;
    };
    let mut pieces: Vec<&str> = rest.split('*').collect();
    let last = pieces.pop().unwrap_or_default();
    for piece in pieces {
        match name.find(piece) {
            Some(at) => name = &name[at + piece.len()..],
            None => return false,
        }
    }
    name.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_name_by_name() {
        for (pattern, path) in
            [("*", "a"), ("*/*", "a/b"), ("user-*", "user-7"), ("*-*", "a-b"), ("a*b*c", "axxbyyc"), ("x", "x")]
        {
            assert!(matches(pattern, path), "{pattern} {path}");
        }
        for (pattern, path) in
            [("*", "a/b"), ("*/*", "a"), ("user-*", "bot-7"), ("a*b*c", "acb"), ("ab*ba", "aba"), ("x", "X")]
        {
            assert!(!matches(pattern, path), "{pattern} {path}");
        }
    }

    #[test]
    fn chain_goes_from_the_root_down() {
        assert_eq!(chain("acme"), Ok(vec!["acme"]));
        assert_eq!(chain("acme/search/bot 7"), Ok(vec!["acme", "acme/search", "acme/search/bot 7"]));
        assert_eq!(chain("größe/日本"), Ok(vec!["größe", "größe/日本"]));
    }

    #[test]
    fn malformed_paths_are_refused() {
        assert_eq!(chain(""), Err(PathError::Empty));
        for path in ["/", "/a", "a/", "a//b"] {
            assert_eq!(chain(path), Err(PathError::EmptyName), "{path:?}");
        }
        for path in [" a", "a /b", "a/ b"] {
            assert_eq!(chain(path), Err(PathError::OuterSpace), "{path:?}");
        }
        assert_eq!(chain("a\nb"), Err(PathError::ControlCharacter));
        assert_eq!(chain(&"a".repeat(PATH_BYTES_MAX + 1)), Err(PathError::TooLong));
        assert_eq!(chain(&vec!["a"; DEPTH_MAX + 1].join("/")), Err(PathError::TooDeep));
        assert_eq!(chain(&vec!["a"; DEPTH_MAX].join("/")).map(|chain| chain.len()), Ok(DEPTH_MAX));
    }
}
