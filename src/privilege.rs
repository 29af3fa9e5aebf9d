//! What a role may be allowed to do on an account and all below it.

/// A privilege as it is granted, and as a call needs it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Privilege {
    /// Reserve, commit, release, charge.
    Spend,
    /// See what remains.
    Read,
    /// Set up accounts, budgets, rates and access.
    Administer,
    /// See the ledger and who may do what.
    Audit,
}

impl Privilege {
    pub const fn as_str(self) -> &'static str {
        match self {
            Privilege::Spend => "spend",
            Privilege::Read => "read",
            Privilege::Administer => "administer",
            Privilege::Audit => "audit",
        }
    }

    /// The privilege of that name.
    pub fn from_name(name: &str) -> Option<Privilege> {
        [Privilege::Spend, Privilege::Read, Privilege::Administer, Privilege::Audit]
            .into_iter()
            .find(|privilege| privilege.as_str() == name)
    }

    /// Whether a role that was granted `self` may do what needs `wanted`. Whoever may do anything may see what remains.
    pub fn implies(self, wanted: Privilege) -> bool {
        self == wanted || self == Privilege::Administer || wanted == Privilege::Read
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_back() {
        for name in ["spend", "read", "administer", "audit"] {
            assert_eq!(Privilege::from_name(name).map(Privilege::as_str), Some(name));
        }
        for name in ["", "Spend", "spend ", "all"] {
            assert_eq!(Privilege::from_name(name), None, "{name:?}");
        }
    }

    #[test]
    fn implications() {
        let all = [Privilege::Spend, Privilege::Read, Privilege::Administer, Privilege::Audit];
        let implied = |granted: Privilege| all.map(|wanted| granted.implies(wanted));
        assert_eq!(implied(Privilege::Spend), [true, true, false, false]);
        assert_eq!(implied(Privilege::Read), [false, true, false, false]);
        assert_eq!(implied(Privilege::Administer), [true, true, true, true]);
        assert_eq!(implied(Privilege::Audit), [false, true, false, true]);
    }
}
