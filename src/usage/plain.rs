//! `input_tokens` and `output_tokens` with no mark of any provider: nothing is cached, so every dialect means the same.

use super::{Source, Usage, UsageError};

pub(super) fn recognise(source: &Source<'_>) -> bool {
    source.usage.contains_key("input_tokens") && source.usage.contains_key("output_tokens")
}

pub(super) fn read(source: &Source<'_>) -> Result<Usage, UsageError> {
    let mut usage = Usage::default();
    let mut fields = source.fields();
    usage.uncached_input = fields.required("input_tokens")?;
    usage.output_text = fields.required("output_tokens")?;
    usage.set_service_tier(fields.text("service_tier").or_else(|| source.response_text("service_tier")));
    fields.finish(&mut usage.unknown_fields);
    Ok(usage)
}
