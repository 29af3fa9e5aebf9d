//! How busy an average hour is, how much that may err, and whether it grows.

/// Lengths of the blocks that errors are measured over, hours.
const BLOCK_HOURS: [usize; 8] = [24, 12, 8, 6, 4, 3, 2, 1];
/// Fewer errors than this say nothing about their spread.
const BLOCKS_MIN: usize = 8;
/// Candidates for the weight of the latest block, beside the plain mean.
const SMOOTHING: [f64; 6] = [0.05, 0.1, 0.2, 0.3, 0.5, 0.7];
/// Share of an idle block, so that what little it errs does not count beyond measure.
const SHARE_MIN: f64 = 0.05;
/// Student's t that a slope must have to count, and the fewest days that it is seen over.
const DRIFT_T_MIN: f64 = 2.0;
const DRIFT_DAYS_MIN: usize = 21;
/// Beyond half the level or twice it, growth is not carried on.
const DRIFT_SHARES: (f64, f64) = (-0.5, 1.0);

/// The level after the history.
pub struct Level {
    per_hour: f64,
    smoothing: f64,
    block_hours: f64,
    blocks: f64,
    /// Variance of the error of one block that is as busy as an average one.
    variance: f64,
    /// The same per block, of the error of sums as long as the history has them: more where errors stick together.
    variance_of_sums: f64,
    pub degrees_of_freedom: f64,
    /// Change per day of the use of an average hour.
    slope: f64,
    /// Days by which the level lags behind the growth.
    lag_days: f64,
    history_days: f64,
}

/// A block of hours: what was used, and its share in hours that are as busy as an average one.
#[derive(Clone, Copy)]
struct Block {
    amount: f64,
    share: f64,
}

impl Level {
    /// From hourly use and the share that the profile gives each hour. Errors are measured over blocks as long as the horizon
    /// allows, up to a day. `periods` is how often the profile was seen, where there is one.
    pub fn fit(amounts: &[f64], shares: &[f64], horizon_hours: f64, periods: Option<usize>) -> Level {
        let block_hours = BLOCK_HOURS
            .into_iter()
            .find(|hours| *hours as f64 <= horizon_hours && amounts.len() / hours >= BLOCKS_MIN)
            .unwrap_or(1);
        let blocks = blocks(amounts, shares, block_hours);
        let count = blocks.len() as f64;
        // What counts is the error of the sum that is asked for, as far as the history has such sums.
        let ahead = ((horizon_hours / block_hours as f64) as usize).clamp(1, (blocks.len() / 3).max(1));
        let errors = |smoothing, ahead| errors(&blocks, smoothing, block_hours as f64, ahead);
        let plain = errors(0.0, ahead);
        // Few sums tell little apart: a shorter memory must err less by more than their standard error (the rule of Breiman,
        // Friedman, Olshen & Stone 1984).
        let bar = 1.0 - (ahead as f64 / plain.count.max(1.0)).sqrt();
        let mut best = (0.0, plain);
        if blocks.len() >= BLOCKS_MIN {
            for smoothing in SMOOTHING {
                let candidate = errors(smoothing, ahead);
                if candidate.mean_square < plain.mean_square * bar && candidate.mean_square < best.1.mean_square {
                    best = (smoothing, candidate);
                }
            }
        }
        let (smoothing, of_sums) = best;
        let fitted = errors(smoothing, 1);
        // The profile was fitted to the same hours, which makes the errors look smaller than they will be.
        let optimism = periods.map_or(1.0, |seen| seen as f64 / (seen as f64 - 1.0).max(1.0));
        let slope = trend(amounts, shares, periods).map_or(0.0, |trend| trend.slope);
        let decay = 1.0 - smoothing;
        let lag_blocks = if smoothing > 0.0 { (1.0 - decay.powf(count)) / smoothing } else { count };
        Level {
            per_hour: fitted.level,
            smoothing,
            block_hours: block_hours as f64,
            blocks: count,
            variance: fitted.mean_square * optimism,
            variance_of_sums: of_sums.mean_square * optimism,
            degrees_of_freedom: fitted.count / optimism - 1.0,
            slope,
            lag_days: lag_blocks * block_hours as f64 / 24.0,
            history_days: amounts.len() as f64 / 24.0,
        }
    }

    /// The plain mean of these amounts, with the errors that this level has.
    pub fn around_mean_of(self, amounts: &[f64]) -> Level {
        let per_hour = amounts.iter().sum::<f64>() / amounts.len().max(1) as f64;
        Level { per_hour, smoothing: 0.0, slope: 0.0, ..self }
    }

    /// Use of an average hour, so many average hours from now.
    pub fn per_hour_after(&self, hours: f64) -> f64 {
        (self.per_hour + self.growth_after(hours)).max(0.0)
    }

    /// The part of it that is growth.
    pub fn growth_after(&self, hours: f64) -> f64 {
        // Growth is not carried on for longer than it was seen.
        let days = (hours / 24.0).min(self.history_days);
        let (least, most) = DRIFT_SHARES;
        (self.slope / 2.0 * (days + self.lag_days)).clamp(least * self.per_hour.max(0.0), most * self.per_hour.max(0.0))
    }

    /// Change per day of what is used a day.
    pub fn drift_per_day(&self) -> f64 {
        self.slope / 2.0 * 24.0
    }

    /// Standard deviation of the sum over so many average hours: of the errors to come, of what they do to the level, and of the
    /// level itself.
    pub fn deviation(&self, hours: f64) -> f64 {
        let m = hours / self.block_hours;
        let (later, a) = ((m - 1.0).max(0.0), self.smoothing);
        let sum = m + a * m * later + a * a * later * m * (2.0 * m - 1.0).max(0.0) / 6.0 + m * m / self.blocks.max(1.0);
        (self.variance * sum).max(self.variance_of_sums * m).sqrt()
    }
}

/// Blocks that end where the history ends.
fn blocks(amounts: &[f64], shares: &[f64], hours: usize) -> Vec<Block> {
    let skipped = amounts.len() % hours;
    let sums = |values: &[f64]| -> Vec<f64> {
        values.get(skipped..).unwrap_or_default().chunks(hours).map(|block| block.iter().sum()).collect()
    };
    sums(amounts).into_iter().zip(sums(shares)).map(|(amount, share)| Block { amount, share }).collect()
}

#[derive(Clone, Copy)]
struct Errors {
    level: f64,
    mean_square: f64,
    count: f64,
}

/// Errors of the sum of so many blocks `ahead`, per block, forecast from the blocks before them by discounted least squares
/// (Brown 1963): exponential smoothing that begins as a mean and heeds how busy a block ought to have been.
fn errors(blocks: &[Block], smoothing: f64, block_hours: f64, ahead: usize) -> Errors {
    let warm_up = (blocks.len() / 4).max(1);
    let (mut amount, mut share, mut squares, mut count) = (0.0, 0.0, 0.0, 0.0);
    for (index, block) in blocks.iter().enumerate() {
        if let Some(next) = blocks.get(index..index + ahead)
            && index >= warm_up
            && share > 0.0
        {
            let sum = |of: fn(&Block) -> f64| next.iter().map(of).sum::<f64>();
            let (next_amount, next_share) = (sum(|block| block.amount), sum(|block| block.share));
            let error = next_amount - amount / share * next_share;
            squares += error * error / (next_share / block_hours).max(SHARE_MIN);
            count += 1.0;
        }
        amount = amount * (1.0 - smoothing) + block.amount;
        share = share * (1.0 - smoothing) + block.share;
    }
    let level = if share > 0.0 { amount / share } else { 0.0 };
    // Without a single error nothing is known: as uncertain as it is large.
    let mean_square = if count > 0.0 { squares / count } else { (level * block_hours).powi(2) };
    Errors { level, mean_square, count }
}

/// A straight line through the days.
pub struct Trend {
    /// Change per day of the use of an average hour.
    slope: f64,
    mean: f64,
    mean_day: f64,
    skipped_hours: usize,
}

impl Trend {
    /// The amounts as they were on the mean day.
    pub fn removed_from(&self, amounts: &[f64]) -> Vec<f64> {
        let growth = |hour: usize| {
            let day = (hour as f64 - self.skipped_hours as f64 - 11.5) / 24.0;
            (1.0 + self.slope / self.mean * (day - self.mean_day)).max(SHARE_MIN)
        };
        amounts.iter().enumerate().map(|(hour, amount)| amount / growth(hour)).collect()
    }
}

/// The trend, where it stands out: least squares over days.
pub fn trend(amounts: &[f64], shares: &[f64], periods: Option<usize>) -> Option<Trend> {
    let days = blocks(amounts, shares, 24);
    if days.len() < DRIFT_DAYS_MIN {
        return None;
    }
    let points = || days.iter().enumerate().filter(|(_, day)| day.share > SHARE_MIN * 24.0);
    let weight: f64 = points().map(|(_, day)| day.share).sum();
    let mean_day = points().map(|(index, day)| index as f64 * day.share).sum::<f64>() / weight;
    let mean = points().map(|(_, day)| day.amount).sum::<f64>() / weight;
    let spread: f64 = points().map(|(index, day)| day.share * (index as f64 - mean_day).powi(2)).sum();
    let slope =
        points().map(|(index, day)| (index as f64 - mean_day) * (day.amount - mean * day.share)).sum::<f64>() / spread;
    let residual: f64 = points()
        .map(|(index, day)| {
            let fitted = (mean + slope * (index as f64 - mean_day)) * day.share;
            (day.amount - fitted).powi(2) / day.share
        })
        .sum();
    // The profile was fitted to the same days.
    let fitted = periods.map_or(0.0, |seen| 1.0 / seen as f64);
    let error = (residual / (points().count() as f64 * (1.0 - fitted) - 2.0) / spread).sqrt();
    // Rounding alone gives a constant series a slope; it is none.
    let matters = mean > 0.0 && slope.abs() * days.len() as f64 > mean * 1e-6;
    (slope.is_finite() && matters && slope.abs() > DRIFT_T_MIN * error).then_some(Trend {
        slope,
        mean,
        mean_day,
        skipped_hours: amounts.len() % 24,
    })
}
