use serde_json::{Value, json};

use super::{Bucket, Counts, Flag, Part, Reason, Stated, Usage, UsageError, parse, parse_as};

mod decimals;
mod errors;
mod fixtures;
mod fixtures_google;
mod fixtures_openai;
mod fixtures_others;
mod named;
mod numbers;
mod properties;
mod round_trips;
mod shapes;
mod streams;

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

fn read(name: &str) -> Usage {
    let path = format!("{}/tests/fixtures/usage/{name}.json", env!("CARGO_MANIFEST_DIR"));
    parse(&text(&std::fs::read_to_string(path).expect("fixture"))).expect(name)
}

/// One request of those counts.
fn used<const N: usize>(counts: [(Bucket, i64); N]) -> Usage {
    let mut all = Counts::from([(Bucket::Requests, 1)]);
    for (bucket, count) in counts {
        all[bucket] = count;
    }
    Usage { counts: all, ..Usage::default() }
}

impl Usage {
    fn by(self, provider: &'static str) -> Self {
        Self { provider: Some(provider), ..self }
    }

    fn with_model(self, model: &str) -> Self {
        Self { model: Some(model.to_owned()), ..self }
    }

    fn with_tier(self, tier: &str) -> Self {
        Self { service_tier: Some(tier.to_owned()), ..self }
    }

    fn stating(mut self, input: i64, output: i64, total: i64) -> Self {
        self.stated.total_tokens = Some(total);
        self.stating_two(input, output)
    }

    fn stating_two(mut self, input: i64, output: i64) -> Self {
        (self.stated.input_tokens, self.stated.output_tokens) = (Some(input), Some(output));
        self
    }

    fn costing(mut self, nanos: i64) -> Self {
        self.stated.cost_nanos = Some(nanos);
        self
    }

    fn doing(self, operation: &'static str) -> Self {
        Self { operation: Some(operation), ..self }
    }
}
