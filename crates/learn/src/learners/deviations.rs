//! How far numbers lie from their mean, in standard deviations, as known so far: what learners that
//! look for jumps begin with.

use crate::{ConfigError, Features, Over, Time, check_count, math};

/// The largest magnitude that enters: no square, however often and with whatever weight it is
/// added, can overflow.
const VALUE_MAX: f64 = 1e140;

/// The largest weight that enters.
const WEIGHT_MAX: f64 = 1e12;

/// Nothing that is added up can be larger.
const SUM_MAX: f64 = 1e305;

/// When to begin, and what counts. Settings of each learner of deviations.
#[derive(Clone, Copy, Debug)]
pub(super) struct Since {
    pub(super) grace_period: u64,
    pub(super) half_life: Option<Over>,
}

/// Mean and deviation of some numbers, in words: how many records, their weight, the time of the
/// newest, then mean and squared distances of each number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Deviations {
    grace_period: u64,
    half_life: Option<Over>,
    /// What a weight keeps from one record to the next.
    kept_a_record: f64,
}

const COUNT: usize = 0;
const WEIGHT: usize = 1;
const TIME: usize = 2;

/// Words before those of the numbers.
pub(super) const HEAD: usize = 3;

/// Words of each number.
pub(super) const WORDS: usize = 2;

fn number(word: u64) -> f64 {
    f64::from_bits(word)
}

fn bounded(value: f64) -> f64 {
    value.clamp(-VALUE_MAX, VALUE_MAX)
}

/// What is left of 1 after `past`, if half is left after `half_life`.
fn halved(past: f64, half_life: u64) -> f64 {
    math::exp(-std::f64::consts::LN_2 * past / half_life as f64)
}

impl Deviations {
    /// Checks the settings.
    pub(super) fn new(since: Since) -> Result<Deviations, ConfigError> {
        let Since { grace_period, half_life } = since;
        check_count("grace_period", grace_period, 2, 1_000_000)?;
        if let Some(over @ (Over::Records(0..10) | Over::Time(0))) = half_life {
            return Err(ConfigError::new("half_life", over, "at least 10 records, or 1 ms"));
        }
        let kept_a_record = match half_life {
            Some(Over::Records(records)) => halved(1.0, records),
            _ => 1.0,
        };
        Ok(Deviations { grace_period, half_life, kept_a_record })
    }

    /// Whether there were enough records to say anything.
    pub(super) fn is_ready(&self, known: &[u64]) -> bool {
        known[COUNT] >= self.grace_period
    }

    /// How many deviations a value lies above its mean; `words` are those of its number. 0 while
    /// there is no deviation.
    pub(super) fn of(&self, known: &[u64], words: &[u64], value: f64) -> f64 {
        let degrees = number(known[WEIGHT]) - 1.0;
        let variance = number(words[1]) / degrees;
        if degrees > 0.0 && variance > 0.0 {
            (bounded(value) - number(words[0])) / variance.sqrt()
        } else {
            0.0
        }
    }

    /// Takes the time and the weight of a record in. Returns the weight of all so far, how much of
    /// what was known is left, and the weight it counts with.
    fn count(&self, known: &mut [u64], time: Time, weight: f64) -> Step {
        let kept = match self.half_life {
            None => 1.0,
            Some(Over::Records(_)) => self.kept_a_record,
            Some(Over::Time(_)) if known[COUNT] == 0 => 1.0,
            // A record that comes late weighs as much as the newest.
            Some(Over::Time(half_life)) => {
                halved(time.saturating_sub(known[TIME] as Time).max(0) as f64, half_life)
            }
        };
        if let Some(Over::Time(_)) = self.half_life {
            let before = if known[COUNT] == 0 { time } else { known[TIME] as Time };
            known[TIME] = before.max(time) as u64;
        }
        known[COUNT] = known[COUNT].saturating_add(1);
        let weight = weight.min(WEIGHT_MAX);
        let all = (number(known[WEIGHT]) * kept + weight).min(SUM_MAX);
        known[WEIGHT] = all.to_bits();
        Step { all, kept, weight }
    }

    /// Takes a record in; each of its numbers has so many words.
    pub(super) fn learn(&self, known: &mut [u64], each: usize, x: &Features<'_>, weight: f64) {
        let step = self.count(known, x.time, weight);
        for (words, value) in known[HEAD..].chunks_exact_mut(each).zip(x.dense) {
            step.add(words, *value);
        }
    }

    /// Whether words that were read can be; `is_right` tells it of those that a number has beside
    /// mean and deviation.
    pub(super) fn is_sound(
        &self,
        known: &[u64],
        each: usize,
        is_right: impl Fn(f64) -> bool,
    ) -> bool {
        let has_time = matches!(self.half_life, Some(Over::Time(_)));
        let is_sound = |words: &[u64]| {
            is_sound_number(words) && words[WORDS..].iter().all(|word| is_right(number(*word)))
        };
        (0.0..=SUM_MAX).contains(&number(known[WEIGHT]))
            && (has_time || known[TIME] == 0)
            && known[HEAD..].chunks_exact(each).all(is_sound)
    }
}

/// One record on its way in.
#[derive(Clone, Copy, Debug)]
struct Step {
    all: f64,
    kept: f64,
    weight: f64,
}

impl Step {
    /// Takes a value into the words of its number.
    fn add(&self, words: &mut [u64], value: f64) {
        let (mean, squares) = (number(words[0]), number(words[1]) * self.kept);
        let delta = bounded(value) - mean;
        // Nothing weighs anything, and nothing is known, where weights are far below one.
        let share = if self.all > 0.0 { (self.weight / self.all).min(1.0) } else { 0.0 };
        let moved = bounded(math::toward(mean, bounded(value), share));
        let more = self.weight * delta * (bounded(value) - moved);
        words[0] = moved.to_bits();
        words[1] = (squares + more).clamp(0.0, SUM_MAX).to_bits();
    }
}

/// Whether the words of a number can be.
fn is_sound_number(words: &[u64]) -> bool {
    number(words[0]).abs() <= VALUE_MAX && (0.0..=SUM_MAX).contains(&number(words[1]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(since: Since, values: &[(f64, Time)]) -> (Deviations, Vec<u64>) {
        let deviations = Deviations::new(since).unwrap();
        let mut known = vec![0; HEAD + WORDS];
        for (value, time) in values {
            let step = deviations.count(&mut known, *time, 1.0);
            step.add(&mut known[HEAD..], *value);
        }
        (deviations, known)
    }

    /// 1, 2, 3: mean 2, variance 1.
    #[test]
    fn a_value_lies_so_many_deviations_above_the_mean() {
        let since = Since { grace_period: 3, half_life: None };
        let (deviations, known) = known(since, &[(1.0, 0), (2.0, 0), (3.0, 0)]);
        assert!(deviations.is_ready(&known));
        assert_eq!(deviations.of(&known, &known[HEAD..], 4.5), 2.5);
    }

    /// After a half-life the past weighs half: (0.5 × 0 + 1 × 3) / 1.5 = 2.
    #[test]
    fn the_past_fades() {
        let half_life = Some(Over::Time(1000));
        let since = Since { grace_period: 3, half_life };
        let (deviations, known) = known(since, &[(0.0, 0), (3.0, 1000)]);
        assert!((number(known[HEAD]) - 2.0).abs() < 1e-12);
        assert!(!deviations.is_ready(&known));
        assert!(Deviations::new(Since { half_life: Some(Over::Records(9)), ..since }).is_err());
        assert!(Deviations::new(Since { grace_period: 1, ..since }).is_err());
    }
}
