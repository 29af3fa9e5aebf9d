//! A plain CSV shape, for providers without an export of their own shape here.
//!
//! Columns, in any order, without regard to case; what is not listed is ignored:
//!
//! | column | |
//! |---|---|
//! | `date`, or `starts_at` and `ends_at` | the UTC day, or the period; required |
//! | `provider` | required unless the caller names it |
//! | `model`, `api_key`, `project`, `workspace`, `end_user` | who and what |
//! | `charge` | `usage` (unless said), `tax`, `credit`, `adjustment`, `purchase` |
//! | `requests` | calls |
//! | `input_tokens` | all input, cached tokens included |
//! | `cache_read_input_tokens`, `cache_write_input_tokens` | the parts of it that were cached |
//! | `output_tokens` | all output |
//! | `cost`, `currency` | decimal with a point; a cost needs a currency |
//! | `service_tier`, `region`, `description` | kept |

use super::table::{Record, Table};
use super::{Charge, Document, Format, Line, ReadError, instant};

pub fn read(text: &str, provider: Option<&str>) -> Result<Document, ReadError> {
    let mut document = Document::new(Format::Csv);
    let mut table = Table::read(text)?;
    while let Some(record) = table.next() {
        let line = line(&record?, provider)?;
        document.cover(line.starts_at, line.ends_at);
        document.take(line);
    }
    Ok(document)
}

fn line(record: &Record<'_>, provider: Option<&str>) -> Result<Line, ReadError> {
    let (starts_at, ends_at) = period(record)?;
    let charge = match record.text("charge") {
        None => Charge::Usage,
        Some(name) => Charge::from_name(name)
            .ok_or_else(|| record.refuse("charge", "none of usage, tax, credit, adjustment, purchase"))?,
    };
    let provider = provider.or_else(|| record.text("provider"));
    let mut line = Line {
        at: record.at.clone(),
        starts_at,
        ends_at,
        provider: provider.ok_or_else(|| record.refuse("provider", "missing"))?.to_string(),
        model: record.owned("model"),
        api_key: record.owned("api_key"),
        project: record.owned("project"),
        workspace: record.owned("workspace"),
        end_user: record.owned("end_user"),
        charge,
        requests: record.count("requests")?,
        output_tokens: record.count("output_tokens")?,
        cost: record.amount("cost")?,
        currency: record.currency("currency")?,
        service_tier: record.owned("service_tier"),
        region: record.owned("region"),
        description: record.owned("description"),
        ..Line::default()
    };
    if line.cost.is_some() && line.currency.is_none() {
        return Err(record.refuse("currency", "missing"));
    }
    let read = record.count("cache_read_input_tokens")?;
    let written = record.count("cache_write_input_tokens")?;
    if let Some(input) = record.count("input_tokens")? {
        let (read, written) = (read.unwrap_or(0), written.unwrap_or(0));
        let uncached = input.checked_sub(read).and_then(|rest| rest.checked_sub(written)).filter(|rest| *rest >= 0);
        line.uncached_input_tokens =
            Some(uncached.ok_or_else(|| record.refuse("input_tokens", "less than the cached tokens in it"))?);
        line.cache_read_input_tokens = Some(read);
        line.cache_write_input_tokens = Some(written);
    } else if read.is_some() || written.is_some() {
        return Err(record.refuse("input_tokens", "missing beside the cached tokens in it"));
    }
    Ok(line)
}

fn period(record: &Record<'_>) -> Result<(i64, i64), ReadError> {
    if let Some(starts_at) = record.instant("starts_at")? {
        let ends_at = record.instant("ends_at")?.ok_or_else(|| record.refuse("ends_at", "missing"))?;
        return if starts_at < ends_at {
            Ok((starts_at, ends_at))
        } else {
            Err(record.refuse("ends_at", "not after starts_at"))
        };
    }
    let date = record.instant("date")?.ok_or_else(|| record.refuse("date", "missing"))?;
    let ends_at = instant::end_of_day(date).ok_or_else(|| record.refuse("date", "out of range"))?;
    Ok((date, ends_at))
}
