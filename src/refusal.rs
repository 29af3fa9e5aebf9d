//! A refusal as data: what a user is told when a call is not carried out.

use serde_json::{Value, json};

use crate::instant::Instant;

/// SQLSTATEs of refusals. The class `TB` is tokbudget's own, in the space that the SQL standard leaves to implementations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    BudgetExceeded,
    NotFound,
    NoSuchReservation,
    ReservationExpired,
    AlreadySettled,
    IdempotencyKeyReused,
    UnknownModelOrPrice,
    InvalidArgument,
    FrozenOrClosed,
    NotPermitted,
}

impl Code {
    /// The five characters that the client sees.
    pub const fn sqlstate(self) -> &'static str {
        match self {
            Code::BudgetExceeded => "TB001",
            Code::NotFound => "TB002",
            Code::NoSuchReservation => "TB003",
            Code::ReservationExpired => "TB004",
            Code::AlreadySettled => "TB005",
            Code::IdempotencyKeyReused => "TB006",
            Code::UnknownModelOrPrice => "TB007",
            Code::InvalidArgument => "TB008",
            Code::FrozenOrClosed => "TB009",
            // PostgreSQL's own insufficient_privilege: a client need not care who refused.
            Code::NotPermitted => "42501",
        }
    }
}

/// Why a call is refused. `reason` is short and the same every time; what varies stands in `detail`.
#[derive(Clone, Debug, PartialEq)]
pub struct Refusal {
    pub code: Code,
    pub reason: String,
    pub detail: Value,
    pub hint: &'static str,
}

impl Refusal {
    pub fn new(code: Code, reason: impl Into<String>, detail: Value, hint: &'static str) -> Self {
        Refusal { code, reason: reason.into(), detail, hint }
    }

    /// The detail as PostgreSQL prints a jsonb, whoever raises it.
    pub fn detail_text(&self) -> String {
        let mut text = String::new();
        print(&self.detail, &mut text);
        text
    }

    /// An argument that cannot be used, `why` in words.
    pub fn invalid_argument(argument: &str, why: impl std::fmt::Display, hint: &'static str) -> Self {
        Refusal::new(
            Code::InvalidArgument,
            format!("invalid {argument}"),
            json!({"argument": argument, "why": why.to_string()}),
            hint,
        )
    }

    /// An account that may not spend.
    pub fn inactive_account(path: &str, status: &str, why: Option<&str>) -> Self {
        Refusal::new(
            Code::FrozenOrClosed,
            format!("account \"{path}\" is {status}"),
            json!({"account": path, "status": status, "why": why}),
            "Ask whoever froze it; tb_thaw() ends a freeze.",
        )
    }

    /// An account whose time is over.
    pub fn expired_account(path: &str, expires_at: Instant) -> Self {
        Refusal::new(
            Code::FrozenOrClosed,
            format!("account \"{path}\" has expired"),
            json!({"account": path, "status": "expired", "expires_at": expires_at.to_string()}),
            "tb_set_account() gives it more time.",
        )
    }

    pub fn no_such_account(path: &str) -> Self {
        Refusal::new(
            Code::NotFound,
            "no such account",
            json!({"account": path}),
            "Create it with tb_create_account(), or check the path.",
        )
    }
}

fn print(value: &Value, text: &mut String) {
    match value {
        Value::Object(object) => {
            let mut members: Vec<(&String, &Value)> = object.iter().collect();
            members.sort_unstable_by_key(|(name, _)| (name.len(), name.as_bytes()));
            text.push('{');
            for (index, (name, value)) in members.into_iter().enumerate() {
                text.push_str(if index == 0 { "" } else { ", " });
                text.push_str(&json!(name).to_string());
                text.push_str(": ");
                print(value, text);
            }
            text.push('}');
        }
        Value::Array(values) => {
            text.push('[');
            for (index, value) in values.iter().enumerate() {
                text.push_str(if index == 0 { "" } else { ", " });
                print(value, text);
            }
            text.push(']');
        }
        _ => text.push_str(&value.to_string()),
    }
}
