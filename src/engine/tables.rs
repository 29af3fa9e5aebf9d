//! Reads balances from the tables alone: on a standby, which has no part in what is in flight, and for whoever only looks
//! where this server's engine has not taken over yet.

use pgrx::spi::SpiClient;

use crate::budget::decision::{Balance, Claim, Standing};
use crate::engine::decide::{Balances, standings, touched};
use crate::engine::escrow::load;
use crate::engine::{Engine, Outcome, Settlement, Slot, Taking};
use crate::instant::Instant;
use crate::ledger::Failure;
use crate::refusal::Refusal;

pub struct Tables<'a, 'conn> {
    client: &'a mut SpiClient<'conn>,
}

const ONLY_READS: Failure = Failure::Internal("balances cannot be changed here");

impl<'a, 'conn> Tables<'a, 'conn> {
    pub fn new(client: &'a mut SpiClient<'conn>) -> Self {
        Tables { client }
    }
}

impl Engine for Tables<'_, '_> {
    fn take(
        &mut self,
        _: i32,
        _: &[&[Claim]],
        _: Taking,
        _: Instant,
    ) -> Result<Vec<Result<Outcome, Refusal>>, Failure> {
        Err(ONLY_READS)
    }

    fn settle(&mut self, _: i32, _: &[Settlement], _: Instant) -> Result<Vec<Balance>, Failure> {
        Err(ONLY_READS)
    }

    fn read(&mut self, tenant_id: i32, claims: &[Claim], now: Instant) -> Result<Vec<Standing>, Failure> {
        let openings = touched(&[claims]);
        let slots: Vec<Slot> = openings.keys().copied().collect();
        let mut balances = Balances::new();
        for it in load::balances(self.client, tenant_id, &slots, true)? {
            let mut balance = it.base.balance();
            if !it.is_carry_known {
                balance.carried_units = openings.get(&it.slot).copied().unwrap_or(0);
            }
            balances.insert(it.slot, balance);
        }
        let budget_ids = slots.iter().map(|(budget_id, _)| *budget_id).collect();
        for it in load::expired(self.client, tenant_id, budget_ids, now)? {
            it.take_out(&mut balances);
        }
        Ok(standings(claims, &balances)?)
    }

    fn windows(
        &mut self,
        tenant_id: i32,
        budget_id: i64,
        until: Instant,
        windows_max: i64,
    ) -> Result<Vec<(Instant, i64)>, Failure> {
        load::windows(self.client, tenant_id, budget_id, until, windows_max)
    }
}
