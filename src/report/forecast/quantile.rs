//! Quantiles of the normal and of Student's distribution.

/// The normal quantile: Wichura's algorithm AS 241 (PPND7), *Applied Statistics* 37 (1988) 477–484; about seven digits.
pub fn normal(probability: f64) -> f64 {
    let q = probability - 0.5;
    if q.abs() <= 0.425 {
        let r = 0.180_625 - q * q;
        return q * (((59.109_374_720 * r + 159.291_132_02) * r + 50.434_271_938) * r + 3.387_132_717_9)
            / (((67.187_563_600 * r + 78.757_757_664) * r + 17.895_169_469) * r + 1.0);
    }
    let r = (-probability.min(1.0 - probability).max(f64::MIN_POSITIVE).ln()).sqrt();
    let value = if r <= 5.0 {
        let r = r - 1.6;
        (((0.170_238_21 * r + 1.306_728_481_6) * r + 2.756_815_390_0) * r + 1.423_437_277_7)
            / ((0.120_211_32 * r + 0.737_001_642_50) * r + 1.0)
    } else {
        let r = r - 5.0;
        (((0.017_337_203_997 * r + 0.428_682_943_37) * r + 3.081_226_386_0) * r + 6.657_905_115_0)
            / ((0.012_258_202_635 * r + 0.241_978_942_25) * r + 1.0)
    };
    value.copysign(q)
}

/// The quantile of Student's t: the expansion of Abramowitz & Stegun 26.7.5, with at least three degrees of freedom.
pub fn student(probability: f64, degrees_of_freedom: f64) -> f64 {
    let n = degrees_of_freedom.max(3.0);
    let z = normal(probability);
    let z2 = z * z;
    let first = (z2 + 1.0) * z / 4.0;
    let second = ((5.0 * z2 + 16.0) * z2 + 3.0) * z / 96.0;
    let third = (((3.0 * z2 + 19.0) * z2 + 17.0) * z2 - 15.0) * z / 384.0;
    z + first / n + second / (n * n) + third / (n * n * n)
}

#[cfg(test)]
mod tests {
    use super::*;

    // From the tables of Abramowitz & Stegun, 26.1 and 26.10.
    #[test]
    fn quantiles_are_those_of_the_tables() {
        for (probability, expected) in [(0.5, 0.0), (0.9, 1.281_551_6), (0.975, 1.959_964), (0.9995, 3.290_526_7)] {
            assert!((normal(probability) - expected).abs() < 1e-5, "{probability}: {}", normal(probability));
            assert!((normal(1.0 - probability) + expected).abs() < 1e-5);
        }
        for (probability, n, expected) in
            [(0.9, 3.0, 1.638), (0.9, 10.0, 1.372), (0.975, 10.0, 2.228), (0.975, 1e9, 1.960)]
        {
            assert!(
                (student(probability, n) - expected).abs() < 0.01,
                "{probability} {n}: {}",
                student(probability, n)
            );
        }
    }
}
