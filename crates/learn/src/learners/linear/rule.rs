//! How one gradient moves one weight, and how it moves a whole row of them.
//!
//! The same three formulas serve dense slots (arrays side by side, so that the loops become vector
//! instructions), hashed slots and the intercept. Features and gradients are bounded where they
//! enter (see `SIZE_MAX`), so gradient descent and AdaGrad cannot leave the finite numbers. FTRL
//! could where it divides by nearly 0; it does not make such a move.

use std::array::from_fn;

use super::{
    SIZE_MAX,
    numbers::{Numbers, Quad, bound},
};

/// One weight with what its optimizer remembers of its past.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Cell {
    /// The weight.
    pub(super) weight: f64,
    /// AdaGrad: the sum of squared gradients. FTRL: the root of that sum.
    pub(super) past: f64,
    /// FTRL: the sum of gradients, less what the weight already answered; `z` in the paper.
    pub(super) lead: f64,
}

/// The weights of the dense slots, in arrays side by side. Arrays the optimizer has no use for are
/// empty, the others have one entry a slot.
#[derive(Clone, Debug)]
pub(super) struct Cells {
    pub(super) weight: Numbers,
    pub(super) past: Numbers,
    pub(super) lead: Numbers,
}

/// A formula, ready for one example.
pub(super) trait Rule {
    /// Moves one weight: `u` is the feature, `gradient` the loss's by the answer.
    fn step(&self, cell: Cell, u: f64, gradient: f64) -> Cell;

    /// Moves the weights of all dense slots.
    fn step_all(&self, cells: &mut Cells, u: &[Quad], gradient: f64);

    /// The same without pull towards 0: for the intercept.
    fn without_pull(&self) -> Self;
}

/// Moves a weight towards 0 by `cut`, but not beyond.
#[inline(always)]
fn shrink(value: f64, cut: f64) -> f64 {
    let size = value.abs() - cut;
    if size > 0.0 { size.copysign(value) } else { 0.0 }
}

/// Gradient descent: `w - step g u`, then the pulls.
#[derive(Clone, Copy, Debug)]
pub(super) struct SgdRule {
    pub(super) step: f64,
    /// What `l2` leaves of a weight: `1 - step l2`, at least 0.
    pub(super) keep: f64,
    /// What `l1` cuts off: `step l1`.
    pub(super) cut: f64,
}

impl SgdRule {
    #[inline(always)]
    fn pushed(&self, old: f64, u: f64, gradient: f64) -> f64 {
        // In this order only one product waits for the gradient.
        old * self.keep - (self.step * bound(u, SIZE_MAX)) * gradient
    }
}

impl Rule for SgdRule {
    #[inline]
    fn step(&self, cell: Cell, u: f64, gradient: f64) -> Cell {
        Cell { weight: shrink(self.pushed(cell.weight, u, gradient), self.cut), ..cell }
    }

    #[inline]
    fn step_all(&self, cells: &mut Cells, u: &[Quad], gradient: f64) {
        for (weight, u) in cells.weight.quads_mut().iter_mut().zip(u) {
            assert!(weight[0].is_finite(), "a weight is finite");
            let new: Quad = from_fn(|slot| self.pushed(weight[slot], u[slot], gradient));
            *weight = if self.cut > 0.0 { new.map(|new| shrink(new, self.cut)) } else { new };
        }
    }

    fn without_pull(&self) -> SgdRule {
        SgdRule { step: self.step, keep: 1.0, cut: 0.0 }
    }
}

/// Keeps the first AdaGrad step of a gradient of 0 from dividing by 0.
const ADAGRAD_FLOOR: f64 = 1e-8;

/// AdaGrad: `w - step g u / sqrt(sum of (g u)^2)`, then the pulls at the same step.
#[derive(Clone, Copy, Debug)]
pub(super) struct AdaGradRule {
    pub(super) step: f64,
    pub(super) l1: f64,
    pub(super) l2: f64,
}

impl AdaGradRule {
    #[inline(always)]
    fn next(&self, old: f64, past: f64, u: f64, gradient: f64) -> (f64, f64) {
        let slope = gradient * bound(u, SIZE_MAX);
        let sum = past + slope * slope;
        let step = self.step / (sum + ADAGRAD_FLOOR).sqrt();
        let kept = 1.0 - step * self.l2;
        let kept = if kept > 0.0 { kept } else { 0.0 };
        (shrink(old * kept - step * slope, step * self.l1), sum)
    }
}

impl Rule for AdaGradRule {
    #[inline]
    fn step(&self, cell: Cell, u: f64, gradient: f64) -> Cell {
        let (weight, past) = self.next(cell.weight, cell.past, u, gradient);
        Cell { weight, past, ..cell }
    }

    #[inline]
    fn step_all(&self, cells: &mut Cells, u: &[Quad], gradient: f64) {
        let known = cells.weight.quads_mut().iter_mut().zip(cells.past.quads_mut());
        for ((weight, past), u) in known.zip(u) {
            assert!(weight[0].is_finite(), "a weight is finite");
            let next: [(f64, f64); 4] =
                from_fn(|slot| self.next(weight[slot], past[slot], u[slot], gradient));
            *weight = next.map(|next| next.0);
            *past = next.map(|next| next.1);
        }
    }

    fn without_pull(&self) -> AdaGradRule {
        AdaGradRule { step: self.step, l1: 0.0, l2: 0.0 }
    }
}

/// FTRL-Proximal; algorithm 1 of the paper with the weight computed when `z` changes instead of
/// when it is next needed, and the root of `n` kept in place of `n`, which saves a root.
#[derive(Clone, Copy, Debug)]
pub(super) struct FtrlRule {
    pub(super) alpha: f64,
    /// `1 / alpha`.
    pub(super) alpha_inverse: f64,
    /// `beta + alpha l2`: the paper's denominator, times `alpha`, without the root.
    pub(super) base: f64,
    pub(super) beta: f64,
    pub(super) l1: f64,
}

impl FtrlRule {
    #[inline(always)]
    fn next(&self, cell: Cell, u: f64, gradient: f64) -> Cell {
        let slope = gradient * bound(u, SIZE_MAX);
        let past = (cell.past * cell.past + slope * slope).sqrt();
        let sigma = (past - cell.past) * self.alpha_inverse;
        let lead = cell.lead + (slope - sigma * cell.weight);
        let weight = -self.alpha * shrink(lead, self.l1) / (self.base + past);
        let finite = (weight + past + lead).is_finite();
        Cell {
            weight: if finite { weight } else { cell.weight },
            past: if finite { past } else { cell.past },
            lead: if finite { lead } else { cell.lead },
        }
    }
}

impl Rule for FtrlRule {
    #[inline]
    fn step(&self, cell: Cell, u: f64, gradient: f64) -> Cell {
        self.next(cell, u, gradient)
    }

    #[inline]
    fn step_all(&self, cells: &mut Cells, u: &[Quad], gradient: f64) {
        let known = cells.weight.quads_mut().iter_mut().zip(cells.past.quads_mut());
        for (((weight, past), lead), u) in known.zip(cells.lead.quads_mut()).zip(u) {
            assert!(weight[0].is_finite(), "a weight is finite");
            let next: [Cell; 4] = from_fn(|slot| {
                let cell = Cell { weight: weight[slot], past: past[slot], lead: lead[slot] };
                self.next(cell, u[slot], gradient)
            });
            *weight = next.map(|next| next.weight);
            *past = next.map(|next| next.past);
            *lead = next.map(|next| next.lead);
        }
    }

    fn without_pull(&self) -> FtrlRule {
        FtrlRule { base: self.beta, l1: 0.0, ..*self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gradient_descent_moves_by_step_times_slope_and_then_pulls() {
        let rule = SgdRule { step: 0.5, keep: 0.75, cut: 0.25 };
        let cell = rule.step(Cell { weight: 4.0, ..Cell::default() }, 2.0, 1.5);
        assert_eq!(cell.weight, 4.0 * 0.75 - 0.5 * 3.0 - 0.25);
        assert_eq!(rule.without_pull().step(Cell::default(), 2.0, 1.5).weight, -1.5);
        let nothing = rule.step(Cell { weight: 0.2, ..Cell::default() }, 0.0, 1.0);
        assert_eq!(nothing.weight, 0.0, "a weight below the cut is cut to exactly 0");
    }

    /// Slopes 3 then 4: the sums of squares are 9 and 25, so the steps are 3/3 and 4/5.
    #[test]
    fn adagrad_divides_by_the_root_of_the_sum_of_squares() {
        let rule = AdaGradRule { step: 1.0, l1: 0.0, l2: 0.0 };
        let first = rule.step(Cell::default(), 3.0, 1.0);
        let second = rule.step(first, 2.0, 2.0);
        assert!((first.weight + 1.0).abs() < 1e-8);
        assert!((second.weight + 1.8).abs() < 1e-8);
        assert_eq!(second.past, 25.0);
    }

    /// Slope 3, alpha 0.5, beta 1, l1 1, l2 2: z = 3, w = -(3 - 1) / ((1 + 3) / 0.5 + 2) = -0.2.
    /// Then slope 4: sigma = (5 - 3) / 0.5 = 4, z = 3 + 4 + 0.8 = 7.8, w = -6.8 / (6 / 0.5 + 2).
    #[test]
    fn ftrl_follows_the_paper() {
        let (alpha, alpha_inverse, beta, l1) = (0.5, 2.0, 1.0, 1.0);
        let rule = FtrlRule { alpha, alpha_inverse, base: beta + alpha * 2.0, beta, l1 };
        let first = rule.step(Cell::default(), 3.0, 1.0);
        assert!((first.weight + 0.2).abs() < 1e-15 && first.lead == 3.0 && first.past == 3.0);
        let second = rule.step(first, 2.0, 2.0);
        assert!((second.lead - 7.8).abs() < 1e-15 && second.past == 5.0);
        assert!((second.weight + 6.8 / 14.0).abs() < 1e-15);
        let weak = rule.step(Cell::default(), 0.5, 1.0);
        assert_eq!(weak.weight, 0.0, "evidence below l1 leaves the weight at exactly 0");
    }

    #[test]
    fn a_row_moves_as_each_of_its_weights() {
        let row = |value| {
            let mut numbers = Numbers::zeros(5);
            numbers.fill(&[value; 5]);
            numbers
        };
        let u = [[1.0, -2.0, 0.0, 0.25], [1e300, 0.0, 0.0, 0.0]];
        let check = |rule: &dyn Fn(&mut Cells), step: &dyn Fn(Cell, f64) -> Cell| {
            let mut cells = Cells { weight: row(0.5), past: row(2.0), lead: row(-1.0) };
            rule(&mut cells);
            let old = Cell { weight: 0.5, past: 2.0, lead: -1.0 };
            for (slot, u) in u.as_flattened()[..5].iter().enumerate() {
                let [weight, past, lead] =
                    [&cells.weight, &cells.past, &cells.lead].map(|numbers| numbers.all()[slot]);
                assert_eq!(Cell { weight, past, lead }, step(old, *u));
                assert!(weight.is_finite() && past.is_finite() && lead.is_finite());
            }
            for numbers in [cells.weight, cells.past, cells.lead] {
                assert_eq!(numbers.padded()[5..], [0.0; 3]);
            }
        };
        for cut in [0.0, 0.01] {
            let rule = SgdRule { step: 0.1, keep: 0.9, cut };
            check(&|cells| rule.step_all(cells, &u, 0.75), &|cell, u| rule.step(cell, u, 0.75));
        }
        let rule = AdaGradRule { step: 0.1, l1: 0.1, l2: 0.1 };
        check(&|cells| rule.step_all(cells, &u, 0.75), &|cell, u| rule.step(cell, u, 0.75));
        let (alpha, alpha_inverse, base, beta, l1) = (0.5, 2.0, 0.0, 0.0, 0.1);
        let rule = FtrlRule { alpha, alpha_inverse, base, beta, l1 };
        check(&|cells| rule.step_all(cells, &u, 0.75), &|cell, u| rule.step(cell, u, 0.75));
    }
}
