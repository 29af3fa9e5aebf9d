//! The shipped price book, read as text: its numbers must be prices, and names in use must find the right row.

use super::*;

struct Row {
    model: String,
    provider: String,
    effective_at: String,
    price: Price,
}

fn rows() -> Vec<Row> {
    let path = format!("{}/sql/price_book.sql", env!("CARGO_MANIFEST_DIR"));
    let sql = std::fs::read_to_string(path).expect("price book");
    let start = sql.find("VALUES\n").expect("values") + "VALUES\n".len();
    sql[start..].trim_end().trim_end_matches(';').split(",\n").map(row).collect()
}

fn row(line: &str) -> Row {
    let cells: Vec<_> = line.trim().trim_matches(['(', ')']).split(", ").map(|cell| cell.trim_matches('\'')).collect();
    let [model, provider, currency, effective_at, max_input_tokens, prices @ .., _source, _source_date] =
        cells.as_slice()
    else {
        panic!("{line}")
    };
    let read = |index: usize| {
        let text = prices[index];
        (text != "NULL").then(|| PerMillion::from_decimal(text).expect(line))
    };
    assert_eq!(prices.len(), 6, "{line}");
    Row {
        model: (*model).to_owned(),
        provider: (*provider).to_owned(),
        effective_at: (*effective_at).to_owned(),
        price: Price {
            currency: (*currency).to_owned(),
            max_input_tokens: max_input_tokens.parse().ok(),
            input: read(0),
            cache_read: read(1),
            cache_write: read(2),
            cache_write_1h: read(3),
            output: read(4),
            reasoning: read(5),
            ..Price::default()
        },
    }
}

fn find(rows: &[Row], model: &str) -> Option<Price> {
    candidates(model).into_iter().find_map(|candidate| {
        rows.iter()
            .filter(|row| row.model == candidate.name)
            .filter(|row| candidate.provider.is_none_or(|provider| provider == row.provider))
            .max_by(|one, other| one.effective_at.cmp(&other.effective_at))
            .map(|row| row.price.clone())
    })
}

#[test]
fn every_row_is_sane() {
    let rows = rows();
    assert!(rows.len() >= 80);
    let mut keys: Vec<_> = rows.iter().map(|row| (&row.provider, &row.model, &row.effective_at)).collect();
    keys.dedup();
    assert_eq!(keys.len(), rows.len(), "a row twice");
    assert!(keys.is_sorted());
    for Row { model, price, .. } in &rows {
        // A thousand dollars per token or a cache dearer than the input would be a slip of units.
        assert!(price.input > per_million("0") && price.input < per_million("1000"), "{model}");
        assert!(price.cache_read.is_none_or(|read| Some(read) < price.input), "{model}");
        assert!(price.cache_write.is_none_or(|write| Some(write) > price.input), "{model}");
        assert!(price.cache_write_1h.is_none_or(|write| Some(write) > price.cache_write), "{model}");
        assert!(price.output.is_none_or(|output| Some(output) > price.input), "{model}");
        assert_eq!(price.output.is_none(), model.starts_with("text-embedding-"), "{model}");
    }
}

#[test]
fn names_in_use_find_their_price() {
    let rows = rows();
    let input = |model: &str| find(&rows, model).and_then(|price| price.input);
    assert_eq!(input("gpt-4o"), per_million("2.5"));
    assert_eq!(input("gpt-4o-2024-11-20"), per_million("2.5"));
    assert_eq!(input("openai/gpt-4o-mini-2024-07-18"), per_million("0.15"));
    assert_eq!(input("claude-sonnet-4-6"), per_million("3"));
    assert_eq!(input("anthropic/claude-haiku-4-5@20251001"), per_million("1"));
    // The first dated gpt-4o cost twice as much as its successors.
    assert_eq!(input("gpt-4o-2024-05-13"), per_million("5"));
}

#[test]
fn names_without_a_price_of_their_own_find_none() {
    let rows = rows();
    for model in [
        "azure/gpt-4o",
        "bedrock/claude-sonnet-4-6",
        "anthropic/gpt-4o",
        "ft:gpt-4o-2024-08-06:org::id",
        "gpt-4o-search-preview-2025-03-11",
        "gpt-4o-audio-preview-2024-12-17",
        "gpt-99",
    ] {
        assert_eq!(find(&rows, model), None, "{model}");
    }
}
