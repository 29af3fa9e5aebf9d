//! Made-up use, each kind by a seed, and a recorded series.

/// Pseudo-random numbers: SplitMix64 (Steele, Lea & Flood 2014).
pub struct Random(pub u64);

impl Random {
    /// From 0 up to 1.
    pub fn uniform(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((bits ^ (bits >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Standard normal, by Box and Muller.
    pub fn normal(&mut self) -> f64 {
        (-2.0 * (1.0 - self.uniform()).ln()).sqrt() * (std::f64::consts::TAU * self.uniform()).cos()
    }

    /// Log-normal with mean 1.
    fn noise(&mut self, sigma: f64) -> f64 {
        (sigma * self.normal() - sigma * sigma / 2.0).exp()
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The same all the time, with noise.
    Flat,
    /// By day and week, with noise by the hour and by the day.
    Seasonal,
    /// The same, 1 % more each day.
    Growing,
    /// The same, with one hour in a hundred twenty times as busy.
    Spiky,
    /// One hour in thirty, heavy-tailed.
    Intermittent,
    /// By day and week, with a level that wanders.
    Wandering,
}

pub const KINDS: [Kind; 6] =
    [Kind::Flat, Kind::Seasonal, Kind::Growing, Kind::Spiky, Kind::Intermittent, Kind::Wandering];

/// Hourly use from a Monday on.
pub fn made_up(kind: Kind, seed: u64, hours: usize) -> Vec<f64> {
    let mut random = Random(seed);
    let mut level = 1.0;
    let mut of_the_day = 1.0;
    (0..hours)
        .map(|hour| {
            if hour % 24 == 0 {
                of_the_day = random.noise(0.15);
                level *= if kind == Kind::Wandering { random.noise(0.08) } else { 1.0 };
            }
            let busy = office_hours(hour) * of_the_day * random.noise(0.3);
            100.0
                * match kind {
                    Kind::Flat => random.noise(0.5),
                    Kind::Seasonal => busy,
                    Kind::Growing => busy * 1.01_f64.powf(hour as f64 / 24.0),
                    Kind::Spiky => busy * if random.uniform() < 0.01 { 20.0 } else { 1.0 },
                    Kind::Intermittent => {
                        if random.uniform() < 1.0 / 30.0 {
                            30.0 * random.noise(1.0)
                        } else {
                            0.0
                        }
                    }
                    Kind::Wandering => busy * level,
                }
        })
        .collect()
}

/// A bell over the working day, a tenth of it at weekends, little at night.
fn office_hours(hour: usize) -> f64 {
    let of_the_day = 0.1 + 2.5 * (-((hour % 24) as f64 - 14.0).powi(2) / 18.0).exp();
    if hour / 24 % 7 < 5 { of_the_day } else { of_the_day * 0.1 }
}

/// Sessions begun per hour, as tests/fixtures/forecast/README.md describes them.
pub fn recorded() -> Vec<f64> {
    let mut amounts = Vec::new();
    for line in include_str!("../../../../tests/fixtures/forecast/burstgpt_hourly.csv").lines().skip(1) {
        let (hour, sessions) = line.split_once(',').unwrap();
        amounts.resize(hour.parse::<usize>().unwrap(), 0.0);
        amounts.push(sessions.parse().unwrap());
    }
    amounts
}
