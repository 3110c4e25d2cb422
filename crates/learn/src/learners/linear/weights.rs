//! All the weights of a linear learner: of dense slots, of hashed slots, and the intercept.

use super::{
    AdaGrad, Config, Ftrl, Optimizer, Sgd,
    numbers::{Numbers, Quad},
    read_number,
    rule::{AdaGradRule, Cell, Cells, FtrlRule, Rule, SgdRule},
    table::Table,
};
use crate::{Pair, Reader, Shape, StateError, Writer};

/// The weights. Invariant: every number is finite.
#[derive(Clone, Debug)]
pub(super) struct Weights {
    optimizer: Optimizer,
    l1: f64,
    l2: f64,
    cells: Cells,
    table: Table,
    intercept: Cell,
    mode: Intercept,
}

/// How the intercept learns.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Intercept {
    None,
    /// As a feature that is always 1.
    Feature,
    /// By plain gradient descent with this step.
    Plain(f64),
}

/// One example on its way into the weights.
#[derive(Clone, Copy)]
pub(super) struct Example<'a> {
    /// The dense slots, scaled.
    pub(super) u: &'a [Quad],
    /// The hashed features as they are.
    pub(super) sparse: &'a [Pair],
    /// How the loss rises with the answer.
    pub(super) gradient: f64,
    /// How much the example counts, above 0.
    pub(super) weight: f64,
}

/// How far one example may move the answer.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pace {
    /// As far as step and gradient say.
    Textbook,
    /// Fitted to the size of the examples.
    Normalized {
        /// 1 / the mean squared size of an example; `t / N` in the paper.
        share: f64,
        /// 1 / the squared size of this example.
        most: f64,
        /// 1 / the loss's greatest curvature.
        stretch: f64,
    },
}

impl Weights {
    pub(super) fn new(config: &Config, shape: &Shape) -> Weights {
        let slots = shape.dense.len();
        let (past, lead) = match config.optimizer {
            Optimizer::Sgd(_) => (0, 0),
            Optimizer::AdaGrad(_) => (slots, 0),
            Optimizer::Ftrl(_) => (slots, slots),
        };
        let zeros = Numbers::zeros;
        Weights {
            optimizer: config.optimizer.clone(),
            l1: config.l1,
            l2: config.l2,
            cells: Cells { weight: zeros(slots), past: zeros(past), lead: zeros(lead) },
            table: Table::new(shape.sparse_size, config.normalized),
            intercept: Cell::default(),
            mode: match config.intercept_step {
                _ if !config.intercept => Intercept::None,
                Some(step) => Intercept::Plain(step),
                None => Intercept::Feature,
            },
        }
    }

    /// The weights of the dense slots.
    #[inline]
    pub(super) fn dense(&self) -> &Numbers {
        &self.cells.weight
    }

    /// What is added to the dense slots' part of the answer.
    #[inline]
    pub(super) fn beside(&self, sparse: &[Pair]) -> f64 {
        self.table.dot(sparse) + self.intercept.weight
    }

    /// Takes in how large the hashed features are. Returns what is added to the dense slots' part
    /// of the answer, and of the example's squared size.
    #[inline]
    pub(super) fn observe(&mut self, sparse: &[Pair]) -> (f64, f64) {
        let (dot, size) = self.table.observe(sparse);
        let one = if self.mode == Intercept::Feature { 1.0 } else { 0.0 };
        (dot + self.intercept.weight, size + one)
    }

    /// Moves every weight that takes part in the example.
    #[inline]
    pub(super) fn learn(&mut self, example: Example<'_>, pace: Pace) {
        let Example { gradient, weight, .. } = example;
        let weighted = gradient * weight;
        match self.optimizer {
            Optimizer::Sgd(Sgd { step }) => {
                let (step, gradient, pulled) = match pace {
                    Pace::Textbook => (step, weighted, step * weight),
                    // Never beyond the truth, however large the example or its weight.
                    Pace::Normalized { share, most, stretch } => {
                        let step = (step * share * weight).min(most) * stretch;
                        (step, gradient, step)
                    }
                };
                let keep = (1.0 - pulled * self.l2).max(0.0);
                let cut = pulled * self.l1;
                self.apply(&SgdRule { step, keep, cut }, example, gradient);
            }
            Optimizer::AdaGrad(AdaGrad { step }) => {
                let step = match pace {
                    Pace::Textbook => step,
                    Pace::Normalized { share, .. } => step * share.sqrt(),
                };
                let rule = AdaGradRule { step, l1: self.l1 * weight, l2: self.l2 * weight };
                self.apply(&rule, example, weighted);
            }
            Optimizer::Ftrl(Ftrl { alpha, beta, l1, l2 }) => {
                let (alpha_inverse, base) = (1.0 / alpha, beta + alpha * l2);
                let rule = FtrlRule { alpha, alpha_inverse, base, beta, l1 };
                self.apply(&rule, example, weighted);
            }
        }
        if let Intercept::Plain(step) = self.mode {
            self.intercept.weight -= step * weighted;
        }
    }

    #[inline]
    fn apply<R: Rule>(&mut self, rule: &R, example: Example<'_>, gradient: f64) {
        rule.step_all(&mut self.cells, example.u, gradient);
        self.table.step_all(rule, example.sparse, gradient);
        if self.mode == Intercept::Feature {
            self.intercept = rule.without_pull().step(self.intercept, 1.0, gradient);
        }
    }

    pub(super) fn save(&self, to: &mut Writer) {
        for value in [self.intercept.weight, self.intercept.past, self.intercept.lead] {
            to.f64(value);
        }
        for numbers in [&self.cells.weight, &self.cells.past, &self.cells.lead] {
            numbers.save(to);
        }
        self.table.save(to);
    }

    pub(super) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        let any = f64::MIN;
        self.intercept = Cell {
            weight: read_number(from, any)?,
            past: read_number(from, 0.0)?,
            lead: read_number(from, any)?,
        };
        self.cells.weight.restore(from, any)?;
        self.cells.past.restore(from, 0.0)?;
        self.cells.lead.restore(from, any)?;
        self.table.restore(from)
    }

    /// The memory on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        let Cells { weight, past, lead } = &self.cells;
        let cells: usize = [weight, past, lead].map(Numbers::heap_bytes).iter().sum();
        cells + self.table.heap_bytes()
    }
}
