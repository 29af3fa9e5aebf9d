//! A shape of our own, for whatever no other shape is for: `{"buckets": {"uncached_input": 5, "output_text": 3}}`.
//!
//! The names are those of [`Bucket`]; a name that is none is refused, because a count in the wrong place would be
//! billed as nothing. Beside the buckets may stand `provider`, `model`, `service_tier`, `region`, the totals, and
//! `parts` of other models, each with `model` and `buckets`.

use serde_json::Value;

use super::error::kind;
use super::fields::{self, Fields};
use super::{Bucket, Counts, Part, Reason, Source, Usage, UsageError, provider};

pub(super) fn fits(source: &Source<'_>) -> bool {
    source.has("buckets")
}

pub(super) fn recognise(source: &Source<'_>) -> bool {
    fits(source)
}

pub(super) fn read(source: &Source<'_>) -> Result<Usage, UsageError> {
    let mut usage = Usage::new(source.text("provider").and_then(provider::canonical));
    let mut fields = source.fields();
    read_counts(&mut fields, &mut usage.counts)?;
    for mut part in fields.objects("parts")? {
        let mut counts = Counts::default();
        read_counts(&mut part, &mut counts)?;
        let model = part.text("model").filter(|model| !model.is_empty());
        let path = format!("{}.model", part.path());
        let model = model.ok_or_else(|| UsageError::new(path, Reason::Missing))?.to_owned();
        part.finish(&mut usage.unknown_fields);
        usage.parts.push(Part { model, counts });
    }
    usage.stated.input_tokens = fields.optional("input_tokens")?;
    usage.stated.output_tokens = fields.optional("output_tokens")?;
    usage.stated.total_tokens = fields.optional("total_tokens")?;
    if let Ok(sum) = usage.total_tokens() {
        usage.check_total(&[i128::from(sum)]);
    }
    usage.model = fields.text("model").filter(|model| !model.is_empty()).map(str::to_owned);
    usage.set_service_tier(fields.text("service_tier"));
    usage.region = fields.text("region").map(str::to_owned);
    fields.finish(&mut usage.unknown_fields);
    Ok(usage)
}

fn read_counts(fields: &mut Fields<'_>, counts: &mut Counts) -> Result<(), UsageError> {
    let path = format!("{}.buckets", fields.path());
    let Some(buckets) = fields.map("buckets")? else {
        return Err(UsageError::new(path, Reason::Missing));
    };
    for (name, value) in buckets {
        // A name comes from outside and is unbounded, so the error says only where the names stand.
        let bucket = Bucket::from_name(name).ok_or_else(|| UsageError::new(path.clone(), Reason::UnknownBucket))?;
        counts[bucket] = match value {
            Value::Null => continue,
            Value::Number(number) => fields::count(number),
            other => Err(Reason::NotANumber(kind(other))),
        }
        .map_err(|reason| UsageError::new(format!("{path}.{}", bucket.name()), reason))?;
    }
    Ok(())
}
