//! The statement that reads the history, and where its columns stand.

use std::fmt::Write;

use crate::budget::meter;
use crate::report::backtest::Basis;
use crate::usage::Bucket;

pub const COST: usize = 7;
pub const IS_PRICEABLE: usize = 8;
pub const HOLD_ENDS_AT: usize = 9;
pub const CORRECTIONS: usize = 10;
pub const SLOTS: usize = 13;
pub const MODEL: usize = 16;
pub const ACCOUNT: usize = 17;
pub const METERS: usize = 18;

pub fn used_ordinal(index: usize) -> usize {
    METERS + 2 * index
}

pub fn held_ordinal(index: usize) -> usize {
    METERS + 2 * index + 1
}

/// The statement, which reads no more columns than the policy asks for.
pub struct Columns<'a> {
    pub meters: &'a [String],
    pub basis: Basis,
    pub is_repricing: bool,
    pub has_models: bool,
    pub has_account: bool,
}

/// Money as the engine counts it.
macro_rules! nanos {
    ($column:literal) => {
        concat!("(", $column, " OPERATOR(pg_catalog.*) 1000000000::pg_catalog.numeric)::pg_catalog.int8")
    };
}

impl Columns<'_> {
    /// Tenant, account, where the history begins, since, until. Corrections of what was booked before the replay begins count
    /// as entries of their own, later ones belong to their calls.
    pub fn sql(&self) -> String {
        let is_hold = self.basis == Basis::Hold;
        let mut sql = String::from(
            "SELECT entry.reserved_at, entry.recorded_at, entry.account_ids,
                 pg_catalog.array_position(entry.account_ids, $2)
                     OPERATOR(pg_catalog.<=) pg_catalog.array_position(entry.account_ids, entry.account_id),
                 entry.entry_id, COALESCE(entry.retry_count OPERATOR(pg_catalog.>) 0, false), ",
        );
        sql.push_str(nanos!("entry.cost"));
        sql.push_str(
            ", entry.request_model IS NOT NULL OR entry.flags OPERATOR(pg_catalog.&&) ARRAY['unpriced', 'unpriced_meters'], ",
        );
        sql.push_str(if is_hold { "reservation.expires_at, " } else { "NULL::pg_catalog.timestamptz, " });
        sql.push_str("corrected.times, corrected.costs, corrected.internal_costs");
        for column in ["budget_ids", "window_starts", "spent_units"] {
            let _ = write!(sql, ", CASE WHEN entry.reserved_at OPERATOR(pg_catalog.<) $4 THEN entry.{column} END");
        }
        sql.push_str(if self.has_models { ", entry.request_model" } else { ", NULL::pg_catalog.text" });
        sql.push_str(if self.has_account { ", account.path" } else { ", NULL::pg_catalog.text" });
        for name in self.meters {
            // A name of a meter is letters, digits and underscores, checked where it was read.
            let _ = write!(sql, ", {}, {}", used_column(name), if is_hold { held_column(name) } else { "NULL".into() });
        }
        if self.is_repricing {
            sql.push_str(
                ", entry.buckets, entry.meters, entry.usage_details, entry.requests, entry.service_tier, entry.region,
                 entry.account_id",
            );
            sql.push_str(if is_hold {
                ", reservation.input_tokens, reservation.max_output_tokens, reservation.held"
            } else {
                ", NULL::pg_catalog.int8, NULL::pg_catalog.int8, NULL::pg_catalog.jsonb"
            });
        }
        sql.push_str(" FROM tokbudget.entry");
        sql.push_str(concat!(
            " LEFT JOIN (
                 SELECT correction.corrects_entry_id, pg_catalog.array_agg(correction.recorded_at ORDER BY correction.recorded_at, correction.entry_id) AS times,
                     pg_catalog.array_agg(COALESCE(",
            nanos!("correction.cost"),
            ", 0) ORDER BY correction.recorded_at, correction.entry_id) AS costs,
                     pg_catalog.array_agg(COALESCE(",
            nanos!("correction.internal_cost"),
            ", 0) ORDER BY correction.recorded_at, correction.entry_id) AS internal_costs
                 FROM tokbudget.entry AS correction
                 WHERE correction.tenant_id OPERATOR(pg_catalog.=) $1 AND correction.corrects_entry_id IS NOT NULL
                     AND correction.recorded_at OPERATOR(pg_catalog.>=) $4
                     AND correction.kind OPERATOR(pg_catalog.=) ANY (ARRAY['adjust', 'refund', 'correction'])
                 GROUP BY correction.corrects_entry_id
             ) AS corrected ON corrected.corrects_entry_id OPERATOR(pg_catalog.=) entry.entry_id"
        ));
        if is_hold {
            sql.push_str(
                " LEFT JOIN tokbudget.reservation ON reservation.tenant_id OPERATOR(pg_catalog.=) entry.tenant_id
                     AND reservation.reservation_id OPERATOR(pg_catalog.=) entry.reservation_id",
            );
        }
        if self.has_account {
            sql.push_str(
                " LEFT JOIN tokbudget.account ON account.tenant_id OPERATOR(pg_catalog.=) entry.tenant_id
                     AND account.account_id OPERATOR(pg_catalog.=) entry.account_id",
            );
        }
        sql.push_str(
            " WHERE entry.tenant_id OPERATOR(pg_catalog.=) $1 AND $2 OPERATOR(pg_catalog.=) ANY (entry.account_ids)
                 AND entry.recorded_at OPERATOR(pg_catalog.>=) $3
                 AND entry.reserved_at OPERATOR(pg_catalog.>=) $3 AND entry.reserved_at OPERATOR(pg_catalog.<) $5
                 AND (entry.kind OPERATOR(pg_catalog.=) ANY (ARRAY['commit', 'charge'])
                     OR entry.reserved_at OPERATOR(pg_catalog.<) $4 AND entry.recorded_at OPERATOR(pg_catalog.<) $4
                         AND entry.kind OPERATOR(pg_catalog.<>) 'expire')
             ORDER BY entry.reserved_at, entry.recorded_at, entry.entry_id",
        );
        sql
    }
}

fn used_column(name: &str) -> String {
    let of = |column: &str| format!("COALESCE((entry.{column} OPERATOR(pg_catalog.->>) '{name}')::pg_catalog.int8, 0)");
    match name {
        meter::TOKENS => "entry.input_tokens OPERATOR(pg_catalog.+) entry.output_tokens".into(),
        meter::INPUT_TOKENS | meter::OUTPUT_TOKENS | meter::REQUESTS => format!("entry.{name}"),
        meter::COST => nanos!("entry.cost").into(),
        meter::INTERNAL_COST => nanos!("entry.internal_cost").into(),
        // What the provider counts stands among the kinds of token.
        _ if Bucket::from_name(name).is_some_and(Bucket::is_counter) => {
            format!("{} OPERATOR(pg_catalog.+) {}", of("meters"), of("buckets"))
        }
        _ => of("meters"),
    }
}

fn held_column(name: &str) -> String {
    let held = format!("(reservation.held OPERATOR(pg_catalog.->>) '{name}')");
    if meter::is_money(name) {
        format!("({held}::pg_catalog.numeric OPERATOR(pg_catalog.*) 1000000000::pg_catalog.numeric)::pg_catalog.int8")
    } else {
        format!("{held}::pg_catalog.int8")
    }
}
