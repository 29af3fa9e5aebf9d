use serde_json::{Value, json};

use super::{Flag, Reason, Usage, UsageError, parse};

mod decimals;
mod fixtures;
mod numbers;
mod properties;
mod shapes;

fn error(value: &Value) -> UsageError {
    match parse(value) {
        Err(error) => error,
        Ok(usage) => panic!("{value} was read as {usage:?}"),
    }
}

fn refused(value: &Value, path: &str, reason: Reason) {
    assert_eq!(error(value), UsageError { path: path.to_owned(), reason }, "{value}");
}

/// A JSON text, so that numbers keep the spelling that a macro would lose.
fn text(json: &str) -> Value {
    serde_json::from_str(json).expect("test JSON")
}

fn chat(prompt: i64, completion: i64) -> Value {
    json!({"prompt_tokens": prompt, "completion_tokens": completion, "total_tokens": prompt + completion})
}
