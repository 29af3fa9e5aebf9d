//! OpenAI images: input split into text and images, output images unless it says otherwise.
//!
//! Source: OpenAI's API specification, `ImagesResponse`; older responses have no `output_tokens_details`, and all of
//! their output is the picture.

use super::openai_tally::{self, Tally};
use super::{Bucket, Source, Usage, UsageError};

pub(super) fn fits(source: &Source<'_>) -> bool {
    source.has_key("input_tokens") && source.has_key("output_tokens") && source.is_object("input_tokens_details")
}

/// The details of `responses` always name the cached tokens, those of images never do.
pub(super) fn recognise(source: &Source<'_>) -> bool {
    fits(source)
        && source.has_inner("input_tokens_details", "image_tokens")
        && !source.has_any_inner("input_tokens_details", &["cached_tokens"])
        && !source.has_any_inner("output_tokens_details", &["reasoning_tokens"])
}

pub(super) fn read(source: &Source<'_>) -> Result<Usage, UsageError> {
    let mut usage = Usage::new(Some("openai"));
    usage.operation = Some("image_generation");
    let mut fields = source.fields();
    let (input, output) = (fields.required("input_tokens")?, fields.required("output_tokens")?);
    let tally = Tally::new(input, output, fields.optional("total_tokens")?);
    openai_tally::input_details(fields.object("input_tokens_details")?, &mut usage)?;
    let is_split = source.has("output_tokens_details");
    openai_tally::output_details(fields.object("output_tokens_details")?, &mut usage)?;
    if !is_split {
        usage[Bucket::OutputImage] = output;
    }
    openai_tally::finish(&mut usage, &tally);
    fields.finish(&mut usage.unknown_fields);
    Ok(usage)
}
