use proptest::prelude::*;

use super::*;

fn fixture(name: &str) -> String {
    std::fs::read_to_string(format!("{}/tests/fixtures/invoice/{name}", env!("CARGO_MANIFEST_DIR"))).unwrap()
}

fn read_fixture(name: &str) -> Document {
    read(&fixture(name), None, None).unwrap()
}

fn cost(line: &Line) -> Option<String> {
    line.cost.as_ref().map(ToString::to_string)
}

/// Uncached input, cache reads, cache writes, output.
fn tokens(line: &Line) -> [Option<i64>; 4] {
    [line.uncached_input_tokens, line.cache_read_input_tokens, line.cache_write_input_tokens, line.output_tokens]
}

fn error(document: &str) -> String {
    read(document, None, None).unwrap_err().to_string()
}

#[test]
fn openai_usage() {
    let document = read_fixture("openai_usage_completions.json");
    assert_eq!((document.format, document.feed.as_str()), (Format::OpenaiUsage, "completions"));
    // The second bucket is empty and covered all the same.
    assert_eq!(document.starts_at, 1_730_419_200_000_000);
    assert_eq!(document.ends_at, 1_730_592_000_000_000);
    let [line] = document.lines.as_slice() else { panic!("{document:?}") };
    assert_eq!(tokens(line), [Some(200), Some(800), Some(0), Some(500)]);
    assert_eq!((line.requests, line.cost.as_ref()), (Some(5), None));
    assert_eq!(line.model.as_deref(), Some("gpt-4o-mini-2024-07-18"));
    assert_eq!(line.api_key.as_deref(), Some("key_abc"));
    assert_eq!(line.project.as_deref(), Some("proj_abc"));
    assert_eq!(document.skipped.len(), 1, "the next page");

    let document = read_fixture("openai_usage_embeddings.json");
    assert_eq!(document.feed, "embeddings");
    assert_eq!(tokens(&document.lines[0]), [Some(16), Some(0), Some(0), None]);
    let document = read_fixture("openai_usage_images.json");
    assert_eq!(tokens(&document.lines[0]), [None; 4]);
    assert_eq!(document.lines[0].meters.get("images"), Some(&2));
}

#[test]
fn openai_costs() {
    let document = read_fixture("openai_costs.json");
    assert_eq!(document.format, Format::OpenaiCosts);
    assert_eq!(cost(&document.lines[0]).as_deref(), Some("0.06"));
    assert_eq!(document.lines[0].currency.as_deref(), Some("USD"));

    let document = read_fixture("openai_costs_line_items.json");
    let read: Vec<_> = document.lines.iter().map(|line| (line.model.as_deref(), tokens(line))).collect();
    let nothing = [None; 4];
    assert_eq!(
        read,
        [
            (Some("gpt-4o-2024-08-06"), [Some(1451), None, None, None]),
            (Some("gpt-4o-2024-08-06"), [None, Some(10), None, None]),
            (Some("gpt-5.6-sol"), nothing),
            (Some("gpt-audio-mini-2025-12-15"), nothing),
            (None, nothing),
        ]
    );
    assert_eq!(cost(&document.lines[0]).as_deref(), Some("0.003627500000000000000000000000000000"));
    assert_eq!(cost(&document.lines[1]).as_deref(), Some("0.0000125"));
    assert_eq!(document.lines[2].service_tier.as_deref(), Some("priority"));
    // 0E-6176 is nothing.
    assert_eq!(document.skipped.len(), 1);
}

#[test]
fn anthropic() {
    let document = read_fixture("anthropic_usage.json");
    assert_eq!(document.format, Format::AnthropicUsage);
    let line = &document.lines[0];
    assert_eq!(tokens(line), [Some(1500), Some(200), Some(1500), Some(500)]);
    assert_eq!(line.meters.get("searches"), Some(&10));
    assert_eq!(line.workspace.as_deref(), Some("wrkspc_01JwQvzr7rXLA5AGx3HKfFUJ"));
    assert_eq!((document.starts_at, document.ends_at), (1_754_006_400_000_000, 1_754_092_800_000_000));

    let document = read_fixture("anthropic_cost.json");
    assert_eq!(document.format, Format::AnthropicCost);
    // Cents: 123.78912 are 1.2378912 dollars, and 10 are 0.10.
    assert_eq!(cost(&document.lines[0]).as_deref(), Some("1.2378912"));
    assert_eq!(cost(&document.lines[1]).as_deref(), Some("0.10"));
    assert_eq!(document.lines[1].model, None);
}

#[test]
fn plain_csv() {
    let document = read_fixture("plain.csv");
    assert_eq!(document.format, Format::Csv);
    let [usage, tax] = document.lines.as_slice() else { panic!("{document:?}") };
    assert_eq!(tokens(usage), [Some(600), Some(400), Some(0), Some(50)]);
    assert_eq!(cost(usage).as_deref(), Some("0.00310"));
    assert_eq!(usage.description.as_deref(), Some("calls, of a day"));
    assert_eq!((tax.charge, tax.currency.as_deref()), (Charge::Tax, Some("EUR")));
    assert_eq!(
        document.skipped,
        [Skipped { at: "line 4".into(), reason: "no tokens, no requests, no other usage and no cost".into() }]
    );
    // Other separators, a byte order mark, the caller's provider.
    let document = read("\u{feff}date;cost;currency\r\n2026-01-15;1.5;EUR\r\n", Some("acme"), None).unwrap();
    assert_eq!(document.lines[0].provider, "acme");
    assert_eq!(cost(&document.lines[0]).as_deref(), Some("1.5"));
}

#[test]
fn focus() {
    let document = read_fixture("focus_1_0.csv");
    assert_eq!(document.format, Format::Focus);
    let [usage, credit, correction] = document.lines.as_slice() else { panic!("{document:?}") };
    assert_eq!((usage.model.as_deref(), tokens(usage)), (Some("gpt-4o"), [Some(1_000_000), None, None, None]));
    assert_eq!((usage.provider.as_str(), usage.project.as_deref()), ("Microsoft", Some("sub-1")));
    assert_eq!((credit.charge, cost(credit).as_deref()), (Charge::Credit, Some("-1.00")));
    // A negative quantity would not be a count: corrections have only their cost.
    assert_eq!((correction.charge, tokens(correction)), (Charge::Adjustment, [None; 4]));

    let document = read_fixture("focus_1_3.csv");
    let [output, cached] = document.lines.as_slice() else { panic!("{document:?}") };
    assert_eq!(output.model.as_deref(), Some("claude-sonnet-4-20250514"));
    assert_eq!(tokens(output), [None, None, None, Some(1000)]);
    assert_eq!(tokens(cached), [None, Some(1000), None, None]);
    assert_eq!(output.provider, "Anthropic");
}

#[test]
fn what_cannot_be_read_says_where() {
    let openai = fixture("openai_usage_completions.json");
    let bad = |from: &str, to: &str| error(&openai.replace(from, to));
    assert_eq!(
        bad("\"input_tokens\": 1000", "\"input_tokens\": -1"),
        "data[0].results[0].input_tokens: a count is not negative"
    );
    assert_eq!(
        bad("\"input_tokens\": 1000", "\"input_tokens\": 10"),
        "data[0].results[0].input_tokens: less than the cached tokens in it"
    );
    assert_eq!(
        bad("\"input_tokens\": 1000", "\"input_tokens\": 1.5"),
        "data[0].results[0].input_tokens: a count has no fraction"
    );
    assert_eq!(
        bad("\"input_tokens\": 1000", "\"input_tokens\": 1e30"),
        "data[0].results[0].input_tokens: out of range: up to 20 digits before the point and 40 after it"
    );
    assert_eq!(bad("key_abc", "key\\u0000"), "data[0].results[0].api_key_id: a text with a NUL");
    assert_eq!(bad("1730505600", "1"), "data[0].end_time: not after start_time");
    let anthropic = fixture("anthropic_cost.json");
    assert_eq!(error(&anthropic.replace("123.78912", "abc")), "data[0].results[0].amount: not a decimal number");
    assert_eq!(
        error(&anthropic.replace("\"USD\"", "\"JPY\"")),
        "data[0].results[0].currency: JPY, where the report is in USD"
    );
    assert_eq!(error("{\"data\": []}"), "document: no results, so that the shape cannot be seen: name the format");
    assert_eq!(
        error("{}"),
        "document: neither a usage or costs page of OpenAI nor a usage or cost report of Anthropic"
    );
    assert!(error("{\"data\": [").starts_with("line 1, column 10: not JSON"));
    assert_eq!(
        error("a,b\n1,2\n"),
        "line 1: no column date or starts_at, and none of FOCUS's BilledCost and ChargePeriodStart"
    );
    let plain = |rows: &str| error(&format!("date,provider,input_tokens,cost,currency\n{rows}\n"));
    assert_eq!(plain("2026-01-15,acme,1,NaN,USD"), "line 2, column cost: not a decimal number");
    assert_eq!(
        plain("2026-01-15,acme,1,1,USD\n2026-01-32,acme,1,1,USD"),
        "line 3, column date: not a day or an instant from 1970 to 9999, such as 2026-01-31"
    );
    assert_eq!(plain("2026-01-15,acme,1,1,"), "line 2, column currency: missing");
    assert_eq!(plain("2026-01-15,,1,1,USD"), "line 2, column provider: missing");
    assert_eq!(plain("2026-01-15,acme,1,1"), "line 2: 4 columns, where the first line has 5");
    assert_eq!(error("date,date\n"), "line 1, column 2: date is there twice");
    assert_eq!(error("date,provider\n"), "document: no rows, and no period that it covers");
    assert_eq!(read("{}", None, Some(Format::Csv)).unwrap_err().to_string(), "document: JSON, where CSV was announced");
    assert_eq!(read("date\n", None, Some(Format::OpenaiCosts)).unwrap_err().to_string(), "document: not JSON");
}

#[test]
fn amounts() {
    let text = |text: &str| Amount::parse(text).map(|amount| amount.to_string());
    for (written, read) in [
        ("0.10", "0.10"),
        ("-1.5e-3", "-0.0015"),
        ("1E3", "1000"),
        ("1.25e1", "12.5"),
        ("0E-6176", "0.00"),
        ("007", "7"),
        ("+.5e1", ""),
    ] {
        match read {
            "" => assert!(text(written).is_err()),
            read => assert_eq!(text(written).as_deref(), Ok(read)),
        }
    }
    for bad in [
        "",
        "-",
        "1.",
        ".",
        "1e",
        "1e+",
        "e1",
        "1,5",
        "0x1",
        "NaN",
        "Infinity",
        "1e99999999999999999999",
        "1e-41",
        "1 2",
    ] {
        assert!(text(bad).is_err(), "{bad}");
    }
    assert_eq!(text("0e99999999999999999999").as_deref(), Ok("0"));
}

proptest! {
    #[test]
    fn no_text_makes_it_panic(text in ".{0,200}") {
        let _ = read(&text, None, None);
        for format in Format::ALL {
            let _ = read(&text, Some("acme"), Some(format));
        }
    }

    #[test]
    fn an_amount_keeps_its_value(whole in 0_u64..1_000_000_000, fraction in "[0-9]{0,9}", exponent in -9_i32..9, is_negative: bool) {
        let sign = if is_negative { "-" } else { "" };
        let point = if fraction.is_empty() { "" } else { "." };
        let written = format!("{sign}{whole}{point}{fraction}e{exponent}");
        let read = Amount::parse(&written).unwrap();
        // The oracle is the integer of the digits, in units of 1e-20.
        let scaled = |text: &str| crate::usage::decimal::parse_decimal(text, 20).unwrap();
        prop_assert_eq!(scaled(&written), scaled(&read.to_string()));
        prop_assert_eq!(scaled(&read.clone().hundredth().to_string()) * 100, scaled(&read.to_string()));
    }

    #[test]
    fn every_row_of_a_csv_is_a_line_or_skipped(rows in proptest::collection::vec((0_i64..1_000, 0_i64..1_000, 0_u32..100_000), 1..50)) {
        let mut text = String::from("date,provider,input_tokens,output_tokens,cost,currency\n");
        for (input, output, cents) in &rows {
            text.push_str(&format!("2026-01-15,acme,{input},{output},{}.{:02},USD\n", cents / 100, cents % 100));
        }
        let document = read(&text, None, None).unwrap();
        prop_assert_eq!(document.lines.len() + document.skipped.len(), rows.len());
        let sum: i64 = document.lines.iter().filter_map(|line| line.output_tokens).sum();
        prop_assert_eq!(sum, rows.iter().map(|row| row.1).sum::<i64>());
    }
}
