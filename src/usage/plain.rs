//! Input and output with no mark of any provider: nothing is cached, so every dialect means the same.

use super::openai_tally::{self, Tally};
use super::{Source, Usage, UsageError};

const SNAKE: [&str; 3] = ["input_tokens", "output_tokens", "total_tokens"];
const CAMEL: [&str; 3] = ["inputTokens", "outputTokens", "totalTokens"];

pub(super) fn fits(source: &Source<'_>) -> bool {
    [SNAKE, CAMEL].iter().any(|[input, output, _]| source.has_key(input) && source.has_key(output))
}

pub(super) fn recognise(source: &Source<'_>) -> bool {
    fits(source)
}

pub(super) fn read(source: &Source<'_>) -> Result<Usage, UsageError> {
    let mut usage = Usage::new(None);
    let mut fields = source.fields();
    let [input, output, total] = if source.has_key("input_tokens") { SNAKE } else { CAMEL };
    let (input, output) = (fields.required(input)?, fields.required(output)?);
    let tally = Tally::new(input, output, fields.optional(total)?);
    openai_tally::finish(&mut usage, &tally);
    usage.set_service_tier(fields.text("service_tier").or_else(|| source.response_text("service_tier")));
    fields.finish(&mut usage.unknown_fields);
    Ok(usage)
}
