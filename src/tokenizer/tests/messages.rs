//! Messages and tools count as OpenAI's cookbook says.

use serde_json::{Value, json};

use super::count;
use crate::tokenizer::{Encoding, TokenizerError, count_messages};

fn tokens(messages: &Value, tools: Option<&Value>, model: &str) -> usize {
    count_messages(messages, tools, model, &mut || ()).expect("valid messages")
}

#[track_caller]
fn assert_problem(messages: Value, tools: Option<Value>, expected_path: &str, expected: &str) {
    match count_messages(&messages, tools.as_ref(), "gpt-4o", &mut || ()) {
        Err(TokenizerError::InvalidMessages { path, problem }) => {
            assert_eq!(path, expected_path);
            assert!(problem.contains(expected), "{problem:?} does not say {expected:?}");
        }
        other => panic!("{other:?} instead of an error at {expected_path}"),
    }
}

/// The example of the cookbook, section 6. The same numbers came from OpenAI's API.
#[test]
fn the_published_example_of_messages() {
    let messages = json!([
        {"role": "system", "content": "You are a helpful, pattern-following assistant that \
            translates corporate jargon into plain English."},
        {"role": "system", "name": "example_user",
            "content": "New synergies will help drive top-line growth."},
        {"role": "system", "name": "example_assistant",
            "content": "Things working well together will increase revenue."},
        {"role": "system", "name": "example_user", "content": "Let's circle back when we have \
            more bandwidth to touch base on opportunities for increased leverage."},
        {"role": "system", "name": "example_assistant",
            "content": "Let's talk later when we're less busy about how to do better."},
        {"role": "user", "content": "This late pivot means we don't have time to boil the ocean \
            for the client deliverable."},
    ]);
    for (model, expected) in [
        ("gpt-3.5-turbo-0301", 127),
        ("ft:gpt-3.5-turbo-0301:org:name:id", 127),
        ("gpt-3.5-turbo-0613", 129),
        ("gpt-3.5-turbo", 129),
        ("gpt-4-0314", 129),
        ("gpt-4-0613", 129),
        ("gpt-4", 129),
        ("cl100k_base", 129),
        ("gpt-4o", 124),
        ("gpt-4o-mini", 124),
        ("o200k_base", 124),
    ] {
        assert_eq!(tokens(&messages, None, model), expected, "{model}");
    }
}

fn weather_tool() -> Value {
    json!([{
        "type": "function",
        "function": {
            "name": "get_current_weather",
            "description": "Get the current weather in a given location",
            "parameters": {
                "type": "object",
                "properties": {
                    "location": {
                        "type": "string",
                        "description": "The city and state, e.g. San Francisco, CA",
                    },
                    "unit": {
                        "type": "string",
                        "description": "The unit of temperature to return",
                        "enum": ["celsius", "fahrenheit"],
                    },
                },
                "required": ["location"],
            },
        },
    }])
}

/// The example of the cookbook, section 7.
#[test]
fn the_published_example_of_tools() {
    let messages = json!([
        {"role": "system",
            "content": "You are a helpful assistant that can answer to questions about the weather."},
        {"role": "user", "content": "What's the weather like in San Francisco?"},
    ]);
    for (model, expected) in [("gpt-3.5-turbo", 105), ("gpt-4", 105), ("gpt-4o", 101), ("gpt-4o-mini", 101)] {
        assert_eq!(tokens(&messages, Some(&weather_tool()), model), expected, "{model}");
    }
}

#[test]
fn a_tool_of_the_responses_api_costs_the_same() {
    let messages = json!([]);
    let mut tool = weather_tool()[0]["function"].clone();
    tool["type"] = json!("function");
    let flat = json!([tool]);
    assert_eq!(tokens(&messages, Some(&flat), "gpt-5"), tokens(&messages, Some(&weather_tool()), "gpt-5"));
}

#[test]
fn no_message_costs_the_priming_of_the_reply() {
    assert_eq!(tokens(&json!([]), None, "gpt-4o"), 3);
    assert_eq!(tokens(&json!([]), Some(&json!([])), "gpt-4o"), 3);
    assert_eq!(tokens(&json!([]), Some(&Value::Null), "gpt-4o"), 3);
}

#[test]
fn parts_of_text_count_as_their_texts() {
    let model = Encoding::O200kBase;
    let parts = json!([{"role": "user", "content": [
        {"type": "text", "text": "First part."},
        {"type": "input_text", "text": "Second part."},
        {"type": "refusal", "refusal": "No."},
    ]}]);
    let texts = count("First part.", model) + count("Second part.", model) + count("No.", model);
    assert_eq!(tokens(&parts, None, "gpt-4o"), 3 + 3 + count("user", model) + texts);
}

#[test]
fn calls_and_their_results() {
    let model = Encoding::O200kBase;
    let messages = json!([
        {"role": "assistant", "content": null, "refusal": null, "annotations": [], "audio": null,
            "tool_calls": [{"id": "call_abcdefghijklmnop", "type": "function",
                "function": {"name": "get_weather", "arguments": "{\"city\":\"Berlin\"}"}}]},
        {"role": "tool", "tool_call_id": "call_abcdefghijklmnop", "content": "12 °C"},
        {"role": "assistant", "refusal": "I cannot do that."},
        {"role": "assistant", "function_call": {"name": "old", "arguments": "{}"}},
    ]);
    let expected = 3
        + 3
        + count("assistant", model)
        + 3
        + count("get_weather", model)
        + count("{\"city\":\"Berlin\"}", model)
        + 3
        + count("tool", model)
        + count("12 °C", model)
        + 3
        + count("assistant", model)
        + count("I cannot do that.", model)
        + 3
        + count("assistant", model)
        + 3
        + count("old", model)
        + count("{}", model);
    assert_eq!(tokens(&messages, None, "gpt-4o"), expected);
}

#[test]
fn the_text_of_a_special_token_is_not_cheaper() {
    let hostile = json!([{"role": "user", "content": "<|endoftext|>".repeat(100)}]);
    assert!(tokens(&hostile, None, "gpt-4o") > 600);
}

#[test]
fn nested_parameters_and_other_keywords_are_not_free() {
    let tool = |schema: Value| json!([{"type": "function", "function": {"name": "f", "parameters": schema}}]);
    let cost = |schema: Value| tokens(&json!([]), Some(&tool(schema)), "gpt-4o");
    let flat = json!({"type": "object", "properties": {"a": {"type": "object"}}});
    let nested = json!({"type": "object", "properties": {"a": {"type": "object",
        "properties": {"inner": {"type": ["string", "null"], "description": "Something."}}}}});
    let items = json!({"type": "object", "properties": {"a": {"type": "array",
        "items": {"type": "object", "properties": {"x": {"type": "integer"}}}}}});
    let any = json!({"type": "object", "properties": {"a":
        {"anyOf": [{"type": "string"}, {"type": "number"}]}}});
    assert!(cost(nested) > cost(flat.clone()));
    assert!(cost(items) > cost(flat.clone()));
    assert!(cost(any) > cost(flat));
}

#[test]
fn what_cannot_be_counted_is_named() {
    let user = |content: Value| json!([{"role": "user", "content": content}]);
    let image = json!([{"type": "text", "text": "x"}, {"type": "image_url", "image_url": {}}]);
    assert_problem(user(image), None, "messages[0].content[1]", "\"image_url\"");
    for kind in ["input_audio", "file", "input_image", "video"] {
        assert_problem(user(json!([{"type": kind}])), None, "messages[0].content[0]", kind);
    }
    assert_problem(json!([{"role": "assistant", "audio": {"id": "a"}}]), None, "messages[0].audio", "audio");
    let search = json!([{"type": "web_search"}]);
    assert_problem(json!([]), Some(search), "tools[0]", "web_search");
}

#[test]
fn malformed_input_is_an_error_with_its_path() {
    assert_problem(json!("hi"), None, "messages", "expected an array");
    assert_problem(json!({}), None, "messages", "expected an array");
    assert_problem(json!(["hi"]), None, "messages[0]", "expected an object");
    assert_problem(json!([{"content": "x"}]), None, "messages[0]", "\"role\" is missing");
    assert_problem(json!([{"role": null}]), None, "messages[0].role", "expected a string");
    assert_problem(json!([{"role": 1}]), None, "messages[0].role", "expected a string");
    assert_problem(json!([{"role": "user", "content": 5}]), None, "messages[0].content", "expected");
    assert_problem(json!([{"role": "user", "name": 5}]), None, "messages[0].name", "string");
    assert_problem(json!([{"role": "user", "extra": 5}]), None, "messages[0].extra", "string");
    assert_problem(
        json!([{"role": "user", "content": [{"type": "text"}]}]),
        None,
        "messages[0].content[0]",
        "\"text\" is missing",
    );
    assert_problem(
        json!([{"role": "assistant", "tool_calls": [{"type": "function"}]}]),
        None,
        "messages[0].tool_calls[0]",
        "\"function\" is missing",
    );
    assert_problem(json!([]), Some(json!({})), "tools", "expected an array");
    assert_problem(json!([]), Some(json!([{}])), "tools[0]", "\"type\" is missing");
    let unnamed = json!([{"type": "function", "function": {}}]);
    assert_problem(json!([]), Some(unnamed), "tools[0].function", "\"name\" is missing");
    let properties = json!([{"type": "function", "function":
        {"name": "f", "parameters": {"properties": {"a": {"properties": 3}}}}}]);
    let path = "tools[0].function.parameters.properties.a.properties";
    assert_problem(json!([]), Some(properties), path, "expected an object");
}

#[test]
fn a_schema_without_end_is_refused() {
    let mut schema = json!({"type": "string"});
    for _ in 0..100 {
        schema = json!({"type": "array", "items": schema});
    }
    let tools = json!([{"type": "function", "function": {"name": "f", "parameters": schema}}]);
    let result = count_messages(&json!([]), Some(&tools), "gpt-4o", &mut || ());
    assert!(matches!(result, Err(TokenizerError::InvalidMessages { .. })));
}

#[test]
fn models_without_chat_are_refused() {
    let counted = count_messages(&json!([]), None, "text-davinci-003", &mut || ());
    assert!(matches!(counted, Err(TokenizerError::InvalidArgument(_))));
    let counted = count_messages(&json!([]), None, "no-such-model", &mut || ());
    assert!(matches!(counted, Err(TokenizerError::UnknownModel(_))));
}
