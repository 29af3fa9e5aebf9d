use proptest::prelude::*;

use super::*;

const MANY: std::ops::Range<i64> = 0..1_000_000_000;

proptest! {
    /// No token is lost and none is counted twice.
    #[test]
    fn openai_buckets_add_up(
        uncached in MANY, cached in MANY, written in MANY, audio_in in MANY, image_in in MANY,
        text in MANY, reasoning in MANY, audio_out in MANY,
    ) {
        let input = uncached + cached + written + audio_in + image_in;
        let output = text + reasoning + audio_out;
        let input_details = json!({
            "cached_tokens": cached, "cache_write_tokens": written, "audio_tokens": audio_in, "image_tokens": image_in,
        });
        let output_details = json!({"reasoning_tokens": reasoning, "audio_tokens": audio_out});
        let chat = json!({
            "prompt_tokens": input, "completion_tokens": output, "total_tokens": input + output,
            "prompt_tokens_details": input_details, "completion_tokens_details": output_details,
        });
        let responses = json!({
            "input_tokens": input, "output_tokens": output, "total_tokens": input + output,
            "input_tokens_details": input_details, "output_tokens_details": output_details,
        });
        let usage = parse(&chat).unwrap();
        prop_assert_eq!(&usage, &parse(&responses).unwrap());
        prop_assert_eq!(usage.input_tokens(), Ok(input));
        prop_assert_eq!(usage.output_tokens(), Ok(output));
        prop_assert_eq!(usage.total_tokens(), Ok(input + output));
        prop_assert_eq!((usage.uncached_input, usage.output_text), (uncached, text));
        prop_assert!(usage.flags.is_empty());
    }

    #[test]
    fn anthropic_buckets_add_up(
        input in MANY, read in MANY, written in MANY, five in MANY, hour in MANY, text in MANY, thinking in MANY,
    ) {
        let usage = parse(&json!({
            "input_tokens": input, "cache_read_input_tokens": read,
            "cache_creation_input_tokens": written + five + hour,
            "cache_creation": {"ephemeral_5m_input_tokens": five, "ephemeral_1h_input_tokens": hour},
            "output_tokens": text + thinking, "output_tokens_details": {"thinking_tokens": thinking},
        })).unwrap();
        prop_assert_eq!(usage.uncached_input, input);
        prop_assert_eq!(usage.input_tokens(), Ok(input + read + written + five + hour));
        prop_assert_eq!(usage.cache_write_tokens(), Ok(written + five + hour));
        prop_assert_eq!(usage.cache_write, written);
        prop_assert_eq!((usage.output_text, usage.reasoning), (text, thinking));
        prop_assert!(usage.flags.is_empty());
    }

    /// Whatever the counts say, no bucket is negative and no contradiction passes unflagged.
    #[test]
    fn contradictions_are_flagged(prompt in MANY, completion in MANY, cached in MANY, reasoning in MANY) {
        let usage = parse(&json!({
            "prompt_tokens": prompt, "completion_tokens": completion,
            "prompt_tokens_details": {"cached_tokens": cached},
            "completion_tokens_details": {"reasoning_tokens": reasoning},
        })).unwrap();
        prop_assert!(usage.uncached_input >= 0 && usage.output_text >= 0);
        prop_assert_eq!(usage.flags.contains(&Flag::ClampedInput), cached > prompt);
        prop_assert_eq!(usage.flags.contains(&Flag::ClampedOutput), reasoning > completion);
        prop_assert_eq!(usage.input_tokens(), Ok(prompt.max(cached)));
    }

    /// Any JSON gets an answer.
    #[test]
    fn any_object_is_answered(
        members in prop::collection::btree_map(
            prop::sample::select(vec![
                "usage", "prompt_tokens", "completion_tokens", "input_tokens", "output_tokens", "total_tokens", "iterations",
                "prompt_tokens_details", "input_tokens_details", "output_tokens_details", "cache_creation", "type",
                "cache_read_input_tokens", "cached_tokens", "service_tier",
            ]),
            prop::sample::select(vec![
                "null", "0", "5", "-5", "5.5", "1e400", "9223372036854775807", "\"5\"", "[]", "{}", "true",
                r#"{"cached_tokens": 9223372036854775807, "prompt_tokens": 5, "completion_tokens": 1}"#,
                r#"[{"type": "compaction", "input_tokens": 9223372036854775807, "output_tokens": 3}]"#,
            ]),
            0..8,
        ),
    ) {
        let body: Vec<_> = members.iter().map(|(key, value)| format!("\"{key}\": {value}")).collect();
        if let Ok(usage) = parse(&text(&format!("{{{}}}", body.join(", ")))) {
            for bucket in [
                usage.uncached_input, usage.cache_read, usage.cache_write, usage.cache_write_5m, usage.cache_write_1h,
                usage.input_audio, usage.input_image, usage.output_text, usage.reasoning, usage.output_audio,
                usage.output_image, usage.web_search_requests,
            ] {
                prop_assert!(bucket >= 0);
            }
        }
    }
}
