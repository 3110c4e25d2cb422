//! A learning curve that fits a line of the terminal.

use crate::{Reader, StateError, Writer};

/// The most points there are.
const POINTS_MAX: usize = 64;

/// A figure, noted down again and again: at first after each record, then after every second, every
/// fourth and so on, so that 32 to 64 points span the whole stream. Which records they stand for
/// depends on the number of records alone.
#[derive(Clone, Debug)]
pub struct Curve {
    /// Records from one point to the next: a power of two.
    every: u64,
    counted: u64,
    points: Vec<Option<f64>>,
}

impl Default for Curve {
    fn default() -> Curve {
        Curve { every: 1, counted: 0, points: Vec::with_capacity(POINTS_MAX) }
    }
}

impl Curve {
    /// The figures: the first after [`Curve::every`] records, the next after twice as many. `None`
    /// where there was no figure.
    pub fn points(&self) -> &[Option<f64>] {
        &self.points
    }

    /// How many records lie between two points.
    pub fn every(&self) -> u64 {
        self.every
    }

    /// How many records were counted.
    pub(super) fn counted(&self) -> u64 {
        self.counted
    }

    /// How many records lie between now and the next figure: 1 or more.
    pub(super) fn until_point(&self) -> u64 {
        self.every - self.counted % self.every
    }

    /// Counts records, no more than lie before the next figure, and notes that down if it is time.
    pub(super) fn count(&mut self, records: u64, figure: impl FnOnce() -> Option<f64>) {
        self.counted += records;
        if !self.counted.is_multiple_of(self.every) {
            return;
        }
        if self.points.len() < POINTS_MAX {
            self.points.push(figure());
            return;
        }
        // The points after 2, 4, 6 ... steps are the points after 1, 2, 3 ... steps twice as long.
        for place in 0..POINTS_MAX / 2 {
            self.points[place] = self.points[2 * place + 1];
        }
        self.points.truncate(POINTS_MAX / 2);
        self.every *= 2;
    }

    pub(super) fn heap_bytes(&self) -> usize {
        self.points.capacity() * size_of::<Option<f64>>()
    }

    pub(super) fn save(&self, to: &mut Writer) {
        to.u64(self.every);
        to.u64(self.counted);
        to.len(self.points.len());
        self.points.iter().for_each(|point| to.option_f64(*point));
    }

    pub(super) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        (self.every, self.counted) = (from.u64()?, from.u64()?);
        let count = from.len(1)?;
        let is_right = self.every.is_power_of_two()
            && count <= POINTS_MAX
            && self.counted <= u64::MAX >> 1
            && self.counted / self.every >= count as u64
            && self.counted / self.every - count as u64 <= 1;
        if !is_right {
            return Err(StateError::Unfit { what: "a curve that does not span its records" });
        }
        self.points.clear();
        for _ in 0..count {
            let point = from.option_f64()?;
            if point.is_some_and(|value| !value.is_finite()) {
                return Err(StateError::Unfit { what: "a point of a curve that is no number" });
            }
            self.points.push(point);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_points_lie_evenly_at_every_length() {
        let mut curve = Curve::default();
        for record in 1..=5_000u64 {
            curve.count(1, || Some(record as f64));
            let every = curve.every();
            let count = curve.points().len() as u64;
            let expected = (1..=count).map(|point| Some((point * every) as f64));
            assert!(curve.points().iter().copied().eq(expected), "after {record} records");
            assert!(record < 64 || (32..=64).contains(&count), "{count} points");
            assert!(record - count * every <= every);
        }
    }
}
