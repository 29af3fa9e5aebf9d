//! Mistral OCR: `usage_info` with `pages_processed` and `doc_size_bytes`; billed by the page.
//!
//! Source: Mistral's API reference, `OCRUsageInfo`.

use super::{Bucket, Source, Usage, UsageError};

pub(super) fn fits(source: &Source<'_>) -> bool {
    source.has_key("pages_processed")
}

pub(super) fn recognise(source: &Source<'_>) -> bool {
    fits(source)
}

pub(super) fn read(source: &Source<'_>) -> Result<Usage, UsageError> {
    let mut usage = Usage::new(Some("mistral"));
    usage.operation = Some("ocr");
    let mut fields = source.fields();
    usage[Bucket::Pages] = fields.required("pages_processed")?;
    fields.known(&["doc_size_bytes"]);
    fields.finish(&mut usage.unknown_fields);
    Ok(usage)
}
