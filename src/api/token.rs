//! Token counting.

use pgrx::prelude::*;
use pgrx::{Array, IntoDatum, composite_type};
use serde_json::json;

use crate::api::argument::{JsonbText, parse_json};
use crate::api::outcome::{or_put_aside, row};
use crate::api::raise::export_raising;
use crate::refusal::{Code, Refusal};
use crate::tokenizer::{self, Encoding, TokenizerError, UnknownModel};

/// Lets a cancel or a statement timeout through; it leaves by unwinding.
pub fn interrupt() {
    pgrx::check_for_interrupts!();
}

fn refuse(error: TokenizerError) -> Refusal {
    match error {
        TokenizerError::UnknownModel(unknown) => refuse_model(&unknown),
        TokenizerError::InvalidToken { .. } | TokenizerError::NotUtf8 { .. } => {
            Refusal::invalid_argument("tokens", error, "Decode what tb_encode() returned for the same model.")
        }
        TokenizerError::InvalidMessages { .. } => {
            Refusal::invalid_argument("messages", error, "Pass the messages and tools of a chat request.")
        }
        TokenizerError::InvalidArgument(_) => {
            Refusal::invalid_argument("limit", error, "Correct the number of tokens.")
        }
    }
}

fn refuse_model(unknown: &UnknownModel) -> Refusal {
    Refusal::new(
        Code::UnknownModelOrPrice,
        format!("no public tokenizer for model \"{}\"", unknown.name.chars().take(100).collect::<String>()),
        json!({
            "model": unknown.name.chars().take(100).collect::<String>(),
            "nearest": unknown.suggestions(),
            "known": UnknownModel::known(),
        }),
        "Use one of the known model or encoding names listed in the detail; a name ending in * stands for every model that begins so.",
    )
}

fn resolve(model: &str) -> Result<Encoding, Refusal> {
    tokenizer::resolve(model).map_err(|unknown| refuse_model(&unknown))
}

/// A count as SQL's integer.
fn to_integer(count: usize) -> Result<i32, Refusal> {
    i32::try_from(count)
        .map_err(|_| Refusal::invalid_argument("content", "more tokens than an integer can say", "Split the text."))
}

/// A limit from SQL.
fn to_limit(name: &str, limit: i32) -> Result<usize, Refusal> {
    usize::try_from(limit)
        .map_err(|_| Refusal::invalid_argument(name, "a number of tokens is not negative", "Pass 0 or more."))
}

#[pg_extern(sql = false)]
fn _count_tokens(content: &str, model: &str) -> Option<i32> {
    or_put_aside(
        resolve(model)
            .and_then(|encoding| to_integer(tokenizer::count(content, encoding, &mut interrupt).map_err(refuse)?)),
    )
}

#[pg_extern(sql = false)]
fn _count_messages(messages: Option<JsonbText>, model: Option<&str>, tools: Option<JsonbText>) -> Option<i32> {
    // Not STRICT in SQL, because tools may be NULL; the other two keep the meaning of STRICT.
    let (Some(messages), Some(model)) = (messages, model) else {
        return or_put_aside(Ok(None)).flatten();
    };
    let count = || {
        let messages = parse_json("messages", messages.as_str())?;
        let tools = tools.map(|tools| parse_json("tools", tools.as_str())).transpose()?;
        let tokens = tokenizer::count_messages(&messages, tools.as_ref(), model, &mut interrupt).map_err(refuse)?;
        to_integer(tokens)
    };
    or_put_aside(count())
}

#[pg_extern(sql = false)]
fn _encode(content: &str, model: &str) -> Option<Vec<i32>> {
    or_put_aside(resolve(model).and_then(|encoding| {
        let tokens = tokenizer::encode(content, encoding, &mut interrupt).map_err(refuse)?;
        Ok(tokens.into_iter().map(u32::cast_signed).collect())
    }))
}

#[pg_extern(sql = false)]
fn _decode(tokens: Array<'_, i32>, model: &str) -> Option<String> {
    or_put_aside(resolve(model).and_then(|encoding| {
        let ids = tokens.iter().map(|token| token.map(i64::from)).collect::<Option<Vec<i64>>>().ok_or_else(|| {
            Refusal::invalid_argument(
                "tokens",
                "a token id is null",
                "Decode what tb_encode() returned for the same model.",
            )
        })?;
        tokenizer::decode(&ids, encoding).map_err(refuse)
    }))
}

#[pg_extern(sql = false)]
fn _truncate<'a>(content: &'a str, model: &str, max_tokens: i32) -> Option<&'a str> {
    or_put_aside(resolve(model).and_then(|encoding| {
        let max_tokens = to_limit("max_tokens", max_tokens)?;
        tokenizer::truncate(content, encoding, max_tokens, &mut interrupt).map_err(refuse)
    }))
}

#[pg_extern(sql = false)]
fn _fits(content: &str, model: &str, max_tokens: i32) -> Option<bool> {
    or_put_aside(resolve(model).and_then(|encoding| {
        let max_tokens = to_limit("max_tokens", max_tokens)?;
        tokenizer::fits(content, encoding, max_tokens, &mut interrupt).map_err(refuse)
    }))
}

#[pg_extern(sql = false)]
fn _split(
    content: &str,
    model: &str,
    max_tokens: i32,
    overlap: i32,
) -> SetOfIterator<'static, composite_type!('static, "tokbudget.token_chunk")> {
    let chunks = or_put_aside(resolve(model).and_then(|encoding| {
        let (max_tokens, overlap) = (to_limit("max_tokens", max_tokens)?, to_limit("overlap", overlap)?);
        let chunks = tokenizer::split(content, encoding, max_tokens, overlap, &mut interrupt).map_err(refuse)?;
        let to_row = |(index, chunk): (usize, tokenizer::Chunk)| -> Result<(i32, String, i32), Refusal> {
            let text = content.get(chunk.range.clone()).unwrap_or_default().to_string();
            Ok((to_integer(index + 1)?, text, to_integer(chunk.token_count)?))
        };
        chunks.into_iter().enumerate().map(to_row).collect::<Result<Vec<_>, Refusal>>()
    }));
    SetOfIterator::new(chunks.unwrap_or_default().into_iter().map(|(ordinal, content, token_count)| {
        row(c"token_chunk", [ordinal.into_datum(), content.into_datum(), token_count.into_datum()])
    }))
}

export_raising!(tb_count_tokens, pg_finfo_tb_count_tokens, _count_tokens_wrapper);
export_raising!(tb_count_messages, pg_finfo_tb_count_messages, _count_messages_wrapper);
export_raising!(tb_encode, pg_finfo_tb_encode, _encode_wrapper);
export_raising!(tb_decode, pg_finfo_tb_decode, _decode_wrapper);
export_raising!(tb_truncate, pg_finfo_tb_truncate, _truncate_wrapper);
export_raising!(tb_fits, pg_finfo_tb_fits, _fits_wrapper);
export_raising!(tb_split, pg_finfo_tb_split, _split_wrapper);
