//! OpenAI `chat.completions`, legacy completions and embeddings, and all who copy them.
//!
//! `prompt_tokens` contains cached tokens, cache writes, audio and images; `completion_tokens` contains reasoning,
//! audio and rejected predictions, which are billed as output. Source: OpenAI's API specification, `CompletionUsage`.

use super::fields::Fields;
use super::openai_tally::{self, Tally};
use super::{Bucket, Source, Usage, UsageError, cost, deepseek, groq, mistral, perplexity, sum_of, xai};

/// What a vendor adds to the shape.
struct Dialect {
    name: &'static str,
    recognise: fn(&Source<'_>) -> bool,
    read: fn(&Source<'_>, &mut Fields<'_>, &mut Usage, &mut Tally) -> Result<(), UsageError>,
}

/// The additions of one never have the names of another's, so a server that forwards several is read all the same.
const DIALECTS: [Dialect; 5] = [
    Dialect { name: "perplexity", recognise: perplexity::recognise, read: perplexity::read },
    Dialect { name: "xai", recognise: xai::recognise, read: xai::read },
    Dialect { name: "deepseek", recognise: deepseek::recognise, read: deepseek::read },
    Dialect { name: "mistral", recognise: mistral::recognise, read: mistral::read },
    Dialect { name: "groq", recognise: groq::recognise, read: groq::read },
];

pub(super) fn fits(source: &Source<'_>) -> bool {
    source.has_any_key(&["prompt_tokens", "completion_tokens"])
}

pub(super) fn recognise(source: &Source<'_>) -> bool {
    fits(source)
}

pub(super) fn read(source: &Source<'_>) -> Result<Usage, UsageError> {
    let mut usage = Usage::new(Some("openai"));
    let mut fields = source.fields();
    let prompt = fields.required("prompt_tokens")?;
    let total = fields.optional("total_tokens")?;
    // An embedding has no output, and says so by leaving the count out. Only a total equal to the prompt proves it: a
    // chat usage cut off in the middle must not pass for one without output.
    let completion = if total == Some(prompt) {
        if !source.has("completion_tokens") && !source.response_has("choices") {
            usage.operation = Some("embeddings");
        }
        fields.count("completion_tokens")?
    } else {
        fields.required("completion_tokens")?
    };
    let mut tally = Tally::new(prompt, completion, total);

    let key = fields.pick("prompt_tokens_details", &["prompt_token_details"]);
    openai_tally::input_details(fields.object(key)?, &mut usage)?;
    openai_tally::output_details(fields.object("completion_tokens_details")?, &mut usage)?;

    // The same counts once more, outside the details, for servers that have no details.
    let cached = ["cached_tokens", "num_cached_tokens", "prompt_cache_hit_tokens", "cache_read_input_tokens"];
    let cached = fields.first_nonzero(&cached)?;
    let is_split = [Bucket::CacheRead, Bucket::CacheReadAudio, Bucket::CacheReadImage].map(|bucket| usage[bucket]);
    if is_split == [0; 3] {
        usage[Bucket::CacheRead] = cached;
    }
    let written = fields.count("cache_creation_input_tokens")?;
    if usage[Bucket::CacheWrite] == 0 {
        usage[Bucket::CacheWrite] = written;
    }
    let mut dialects = DIALECTS.iter().filter(|dialect| (dialect.recognise)(source)).peekable();
    if let Some(first) = dialects.peek() {
        usage.provider = Some(first.name);
    }
    for dialect in dialects {
        (dialect.read)(source, &mut fields, &mut usage, &mut tally)?;
    }
    let reasoning = fields.count("reasoning_tokens")?;
    if usage[Bucket::Reasoning] == 0 && tally.reasoning_beside == 0 {
        usage[Bucket::Reasoning] = reasoning;
    }
    if cost::read(&mut fields, &mut usage)? {
        usage.provider = usage.provider.filter(|name| *name != "openai").or(Some("openrouter"));
    }
    // OpenRouter counts the searches of its plugin here.
    let mut tools = fields.object("server_tool_use")?;
    usage[Bucket::Searches] = sum_of("server_tool_use", usage[Bucket::Searches], tools.count("web_search_requests")?)?;
    tools.finish(&mut usage.unknown_fields);

    openai_tally::finish(&mut usage, &tally);
    usage.stated.output_tokens = fields.optional("completion_tokens")?;
    usage.set_service_tier(source.response_text("service_tier").or_else(|| fields.text("service_tier")));
    fields.finish(&mut usage.unknown_fields);
    Ok(usage)
}
