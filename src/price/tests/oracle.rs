//! A second way to the same results: digits on paper. It shares nothing with the code under test.

use std::cmp::Ordering;

/// A natural number, least significant digit first, without leading zeros.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Natural(Vec<u8>);

impl Natural {
    pub(super) fn new(text: &str) -> Self {
        Self(text.bytes().rev().map(|digit| digit - b'0').collect()).trimmed()
    }

    fn trimmed(mut self) -> Self {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        self
    }

    pub(super) fn plus(&self, other: &Self) -> Self {
        let mut digits = Vec::new();
        let mut carry = 0;
        for place in 0..self.0.len().max(other.0.len()) + 1 {
            let sum = self.0.get(place).unwrap_or(&0) + other.0.get(place).unwrap_or(&0) + carry;
            digits.push(sum % 10);
            carry = sum / 10;
        }
        Self(digits).trimmed()
    }

    pub(super) fn times(&self, other: &Self) -> Self {
        let mut result = Self(Vec::new());
        for (place, digit) in self.0.iter().enumerate() {
            for _ in 0..*digit {
                let mut shifted = vec![0; place];
                shifted.extend(&other.0);
                result = result.plus(&Self(shifted));
            }
        }
        result
    }

    pub(super) fn max(&self, other: &Self) -> Self {
        let digits = |number: &Self| number.0.iter().rev().copied().collect::<Vec<u8>>();
        let is_less = (self.0.len(), digits(self)) < (other.0.len(), digits(other));
        if is_less { other.clone() } else { self.clone() }
    }

    /// Drops the last digits, rounding half to even.
    pub(super) fn half_even(&self, places: usize) -> Self {
        let cut = places.min(self.0.len());
        let mut dropped = self.0[..cut].to_vec();
        dropped.resize(places, 0);
        dropped.reverse();
        let whole = Self(self.0[cut..].to_vec());
        let mut half = vec![0; places];
        half[0] = 5;
        let odd = whole.0.first().unwrap_or(&0) % 2 == 1;
        match dropped.cmp(&half) {
            Ordering::Greater => whole.plus(&Self::new("1")),
            Ordering::Equal if odd => whole.plus(&Self::new("1")),
            _ => whole,
        }
    }

    /// Drops the last digits, rounding up.
    pub(super) fn up(&self, places: usize) -> Self {
        let cut = places.min(self.0.len());
        let whole = Self(self.0[cut..].to_vec());
        if self.0[..cut].iter().any(|digit| *digit != 0) { whole.plus(&Self::new("1")) } else { whole }
    }

    pub(super) fn text(&self) -> String {
        let text: String = self.0.iter().rev().map(|digit| char::from(b'0' + digit)).collect();
        if text.is_empty() { "0".to_owned() } else { text }
    }

    /// The number if it fits a bigint.
    pub(super) fn bigint(&self) -> Option<i64> {
        self.text().parse().ok()
    }
}

#[test]
fn the_oracle_can_count() {
    let natural = Natural::new;
    assert_eq!(natural("999").plus(&natural("1")), natural("1000"));
    assert_eq!(natural("12345678901234567890").times(&natural("987654321")).text(), "12193263112482853211126352690");
    assert_eq!(natural("99").max(&natural("100")).text(), "100");
    assert_eq!(natural("201").max(&natural("199")).text(), "201");
    assert_eq!(natural("0").max(&natural("")).text(), "0");
    assert_eq!(natural("15").half_even(1).text(), "2");
    assert_eq!(natural("25").half_even(1).text(), "2");
    assert_eq!(natural("251").half_even(2).text(), "3");
    assert_eq!(natural("4").half_even(2).text(), "0");
    assert_eq!(natural("50").half_even(2).text(), "0");
    assert_eq!(natural("51").half_even(2).text(), "1");
    assert_eq!(natural("1").up(3).text(), "1");
    assert_eq!(natural("1000").up(3).text(), "1");
    assert_eq!(natural("0000").up(3).text(), "0");
}
