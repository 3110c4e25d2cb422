//! All the weights of a linear learner: of dense slots, of hashed slots, and the intercept.

use super::{
    AdaGrad, Config, Ftrl, GRADIENT_MAX, Optimizer, Sgd, read_number, read_numbers,
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
pub(super) struct Example<'a> {
    /// The dense slots, scaled.
    pub(super) u: &'a [f64],
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
        /// The loss's greatest curvature.
        curvature: f64,
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
        let zeros = |count| vec![0.0; count];
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
    pub(super) fn dense(&self) -> &[f64] {
        &self.cells.weight
    }

    /// What is added to the dense slots' part of the answer.
    pub(super) fn beside(&self, sparse: &[Pair]) -> f64 {
        self.table.dot(sparse) + self.intercept.weight
    }

    /// Takes in how large the hashed features are. Returns what is added to the dense slots' part of
    /// the answer, and of the example's squared size.
    pub(super) fn observe(&mut self, sparse: &[Pair]) -> (f64, f64) {
        let (dot, size) = self.table.observe(sparse);
        let one = if self.mode == Intercept::Feature { 1.0 } else { 0.0 };
        (dot + self.intercept.weight, size + one)
    }

    /// Moves every weight that takes part in the example.
    pub(super) fn learn(&mut self, example: &Example<'_>, pace: Pace) {
        let Example { gradient, weight, .. } = *example;
        let weighted = (gradient * weight).clamp(-GRADIENT_MAX, GRADIENT_MAX);
        let pull = |setting: f64| (setting * weight).min(GRADIENT_MAX);
        match self.optimizer {
            Optimizer::Sgd(Sgd { step }) => {
                let (step, gradient, pulled) = match pace {
                    Pace::Textbook => (step, weighted, step * weight),
                    // Never beyond the truth, however large the example or its weight.
                    Pace::Normalized { share, most, curvature } => {
                        let step = (step * share * weight).min(most) / curvature;
                        (step, gradient, step)
                    }
                };
                let keep = (1.0 - pulled * self.l2).max(0.0);
                let cut = (pulled * self.l1).min(GRADIENT_MAX);
                self.apply(&SgdRule { step, keep, cut }, example, gradient);
            }
            Optimizer::AdaGrad(AdaGrad { step }) => {
                let step = match pace {
                    Pace::Textbook => step,
                    Pace::Normalized { share, .. } => step * share.sqrt(),
                };
                let rule = AdaGradRule { step, l1: pull(self.l1), l2: pull(self.l2) };
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

    fn apply<R: Rule>(&mut self, rule: &R, example: &Example<'_>, gradient: f64) {
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
        for values in [&self.cells.weight, &self.cells.past, &self.cells.lead] {
            to.f64s(values);
        }
        self.table.save(to);
    }

    pub(super) fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        self.intercept =
            Cell { weight: read_number(from)?, past: read_number(from)?, lead: read_number(from)? };
        for values in [&mut self.cells.weight, &mut self.cells.past, &mut self.cells.lead] {
            read_numbers(values, from)?;
        }
        self.table.restore(from)
    }

    /// The memory on the heap.
    pub(super) fn heap_bytes(&self) -> usize {
        [&self.cells.weight, &self.cells.past, &self.cells.lead]
            .iter()
            .map(|values| size_of_val(values.as_slice()))
            .sum::<usize>()
            + self.table.heap_bytes()
    }
}
