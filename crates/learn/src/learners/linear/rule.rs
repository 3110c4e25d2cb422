//! How one gradient moves one weight, and how it moves a whole row of them.
//!
//! The same three formulas serve dense slots (arrays side by side, so that the loops become vector
//! instructions), hashed slots and the intercept. A move that would leave the finite numbers is not
//! made: the weight keeps what it had.

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
    pub(super) weight: Vec<f64>,
    pub(super) past: Vec<f64>,
    pub(super) lead: Vec<f64>,
}

/// A formula, ready for one example.
pub(super) trait Rule {
    /// Moves one weight: `u` is the feature, `gradient` the loss's by the answer.
    fn step(&self, cell: Cell, u: f64, gradient: f64) -> Cell;

    /// Moves the weights of the first `u.len()` dense slots.
    fn step_all(&self, cells: &mut Cells, u: &[f64], gradient: f64);

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
    fn weight(&self, old: f64, u: f64, gradient: f64) -> f64 {
        let new = shrink(old * self.keep - self.step * (gradient * u), self.cut);
        if new.is_finite() { new } else { old }
    }
}

impl Rule for SgdRule {
    fn step(&self, cell: Cell, u: f64, gradient: f64) -> Cell {
        Cell { weight: self.weight(cell.weight, u, gradient), ..cell }
    }

    fn step_all(&self, cells: &mut Cells, u: &[f64], gradient: f64) {
        for (weight, u) in cells.weight.iter_mut().zip(u) {
            *weight = self.weight(*weight, *u, gradient);
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
        let slope = gradient * u;
        let sum = past + slope * slope;
        let step = self.step / (sum + ADAGRAD_FLOOR).sqrt();
        let kept = 1.0 - step * self.l2;
        let kept = if kept > 0.0 { kept } else { 0.0 };
        let new = shrink(old * kept - step * slope, step * self.l1);
        if (new + sum).is_finite() { (new, sum) } else { (old, past) }
    }
}

impl Rule for AdaGradRule {
    fn step(&self, cell: Cell, u: f64, gradient: f64) -> Cell {
        let (weight, past) = self.next(cell.weight, cell.past, u, gradient);
        Cell { weight, past, ..cell }
    }

    fn step_all(&self, cells: &mut Cells, u: &[f64], gradient: f64) {
        for ((weight, past), u) in cells.weight.iter_mut().zip(&mut cells.past).zip(u) {
            (*weight, *past) = self.next(*weight, *past, *u, gradient);
        }
    }

    fn without_pull(&self) -> AdaGradRule {
        AdaGradRule { step: self.step, l1: 0.0, l2: 0.0 }
    }
}

/// FTRL-Proximal; algorithm 1 of the paper with the weight computed when `z` changes instead of when
/// it is next needed, and the root of `n` kept in place of `n`, which saves a root.
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
        let slope = gradient * u;
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
    fn step(&self, cell: Cell, u: f64, gradient: f64) -> Cell {
        self.next(cell, u, gradient)
    }

    fn step_all(&self, cells: &mut Cells, u: &[f64], gradient: f64) {
        let cells = cells.weight.iter_mut().zip(&mut cells.past).zip(&mut cells.lead);
        for (((weight, past), lead), u) in cells.zip(u) {
            let cell = Cell { weight: *weight, past: *past, lead: *lead };
            Cell { weight: *weight, past: *past, lead: *lead } = self.next(cell, *u, gradient);
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
        let row = || Cells { weight: vec![0.5; 5], past: vec![2.0; 5], lead: vec![-1.0; 5] };
        let u = [1.0, -2.0, 0.0, 0.25, 1e300];
        fn check(rule: &impl Rule, mut cells: Cells, u: &[f64]) {
            let old = Cell { weight: 0.5, past: 2.0, lead: -1.0 };
            rule.step_all(&mut cells, u, 0.75);
            for (slot, u) in u.iter().enumerate() {
                let one = rule.step(old, *u, 0.75);
                assert_eq!(
                    (cells.weight[slot], cells.past[slot], cells.lead[slot]),
                    (one.weight, one.past, one.lead)
                );
                assert!(one.weight.is_finite() && one.past.is_finite() && one.lead.is_finite());
            }
        }
        check(&SgdRule { step: 0.1, keep: 0.9, cut: 0.01 }, row(), &u);
        check(&AdaGradRule { step: 0.1, l1: 0.1, l2: 0.1 }, row(), &u);
        let (alpha, alpha_inverse, base, beta, l1) = (0.5, 2.0, 1.5, 1.0, 0.1);
        check(&FtrlRule { alpha, alpha_inverse, base, beta, l1 }, row(), &u);
    }
}
