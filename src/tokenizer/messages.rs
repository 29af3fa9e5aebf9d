//! Chat messages and tools.
//!
//! The accounting is the one that OpenAI publishes in its cookbook, "How to count tokens with
//! tiktoken": what a request adds around its texts is not public, so the count of a request is an
//! estimate, close for text and functions. What the cookbook does not know is counted as follows.
//!
//! * Content in parts: the text of `text` parts and the refusal of `refusal` parts. Any other part
//!   (image, audio, file) is an error, because its cost is not in its text.
//! * `tool_calls` and `function_call`: the tokens of name and arguments, and
//!   [`CALL_OVERHEAD`] per call, for the header that names the function as the recipient.
//! * Ids (`id`, `tool_call_id`) are not shown to the model and cost nothing.
//! * Nested parameters of a function are counted as parameters of the first level are. Of other
//!   keywords of JSON Schema (`anyOf`, `$ref`, `default`, ...) the JSON text is counted.

use serde_json::{Map, Value};

use super::encoding::Encoding;
use super::engine::counter;
use super::error::TokenizerError;
use super::model::resolve;

/// The tokens of a reply's beginning, `<|start|>assistant<|message|>`.
const REPLY_PRIMING: usize = 3;

/// The tokens around the name and the arguments of a call. The cookbook has no number for it; three
/// control tokens frame a message of its own, and a call is one inside the message.
const CALL_OVERHEAD: usize = 3;

/// The cookbook's constants for tools.
const PROPERTIES_START: usize = 3;
const PROPERTY: usize = 3;
const ENUM_ITEM: usize = 3;
/// The cookbook adds -3 for an enumeration and 3 for each of its items.
const ENUM_START: usize = 3;
const TOOLS_END: usize = 12;

/// Keywords of JSON Schema that the cookbook does not count, or that are counted elsewhere.
const UNCOUNTED_KEYWORDS: &[&str] = &[
    "$schema",
    "additionalProperties",
    "description",
    "enum",
    "items",
    "properties",
    "required",
    "strict",
    "title",
    "type",
];

/// Deeper schemas are refused: the recursion must end before the stack does.
const SCHEMA_DEPTH: usize = 32;

/// The tokens of a chat request: `messages`, and `tools` if there are any, for a model or encoding.
pub fn count_messages(
    messages: &Value,
    tools: Option<&Value>,
    model: &str,
    interrupt: &mut dyn FnMut(),
) -> Result<usize, TokenizerError> {
    let encoding = resolve(model)?;
    let mut request = Request { encoding, framing: Framing::of(model, encoding)?, interrupt };
    let mut total = request.messages(messages)?;
    if let Some(tools) = tools
        && !tools.is_null()
    {
        total += request.tools(tools)?;
    }
    Ok(total)
}

/// What differs between models.
struct Framing {
    per_message: usize,
    /// In `gpt-3.5-turbo-0301` a name takes the place of the role.
    name_replaces_role: bool,
    per_function: usize,
}

impl Framing {
    fn of(model: &str, encoding: Encoding) -> Result<Self, TokenizerError> {
        let per_function = match encoding {
            Encoding::O200kHarmony | Encoding::O200kBase => 7,
            Encoding::Cl100kBase => 10,
            Encoding::P50kBase | Encoding::P50kEdit | Encoding::R50kBase => {
                return Err(TokenizerError::InvalidArgument(format!(
                    "{model} has no chat messages: its encoding is {encoding}"
                )));
            }
        };
        let base = model.strip_prefix("ft:").unwrap_or(model);
        let first = base == "gpt-3.5-turbo-0301" || base.starts_with("gpt-3.5-turbo-0301:");
        Ok(Self { per_message: if first { 4 } else { 3 }, name_replaces_role: first, per_function })
    }
}

/// A request that is being counted.
struct Request<'i> {
    encoding: Encoding,
    framing: Framing,
    interrupt: &'i mut dyn FnMut(),
}

impl Request<'_> {
    fn text(&mut self, text: &str) -> usize {
        // There may be many short texts, none long enough for a call by itself.
        (self.interrupt)();
        let counted = counter(self.encoding).count_up_to(text, usize::MAX, self.interrupt);
        counted.unwrap_or(usize::MAX)
    }

    fn messages(&mut self, messages: &Value) -> Result<usize, TokenizerError> {
        let path = Path::Root("messages");
        let mut total = REPLY_PRIMING;
        for (index, message) in array(messages, &path)?.iter().enumerate() {
            total += self.message(message, &path.index(index))?;
        }
        Ok(total)
    }

    fn message(&mut self, message: &Value, path: &Path) -> Result<usize, TokenizerError> {
        let message = object(message, path)?;
        let mut total = self.framing.per_message;
        required(message, "role", path)?;
        for (key, value) in message {
            let path = &path.key(key);
            if value.is_null() && key != "role" {
                continue;
            }
            total += match key.as_str() {
                "content" => self.content(value, path)?,
                "name" => self.name(value, path)?,
                "tool_calls" => self.tool_calls(value, path)?,
                "function_call" => self.function_call(value, path)?,
                "id" | "tool_call_id" => 0,
                "audio" => return Err(path.error("audio cannot be counted as text")),
                _ => self.other(value, path)?,
            };
        }
        // The published rule for the first model subtracts one for each message with a name.
        let named = message.get("name").is_some_and(|name| !name.is_null());
        Ok(total - usize::from(named && self.framing.name_replaces_role))
    }

    fn name(&mut self, value: &Value, path: &Path) -> Result<usize, TokenizerError> {
        let extra = usize::from(!self.framing.name_replaces_role);
        Ok(self.text(string(value, path)?) + extra)
    }

    fn content(&mut self, value: &Value, path: &Path) -> Result<usize, TokenizerError> {
        if let Value::String(text) = value {
            return Ok(self.text(text));
        }
        let Value::Array(parts) = value else {
            return Err(path.error("expected a string, an array of parts or null"));
        };
        let mut total = 0;
        for (index, part) in parts.iter().enumerate() {
            let path = &path.index(index);
            let part = object(part, path)?;
            let kind = string(required(part, "type", path)?, &path.key("type"))?;
            let key = match kind {
                "text" | "input_text" | "output_text" => "text",
                "refusal" => "refusal",
                _ => {
                    let problem = format!("a part of type {kind:?} cannot be counted as text");
                    return Err(path.error(&problem));
                }
            };
            total += self.text(string(required(part, key, path)?, &path.key(key))?);
        }
        Ok(total)
    }

    fn tool_calls(&mut self, value: &Value, path: &Path) -> Result<usize, TokenizerError> {
        let mut total = 0;
        for (index, call) in array(value, path)?.iter().enumerate() {
            let path = &path.index(index);
            let call = object(call, path)?;
            let kind = match call.get("type") {
                Some(kind) => string(kind, &path.key("type"))?,
                None => "function",
            };
            let (key, input) = match kind {
                "function" => ("function", "arguments"),
                "custom" => ("custom", "input"),
                _ => return Err(path.error(&format!("unknown type of tool call {kind:?}"))),
            };
            total += self.call(required(call, key, path)?, input, &path.key(key))?;
        }
        Ok(total)
    }

    fn function_call(&mut self, value: &Value, path: &Path) -> Result<usize, TokenizerError> {
        self.call(value, "arguments", path)
    }

    fn call(&mut self, call: &Value, input: &str, path: &Path) -> Result<usize, TokenizerError> {
        let call = object(call, path)?;
        let name = string(required(call, "name", path)?, &path.key("name"))?;
        let input = string(required(call, input, path)?, &path.key(input))?;
        Ok(CALL_OVERHEAD + self.text(name) + self.text(input))
    }

    /// A key without a rule of its own: the cookbook counts every value of a message as text.
    fn other(&mut self, value: &Value, path: &Path) -> Result<usize, TokenizerError> {
        match value {
            Value::String(text) => Ok(self.text(text)),
            // Replies carry such members, for example `annotations`, when there is nothing in them.
            Value::Array(items) if items.is_empty() => Ok(0),
            Value::Object(members) if members.is_empty() => Ok(0),
            _ => Err(path.error("cannot be counted: expected a string")),
        }
    }

    fn tools(&mut self, tools: &Value) -> Result<usize, TokenizerError> {
        let path = Path::Root("tools");
        let tools = array(tools, &path)?;
        if tools.is_empty() {
            return Ok(0);
        }
        let mut total = TOOLS_END;
        for (index, tool) in tools.iter().enumerate() {
            total += self.tool(tool, &path.index(index))?;
        }
        Ok(total)
    }

    fn tool(&mut self, tool: &Value, path: &Path) -> Result<usize, TokenizerError> {
        let tool = object(tool, path)?;
        let kind = string(required(tool, "type", path)?, &path.key("type"))?;
        if kind != "function" {
            return Err(path.error(&format!("a tool of type {kind:?} cannot be counted as text")));
        }
        // The Responses API has the members of the function in the tool itself.
        match tool.get("function") {
            Some(function) => {
                let path = &path.key("function");
                self.function(object(function, path)?, path)
            }
            None => self.function(tool, path),
        }
    }

    fn function(&mut self, function: &Map<String, Value>, path: &Path) -> Result<usize, TokenizerError> {
        let name = string(required(function, "name", path)?, &path.key("name"))?;
        let line = format!("{name}:{}", description(function, path)?);
        let mut total = self.framing.per_function + self.text(&line);
        if let Some(parameters) = present(function, "parameters") {
            let path = &path.key("parameters");
            total += self.schema(object(parameters, path)?, path, 0)?;
        }
        Ok(total)
    }

    /// The parts of a schema that are not in the line of its property.
    fn schema(&mut self, schema: &Map<String, Value>, path: &Path, depth: usize) -> Result<usize, TokenizerError> {
        if depth > SCHEMA_DEPTH {
            return Err(path.error("the schema is nested too deep"));
        }
        let mut total = 0;
        if let Some(properties) = present(schema, "properties") {
            let path = &path.key("properties");
            let properties = object(properties, path)?;
            if !properties.is_empty() {
                total += PROPERTIES_START;
            }
            for (name, property) in properties {
                total += self.property(name, property, &path.key(name), depth)?;
            }
        }
        if let Some(items) = present(schema, "enum") {
            let items = array(items, &path.key("enum"))?;
            for item in items {
                total += ENUM_ITEM + self.json(item);
            }
            total = total.saturating_sub(ENUM_START);
        }
        if let Some(Value::Object(items)) = present(schema, "items") {
            let path = &path.key("items");
            let line = format!("{}:{}", kind(items), description(items, path)?);
            total += self.text(&line) + self.schema(items, path, depth + 1)?;
        }
        for (keyword, value) in schema {
            if !UNCOUNTED_KEYWORDS.contains(&keyword.as_str()) {
                total += self.text(keyword) + self.json(value);
            }
        }
        Ok(total)
    }

    fn property(&mut self, name: &str, property: &Value, path: &Path, depth: usize) -> Result<usize, TokenizerError> {
        let property = object(property, path)?;
        let line = format!("{name}:{}:{}", kind(property), description(property, path)?);
        Ok(PROPERTY + self.text(&line) + self.schema(property, path, depth + 1)?)
    }

    /// A string as it is, any other value as JSON text.
    fn json(&mut self, value: &Value) -> usize {
        match value {
            Value::String(text) => self.text(text),
            other => self.text(&other.to_string()),
        }
    }
}

/// The type of a schema: one name, or the names of a union.
fn kind(schema: &Map<String, Value>) -> String {
    match schema.get("type") {
        Some(Value::String(kind)) => kind.clone(),
        Some(Value::Array(kinds)) => {
            let names: Vec<&str> = kinds.iter().filter_map(Value::as_str).collect();
            names.join("|")
        }
        _ => String::new(),
    }
}

/// The description without a full stop at its end, as the cookbook has it.
fn description<'v>(schema: &'v Map<String, Value>, path: &Path) -> Result<&'v str, TokenizerError> {
    let Some(value) = present(schema, "description") else {
        return Ok("");
    };
    let text = string(value, &path.key("description"))?;
    Ok(text.strip_suffix('.').unwrap_or(text))
}

/// Where a value is. The text is only made for an error.
enum Path<'p> {
    Root(&'static str),
    Key(&'p Path<'p>, &'p str),
    Index(&'p Path<'p>, usize),
}

impl Path<'_> {
    fn key<'p>(&'p self, key: &'p str) -> Path<'p> {
        Path::Key(self, key)
    }

    fn index(&self, index: usize) -> Path<'_> {
        Path::Index(self, index)
    }

    fn error(&self, problem: &str) -> TokenizerError {
        TokenizerError::InvalidMessages { path: self.to_string(), problem: problem.to_owned() }
    }
}

impl std::fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Path::Root(name) => f.write_str(name),
            Path::Key(parent, key) => write!(f, "{parent}.{key}"),
            Path::Index(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

fn object<'v>(value: &'v Value, path: &Path) -> Result<&'v Map<String, Value>, TokenizerError> {
    value.as_object().ok_or_else(|| path.error("expected an object"))
}

fn array<'v>(value: &'v Value, path: &Path) -> Result<&'v Vec<Value>, TokenizerError> {
    value.as_array().ok_or_else(|| path.error("expected an array"))
}

fn string<'v>(value: &'v Value, path: &Path) -> Result<&'v str, TokenizerError> {
    value.as_str().ok_or_else(|| path.error("expected a string"))
}

fn required<'v>(object: &'v Map<String, Value>, key: &str, path: &Path) -> Result<&'v Value, TokenizerError> {
    object.get(key).ok_or_else(|| path.error(&format!("{key:?} is missing")))
}

/// The member, unless it is missing or null.
fn present<'v>(object: &'v Map<String, Value>, key: &str) -> Option<&'v Value> {
    object.get(key).filter(|value| !value.is_null())
}
