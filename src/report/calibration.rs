//! Factors that make a count under a stand-in encoding an estimate of the model's own count.

use crate::instant::Instant;

/// A factor, exact to a millionth; above zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Factor {
    micro: i64,
}

const MICRO: i128 = 1_000_000;

impl Factor {
    /// `None` for what is no factor.
    pub fn from_millionths(micro: i64) -> Option<Factor> {
        (micro > 0).then_some(Factor { micro })
    }

    /// The count times the factor, rounded up to a whole token, because a hold must be enough. `None` if that leaves the
    /// range.
    pub fn apply(self, tokens: i64) -> Option<i64> {
        let exact = i128::from(tokens.max(0)) * i128::from(self.micro);
        i64::try_from((exact + MICRO - 1) / MICRO).ok()
    }
}

/// A version of a model's calibration; it holds until the next one of the same model and encoding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Calibration {
    pub provider: String,
    pub model: String,
    pub encoding: String,
    pub effective_at: Instant,
    /// None where the version ends the calibration.
    pub factor: Option<Factor>,
}

/// The factor that holds for a count under the encoding.
pub fn choose(versions: &[Calibration], provider: &str, model: &str, encoding: &str, at: Instant) -> Option<Factor> {
    let holds = |it: &&Calibration| {
        it.effective_at <= at && it.provider == provider && it.model == model && it.encoding == encoding
    };
    versions.iter().filter(holds).max_by_key(|it| it.effective_at).and_then(|it| it.factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn factor(micro: i64) -> Option<Factor> {
        Factor::from_millionths(micro)
    }

    fn applied(micro: i64, tokens: i64) -> Option<i64> {
        factor(micro).and_then(|factor| factor.apply(tokens))
    }

    #[test]
    fn a_count_is_rounded_up() {
        assert_eq!(applied(1_250_000, 100), Some(125));
        // 101 * 1.25 = 126.25
        assert_eq!(applied(1_250_000, 101), Some(127));
        // A millionth of a token is a token.
        assert_eq!(applied(1_000_001, 1), Some(2));
        assert_eq!(applied(500_000, 3), Some(2));
        assert_eq!(applied(1_000_000, 7), Some(7));
        assert_eq!(applied(3_000_000, 0), Some(0));
    }

    #[test]
    fn no_count_leaves_the_range_in_silence() {
        assert_eq!(applied(1_000_000, i64::MAX), Some(i64::MAX));
        assert_eq!(applied(1_000_001, i64::MAX), None);
        assert_eq!(applied(i64::MAX, i64::MAX), None);
        assert_eq!(applied(500_000, i64::MAX), Some(i64::MAX / 2 + 1));
        assert_eq!(factor(0), None);
        assert_eq!(factor(-1), None);
    }

    #[test]
    fn the_latest_version_of_model_and_encoding_holds() {
        let version = |model: &str, encoding: &str, at: i64, micro: i64| Calibration {
            provider: "acme".into(),
            model: model.into(),
            encoding: encoding.into(),
            effective_at: Instant(at),
            factor: factor(micro),
        };
        let versions = [
            version("m", "cl100k_base", 20, 2_000_000),
            version("m", "cl100k_base", 10, 1_500_000),
            version("m", "cl100k_base", 30, 0),
            version("m", "o200k_base", 5, 1_100_000),
            version("n", "cl100k_base", 15, 1_200_000),
        ];
        let at = |at: i64| choose(&versions, "acme", "m", "cl100k_base", Instant(at));
        assert_eq!(at(9), None);
        assert_eq!(at(10), factor(1_500_000));
        assert_eq!(at(20), factor(2_000_000));
        // The last version ends it.
        assert_eq!(at(30), None);
        assert_eq!(choose(&versions, "acme", "m", "o200k_base", Instant(40)), factor(1_100_000));
        assert_eq!(choose(&versions, "bravo", "m", "o200k_base", Instant(40)), None);
    }
}
