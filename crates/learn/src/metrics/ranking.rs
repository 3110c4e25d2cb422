//! How "yes" and "no" are spread over the scores: what metrics of a ranking are made of.
//!
//! A score is rounded, and what has the same score then is a tie. A score at or below one half
//! keeps its exponent and the first six bits behind the point of its mantissa, one above one half
//! those of its distance to 1: so both ends, where scores crowd, are told apart by their ratio. Two
//! scores in one place differ by less than a 64th of the larger of their distances to the nearer
//! end, or lie both within 2^-33 of it. No outcome is ever forgotten, and the order of outcomes
//! does not matter beyond the rounding of weights that are no whole numbers.

use super::{
    classes::check_two_classes,
    sums::{read_bounded, weight},
};
use crate::{ConfigError, Outcome, Reader, Shape, StateError, Writer, check_number};

/// Bits of the mantissa that are kept.
const BITS: u32 = 6;

/// Scores closer to an end than this are in the last place at that end.
const NEAREST: f64 = 1.0 / (1u64 << 33) as f64;

/// Places at or below one half: from 2^-33 on 32 times 64 and the half itself, and what is nearer.
const LOWER: usize = 32 * 64 + 2;

/// All places; one half itself has no counterpart above.
const PLACES: usize = 2 * LOWER - 1;

/// The place of a distance to an end, from 0 to one half.
fn place_from_end(distance: f64) -> usize {
    let kept = |value: f64| (value.to_bits() >> (52 - BITS)) as usize;
    if distance < NEAREST { 0 } else { 1 + kept(distance) - kept(NEAREST) }
}

/// The place of a score, the lowest first. What is no number is the lowest.
fn place(score: f64) -> usize {
    match score {
        _ if score > 0.5 => PLACES - 1 - place_from_end(1.0 - score.min(1.0)),
        _ if score > 0.0 => place_from_end(score),
        _ => 0,
    }
}

/// The weights of the outcomes in one place.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Tie {
    pub(super) yes: f64,
    pub(super) no: f64,
}

impl Tie {
    pub(super) fn all(&self) -> f64 {
        self.yes + self.no
    }
}

/// Checks which share of the outcomes are alerts.
pub(super) fn check_share(share: f64) -> Result<f64, ConfigError> {
    let is_right = |share| share > 0.0 && share <= 1.0;
    check_number("share", share, "above 0 and at most 1", is_right)
}

/// The spread. Invariant: `ties` has [`PLACES`] entries, all weights finite and 0 or more.
#[derive(Clone, Debug)]
pub(super) struct Ranking {
    ties: Box<[Tie]>,
}

impl Ranking {
    /// For a metric of that name, which needs a label of two classes.
    pub(super) fn new(metric: &str, shape: &Shape) -> Result<Ranking, ConfigError> {
        check_two_classes(metric, shape)?;
        Ok(Ranking { ties: vec![Tie::default(); PLACES].into() })
    }

    pub(super) fn add(&mut self, outcome: &Outcome) {
        if let Some(weight) = weight(outcome) {
            let tie = &mut self.ties[place(outcome.second)];
            let side = if outcome.truth == 1.0 { &mut tie.yes } else { &mut tie.no };
            *side += weight;
        }
    }

    /// The places that hold outcomes, the highest score first.
    pub(super) fn ties(&self) -> impl Iterator<Item = &Tie> {
        self.ties.iter().rev().filter(|tie| tie.all() > 0.0)
    }

    /// The weights of all outcomes.
    pub(super) fn whole(&self) -> Tie {
        self.ties().fold(Tie::default(), |whole, tie| Tie {
            yes: whole.yes + tie.yes,
            no: whole.no + tie.no,
        })
    }

    /// The "yes" among the share of outcomes with the highest scores. Of a tie at the edge that
    /// part counts which fits.
    pub(super) fn found(&self, share: f64) -> f64 {
        let mut left = share * self.whole().all();
        let mut yes = 0.0;
        for tie in self.ties() {
            if tie.all() >= left {
                return yes + left * (tie.yes / tie.all());
            }
            yes += tie.yes;
            left -= tie.all();
        }
        yes
    }

    pub(super) fn heap_bytes(&self) -> usize {
        size_of_val(&*self.ties)
    }

    /// Writes the places that hold outcomes.
    pub(super) fn save(&self, to: &mut Writer) {
        to.len(self.ties().count());
        for (place, tie) in (0u32..).zip(&self.ties).filter(|(_, tie)| tie.all() > 0.0) {
            to.u32(place);
            to.f64(tie.yes);
            to.f64(tie.no);
        }
    }

    pub(super) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        self.ties.fill(Tie::default());
        let count = from.len(20)?;
        let mut next = 0;
        for _ in 0..count {
            let place = from.u32()? as usize;
            let tie = Tie { yes: read_bounded(from)?, no: read_bounded(from)? };
            let is_right = (next..PLACES).contains(&place)
                && tie.yes >= 0.0
                && tie.no >= 0.0
                && tie.all() > 0.0;
            if !is_right {
                return Err(StateError::Unfit { what: "a ranking has a place that cannot be" });
            }
            self.ties[place] = tie;
            next = place + 1;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::math::random_unit;

    #[test]
    fn places_rise_with_the_scores() {
        let ends = [f64::NAN, -1.0, 0.0, 5e-324, NEAREST / 2.0];
        assert!(ends.iter().all(|score| place(*score) == 0));
        assert_eq!(place(NEAREST), 1);
        assert_eq!((place(0.5), place(0.5f64.next_up())), (LOWER - 1, LOWER));
        assert_eq!((place(1.0), place(f64::INFINITY)), (PLACES - 1, PLACES - 1));
        let mut scores: Vec<f64> = (0..5000).map(|index| random_unit(1, index)).collect();
        scores.extend((0..2000).map(|index| 1.0 / f64::from(index * index + 1)));
        scores.sort_by(f64::total_cmp);
        assert!(scores.iter().map(|score| place(*score)).is_sorted());
    }

    #[test]
    fn a_tie_is_narrower_than_a_64th_of_the_distance_to_the_nearer_end() {
        for pair in 0..20_000 {
            let (a, far) = (random_unit(2, pair), random_unit(3, pair));
            let b = a * (1.0 + 0.03 * far);
            let to_end = |score: f64| score.min(1.0 - score);
            if b < 1.0 && place(a) == place(b) {
                assert!((a - b).abs() < to_end(a).max(to_end(b)) / 64.0, "{a} and {b}");
            }
        }
    }
}
