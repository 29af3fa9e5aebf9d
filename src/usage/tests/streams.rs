use super::*;

fn chunk(id: &str, prompt: i64, completion: i64) -> Value {
    json!({"id": id, "object": "chat.completion.chunk", "choices": [], "usage": chat(prompt, completion)})
}

#[test]
fn the_last_usage_is_the_whole_and_never_a_sum() {
    let stream = json!([chunk("a", 10, 1), chunk("a", 10, 2), {"id": "a", "usage": null}, chunk("a", 10, 7), null]);
    let usage = parse(&stream).expect("read");
    assert_eq!((usage[Bucket::UncachedInput], usage[Bucket::OutputText], usage[Bucket::Requests]), (10, 7, 1));
}

#[test]
fn the_events_of_two_responses_are_refused() {
    refused(&json!([chunk("a", 10, 1), chunk("b", 10, 1)]), "$[1]", Reason::SeveralResponses);
    let start = |id: &str| {
        json!({"type": "message_start", "message": {"id": id, "type": "message",
               "usage": {"input_tokens": 5, "output_tokens": 1}}})
    };
    refused(&json!([start("a"), {"type": "ping"}, start("b")]), "$[2]", Reason::SeveralResponses);
    assert!(parse(&json!([start("a"), start("a")])).is_ok());
}

#[test]
fn a_delta_leaves_alone_what_it_does_not_say() {
    let stream = |delta: Value| {
        json!([
            {"type": "message_start", "message": {"type": "message", "model": "m", "usage": {
                "input_tokens": 5, "output_tokens": 1, "cache_read_input_tokens": 7,
                "cache_creation": {"ephemeral_5m_input_tokens": 3, "ephemeral_1h_input_tokens": 4},
            }}},
            {"type": "message_delta", "usage": delta},
        ])
    };
    let usage = parse(&stream(json!({"output_tokens": 9, "input_tokens": null,
        "cache_creation": {"ephemeral_1h_input_tokens": 6}})))
    .expect("read");
    let counts = [
        (Bucket::UncachedInput, 5),
        (Bucket::CacheRead, 7),
        (Bucket::CacheWrite5m, 3),
        (Bucket::CacheWrite1h, 6),
        (Bucket::OutputText, 9),
    ];
    assert_eq!(usage, used(counts).by("anthropic").with_model("m").stating_two(5, 9));
    refused(&stream(json!({"output_tokens": -9})), "$[*].usage.output_tokens", Reason::Negative);
    // Cut off before the first delta: what is known so far.
    let start = stream(json!({})).as_array().expect("array").iter().take(1).cloned().collect();
    assert_eq!(parse(&Value::Array(start)).map(|usage| usage[Bucket::OutputText]), Ok(1));
}

#[test]
fn a_list_without_usage_is_refused() {
    refused(&json!([]), "$", Reason::NotAnObject("an array"));
    for list in [json!([null]), json!([{}]), json!([{"usage": null}, {"usage": {}}]), json!(["[DONE]"])] {
        refused(&list, "$", Reason::UnknownShape);
    }
    refused(&json!([{}, 5]), "$[1]", Reason::NotAnObject("a number"));
    refused(&json!([{"usage": 5}]), "$[0].usage", Reason::NotAnObject("a number"));
    let negative = json!([{"usage": {"prompt_tokens": -1, "completion_tokens": 0}}]);
    refused(&negative, "$[0].usage.prompt_tokens", Reason::Negative);
}
