use serde_json::{Value, json};

use super::clause::{ClauseError, check, matches};

/// So many `or` around a clause that matches.
fn nested(levels: usize) -> Value {
    (0..levels).fold(json!({"equals": "gpt-4o"}), |inner, _| json!({ "or": [inner] }))
}

#[test]
fn every_kind_of_clause() {
    for (pattern, yes, no) in [
        (json!({"equals": "gpt-4o"}), ["gpt-4o", "GPT-4o"], ["gpt-4o-mini", "my-gpt-4o"]),
        (json!({"starts_with": "gpt-4"}), ["gpt-4", "gpt-4o"], ["gpt-3", "my-gpt-4"]),
        (json!({"ends_with": "-mini"}), ["gpt-4o-mini", "-mini"], ["gpt-4o-mini-1", "mini"]),
        (json!({"contains": "sonnet"}), ["claude-sonnet-4", "sonnet"], ["claude-opus", "sonne"]),
        (json!({"regex": "^o[0-9]+(-mini)?$"}), ["o3", "o10-mini"], ["o3-pro", "xo3"]),
        (json!({"regex": "gpt(?!-3)"}), ["gpt-4", "my-gpt-5"], ["gpt-3", "claude"]),
        (json!({"or": [{"equals": "a"}, {"equals": "b"}]}), ["a", "b"], ["c", "ab"]),
        (json!({"and": [{"starts_with": "a"}, {"ends_with": "b"}]}), ["ab", "axb"], ["a", "b"]),
        (
            json!({"or": [{"and": [{"starts_with": "a"}, {"contains": "x"}]}, {"equals": "b"}]}),
            ["axe", "b"],
            ["ab", "xb"],
        ),
    ] {
        assert_eq!(check(&pattern), Ok(()), "{pattern}");
        yes.into_iter().for_each(|name| assert!(matches(&pattern, name), "{pattern} {name}"));
        no.into_iter().for_each(|name| assert!(!matches(&pattern, name), "{pattern} {name}"));
    }
}

#[test]
fn case_does_not_count() {
    for pattern in [
        json!({"equals": "GPT-4O"}),
        json!({"starts_with": "GPT"}),
        json!({"ends_with": "4O"}),
        json!({"contains": "T-4"}),
        json!({"regex": "^gpt-4o$"}),
    ] {
        assert!(matches(&pattern, "gpt-4o") && matches(&pattern, "Gpt-4O"), "{pattern}");
    }
    assert!(matches(&json!({"equals": "ÉTOILE"}), "étoile"));
    // Its classes cannot be put in lower case, so the name is searched as published patterns expect it.
    assert!(!matches(&json!({"regex": "^GPT"}), "GPT-4o"));
}

#[test]
fn what_is_no_clause_means_no_name() {
    for pattern in [
        json!(null),
        json!("gpt-4o"),
        json!([{"equals": "gpt-4o"}]),
        json!({}),
        json!({"equals": "gpt-4o", "contains": "gpt"}),
        json!({"equals": 4}),
        json!({"Equals": "gpt-4o"}),
        json!({"or": {"equals": "gpt-4o"}}),
        json!({"not": {"equals": "gpt"}}),
        json!({"or": ["gpt-4o"]}),
    ] {
        assert_eq!(check(&pattern), Err(ClauseError::Syntax), "{pattern}");
        assert!(!matches(&pattern, "gpt-4o"), "{pattern}");
    }
    let broken = json!({"regex": "gpt("});
    assert!(matches!(check(&broken), Err(ClauseError::Regex(_))));
    assert!(!matches(&broken, "gpt("));
    // One broken part does not hide the others of a list, but `and` needs all.
    assert!(matches(&json!({"or": [broken, {"equals": "gpt"}]}), "gpt"));
    assert!(!matches(&json!({"and": [broken, {"equals": "gpt"}]}), "gpt"));
}

#[test]
fn an_empty_list_means_no_name() {
    for pattern in [json!({"or": []}), json!({"and": []}), json!({"or": [{"equals": "x"}, {"and": []}]})] {
        assert_eq!(check(&pattern), Err(ClauseError::Empty), "{pattern}");
        assert!(!matches(&pattern, "gpt-4o"), "{pattern}");
    }
}

#[test]
fn nesting_ends_somewhere() {
    assert_eq!(check(&nested(15)), Ok(()));
    assert!(matches(&nested(15), "gpt-4o"));
    assert_eq!(check(&nested(16)), Err(ClauseError::Depth));
    assert!(!matches(&nested(16), "gpt-4o"));
}

/// Backtracking without end would stop a session; a pattern that needs it matches nothing.
#[test]
fn a_regular_expression_that_backtracks_gives_up() {
    let pattern = json!({"regex": "^(a|aa)+(?=\\1)\\1b$"});
    assert_eq!(check(&pattern), Ok(()));
    let started = std::time::Instant::now();
    assert!(!matches(&pattern, &"a".repeat(64)));
    assert!(started.elapsed() < std::time::Duration::from_secs(20));
}
