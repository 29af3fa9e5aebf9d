//! A policy as a user states it.

use std::collections::BTreeMap;

use chrono::DateTime;
use serde_json::{Map, Value};

use crate::budget::meter;
use crate::budget::rollover::Rollover;
use crate::budget::window::Schedule;
use crate::instant::Instant;
use crate::nearest::nearest;
use crate::price::{Price, nanos_from_decimal, parse_decimal};

/// What the calls are judged by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Basis {
    /// By what each had held, as far as that is still known, and by what it used otherwise.
    #[default]
    Hold,
    /// By what each used.
    Use,
}

/// What a call costs instead of what it cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PriceRule {
    /// At these prices.
    Prices(Box<Price>),
    /// So many millionths of what it cost.
    Factor(i128),
}

/// A limit instead of, or in addition to, those that there are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PolicyBudget {
    /// None for the account that is asked about.
    pub account: Option<String>,
    pub meter: String,
    pub limit_units: i64,
    pub every: Option<String>,
    pub schedule: Schedule,
    pub hard: bool,
    pub burst_units: i64,
    pub rollover: Option<Rollover>,
    pub freeze_at_percent: Option<i32>,
}

/// What to replay a history against.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Policy {
    pub budgets: Vec<PolicyBudget>,
    /// Whether the budgets that there are at and below the account hold too.
    pub keeps_budgets: bool,
    /// Which model takes the place of which.
    pub models: BTreeMap<String, String>,
    /// By model, after those have taken their places; `*` for every other.
    pub prices: BTreeMap<String, PriceRule>,
    pub basis: Basis,
}

/// What is wrong with a policy, and where: a JSON path such as `$.budgets[0].amount`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{path}: {why}")]
pub struct PolicyError {
    pub path: String,
    pub why: String,
}

/// Every other model.
const ANY_MODEL: &str = "*";
/// More budgets than this nobody reads the result of, and each costs at every call.
const BUDGETS_MAX: usize = 1000;
/// A factor is in millionths, and a per cent has at most four decimals.
const PERCENT_SCALE: u32 = 4;
const MICRO: i128 = 1_000_000;
/// The most that a discount below zero may add, in per cent.
const SURCHARGE_PERCENT_MAX: i128 = 10_000;
const FREEZE_PERCENT_MAX: i64 = 1000;

fn wrong(path: impl Into<String>, why: impl ToString) -> PolicyError {
    PolicyError { path: path.into(), why: why.to_string() }
}

/// An object whose members are taken one by one; what is left at the end is a mistake.
struct Members<'a> {
    path: String,
    object: &'a Map<String, Value>,
    known: Vec<&'static str>,
}

impl<'a> Members<'a> {
    fn of(path: String, value: &'a Value) -> Result<Self, PolicyError> {
        let object = value.as_object().ok_or_else(|| wrong(path.clone(), "expected an object"))?;
        Ok(Members { path, object, known: Vec::new() })
    }

    fn path_of(&self, name: &str) -> String {
        format!("{}.{name}", self.path)
    }

    /// A member that is there and not null.
    fn take(&mut self, name: &'static str) -> Option<&'a Value> {
        self.known.push(name);
        self.object.get(name).filter(|value| !value.is_null())
    }

    fn text(&mut self, name: &'static str) -> Result<Option<&'a str>, PolicyError> {
        let path = self.path_of(name);
        let text = |value: &'a Value| value.as_str().ok_or_else(|| wrong(path, "expected a text"));
        self.take(name).map(text).transpose()
    }

    fn flag(&mut self, name: &'static str) -> Result<Option<bool>, PolicyError> {
        let path = self.path_of(name);
        let flag = |value: &Value| value.as_bool().ok_or_else(|| wrong(path, "expected true or false"));
        self.take(name).map(flag).transpose()
    }

    fn units(&mut self, name: &'static str, meter: &str) -> Result<Option<i64>, PolicyError> {
        let path = self.path_of(name);
        self.take(name).map(|value| units(meter, value).map_err(|why| wrong(path, why))).transpose()
    }

    fn finish(self) -> Result<(), PolicyError> {
        let Some(unknown) = self.object.keys().find(|name| !self.known.contains(&name.as_str())) else { return Ok(()) };
        let path = self.path_of(&shown(unknown));
        Err(match nearest(unknown, self.known.iter().copied()).first() {
            Some(near) => wrong(path, format!("no such member; {near} is one")),
            None => wrong(path, format!("no such member; there are {}", self.known.join(", "))),
        })
    }
}

/// A name from outside, short enough for a message.
fn shown(name: &str) -> String {
    name.chars().take(60).collect()
}

/// An amount of a meter in the units of the engine.
fn units(meter: &str, value: &Value) -> Result<i64, String> {
    let number = value.as_number().ok_or("expected a number")?.to_string();
    let units = if meter::is_money(meter) {
        nanos_from_decimal(&number).map_err(|error| error.to_string())?
    } else {
        parse_decimal(&number, 0)
            .ok()
            .and_then(|units| i64::try_from(units).ok())
            .ok_or("expected a whole number within the range of bigint")?
    };
    if units < 0 { Err("it is negative".into()) } else { Ok(units) }
}

impl Policy {
    /// Reads a policy.
    ///
    /// # Errors
    /// [`PolicyError`], also for members that there are not, so that no typing error passes for a policy without effect.
    pub fn parse(value: &Value) -> Result<Policy, PolicyError> {
        let mut members = Members::of("$".into(), value)?;
        let budgets = members.take("budgets").map(read_budgets).transpose()?;
        let keeps_budgets = members.flag("keep_budgets")?.unwrap_or(budgets.is_none());
        let models = members.take("models").map(read_models).transpose()?.unwrap_or_default();
        let prices = members.take("prices").map(read_prices).transpose()?.unwrap_or_default();
        let basis = match members.text("basis")? {
            None | Some("hold") => Basis::Hold,
            Some("use") => Basis::Use,
            Some(_) => return Err(wrong("$.basis", "expected hold or use")),
        };
        members.finish()?;
        Ok(Policy { budgets: budgets.unwrap_or_default(), keeps_budgets, models, prices, basis })
    }

    /// The model that takes the place of `model`: itself where none does.
    pub fn model<'a>(&'a self, model: &'a str) -> &'a str {
        self.models.get(model).map_or(model, String::as_str)
    }

    /// What is charged for a model after models have taken their places; none for what the price book says.
    pub fn price_rule(&self, model: Option<&str>) -> Option<&PriceRule> {
        model.and_then(|model| self.prices.get(model)).or_else(|| self.prices.get(ANY_MODEL))
    }

    /// Whether calls have to be priced from their counts, and not only by a factor.
    pub fn is_repricing(&self) -> bool {
        !self.models.is_empty() || self.prices.values().any(|rule| matches!(rule, PriceRule::Prices(_)))
    }
}

fn read_budgets(value: &Value) -> Result<Vec<PolicyBudget>, PolicyError> {
    let budgets = value.as_array().ok_or_else(|| wrong("$.budgets", "expected an array"))?;
    if budgets.len() > BUDGETS_MAX {
        return Err(wrong("$.budgets", format!("more than {BUDGETS_MAX} budgets")));
    }
    budgets.iter().enumerate().map(|(index, budget)| read_budget(format!("$.budgets[{index}]"), budget)).collect()
}

fn read_budget(path: String, value: &Value) -> Result<PolicyBudget, PolicyError> {
    let mut members = Members::of(path, value)?;
    let missing = |members: &Members<'_>, name: &str| wrong(members.path_of(name), "it is missing");
    let account = members.text("account")?.map(str::to_owned);
    let meter = members.text("meter")?.ok_or_else(|| missing(&members, "meter"))?.to_owned();
    if !meter::is_meter_name(&meter) {
        return Err(wrong(members.path_of("meter"), "not a name of lower-case letters, digits and underscores"));
    }
    let limit_units = members.units("amount", &meter)?.ok_or_else(|| missing(&members, "amount"))?;
    let every = members.text("every")?.map(str::to_owned);
    let time_zone = members.text("time_zone")?.unwrap_or("UTC");
    let week_start = members.text("week_start")?.unwrap_or("monday");
    let anchor = match members.text("anchor")? {
        None => None,
        Some(text) => Some(Instant::from(
            DateTime::parse_from_rfc3339(text)
                .map_err(|_| wrong(members.path_of("anchor"), "expected an instant such as 2026-01-01T09:00:00Z"))?
                .to_utc(),
        )),
    };
    let schedule = Schedule::parse(every.as_deref(), time_zone, week_start, anchor)
        .map_err(|error| wrong(members.path_of("every"), error))?;
    let hard = members.flag("hard")?.unwrap_or(true);
    let burst_units = members.units("burst", &meter)?.unwrap_or(0);
    let cap_units = members.units("rollover_cap", &meter)?;
    let rollover = match (members.text("rollover")?.unwrap_or("none"), cap_units) {
        ("none", None) => None,
        ("all", None) => Some(Rollover { cap_units: i64::MAX }),
        ("capped", Some(cap_units)) => Some(Rollover { cap_units }),
        _ => {
            return Err(wrong(
                members.path_of("rollover"),
                "expected none, all, or capped together with a rollover_cap",
            ));
        }
    };
    let freeze_at = members.take("freeze_at");
    let freeze_at_percent = match freeze_at {
        None => None,
        Some(value) => Some(
            value
                .as_i64()
                .filter(|percent| (1..=FREEZE_PERCENT_MAX).contains(percent))
                .and_then(|percent| i32::try_from(percent).ok())
                .ok_or_else(|| wrong(members.path_of("freeze_at"), "expected a whole per cent from 1 to 1000"))?,
        ),
    };
    // They tell somebody and refuse nothing, so a budget may be copied here with those it has.
    members.take("thresholds");
    members.finish()?;
    Ok(PolicyBudget { account, meter, limit_units, every, schedule, hard, burst_units, rollover, freeze_at_percent })
}

fn read_models(value: &Value) -> Result<BTreeMap<String, String>, PolicyError> {
    let models = value.as_object().ok_or_else(|| wrong("$.models", "expected an object from model to model"))?;
    let read = |(from, to): (&String, &Value)| {
        let path = format!("$.models.{}", shown(from));
        match to.as_str() {
            Some(to) if !to.is_empty() => Ok((from.clone(), to.to_owned())),
            _ => Err(wrong(path, "expected the name of a model")),
        }
    };
    models.iter().map(read).collect()
}

fn read_prices(value: &Value) -> Result<BTreeMap<String, PriceRule>, PolicyError> {
    let prices = value.as_object().ok_or_else(|| wrong("$.prices", "expected an object from model to prices"))?;
    let read = |(model, rule): (&String, &Value)| {
        let path = format!("$.prices.{}", shown(model));
        Ok((model.clone(), read_rule(path, rule)?))
    };
    prices.iter().map(read).collect()
}

fn read_rule(path: String, value: &Value) -> Result<PriceRule, PolicyError> {
    let object = value.as_object().ok_or_else(|| wrong(path.clone(), "expected an object of prices"))?;
    let Some(discount) = object.get("discount_percent") else {
        let price = Price::from_unit_prices(value).map_err(|error| wrong(path.clone(), error))?;
        return if price == Price::default() {
            Err(wrong(path, "it has no price"))
        } else {
            Ok(PriceRule::Prices(Box::new(price)))
        };
    };
    let mut members = Members::of(path, value)?;
    members.take("discount_percent");
    let path = members.path_of("discount_percent");
    members.finish()?;
    let number = discount.as_number().ok_or_else(|| wrong(path.clone(), "expected a number"))?.to_string();
    let percent = parse_decimal(&number, PERCENT_SCALE).map_err(|error| wrong(path.clone(), error))?;
    let factor = MICRO - percent;
    if factor < 0 || factor > MICRO / 100 * (100 + SURCHARGE_PERCENT_MAX) {
        return Err(wrong(path, format!("expected a per cent from -{SURCHARGE_PERCENT_MAX} to 100")));
    }
    Ok(PriceRule::Factor(factor))
}

impl PriceRule {
    /// A part of an amount of money, rounded half to even; `i64::MAX` where it is beyond the range.
    pub fn part(factor_micro: i128, nanos: i64) -> i64 {
        let product = i128::from(nanos) * factor_micro;
        let (quotient, twice) = (product.div_euclid(MICRO), product.rem_euclid(MICRO) * 2);
        let up = twice > MICRO || twice == MICRO && quotient % 2 != 0;
        i64::try_from(quotient + i128::from(up)).unwrap_or(if nanos < 0 { i64::MIN } else { i64::MAX })
    }

    /// The same, rounded up: of a hold nothing may be missing.
    pub fn part_up(factor_micro: i128, nanos: i64) -> i64 {
        let product = i128::from(nanos) * factor_micro;
        let up = i128::from(product.rem_euclid(MICRO) > 0);
        i64::try_from(product.div_euclid(MICRO) + up).unwrap_or(i64::MAX)
    }
}
