//! How many of the "yes" are found if a fixed share of the outcomes can be looked at.
//!
//! The outcomes are ranked by the probability of "yes"; the `share` of them with the highest are
//! the alerts. The figure is the share of all "yes" that are among the alerts.
//!
//! - Task: class, two of them. Range 0 to 1, higher is better; `share` is chance. No value before
//!   the first "yes".
//! - The share is of the outcomes that are judged: of all so far, or of those in the window. Where
//!   it is no whole number of outcomes, the last one counts in part.
//! - Bounds: probabilities are rounded to a 64th of their distance to 0 or 1, whichever is nearer
//!   (see `ranking`), and what is equal then is a tie. Of a tie at the edge that part counts as
//!   alerts which fits, with the share of "yes" of the whole tie: so the figure is exact but for
//!   that one tie.
//! - Cost: constant time an outcome, 64 KiB of memory; 4,099 places are gone through when it is
//!   read.
//! - Not for: comparing streams with different shares of "yes": where there are more of them than
//!   alerts, not even a perfect ranking reaches 1.
//! - Source: C. D. Manning, P. Raghavan and H. Schütze, "Introduction to Information Retrieval",
//!   2008, section 8.4 (recall at the top of a ranking).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    About, MetricComponent,
    classes::share,
    ranking::{Ranking, check_share},
};
use crate::{Component, ConfigError, Metric, Outcome, Reader, Shape, State, StateError, Writer};

/// Settings of [`RecallAt`]. A bare number is `share`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
#[schemars(extend("x-short" = "share"))]
pub struct Config {
    /// Which share of the outcomes are alerts. Range: above 0 and at most 1. Default: 0.01, one in
    /// a hundred. Raise it where more alerts can be looked at; the figure rises with it.
    pub share: f64,
}

impl Default for Config {
    fn default() -> Config {
        Config { share: 0.01 }
    }
}

/// The metric.
#[derive(Clone, Debug)]
pub struct RecallAt {
    share: f64,
    ranking: Ranking,
}

impl Component for RecallAt {
    const NAME: &'static str = "recall_at";
    type Config = Config;

    fn new(config: Config, shape: &Shape) -> Result<RecallAt, ConfigError> {
        let share = check_share(config.share)?;
        Ok(RecallAt { share, ranking: Ranking::new(RecallAt::NAME, shape)? })
    }
}

impl MetricComponent for RecallAt {
    const ABOUT: About =
        About { title: "recall at alerts", higher_is_better: true, range: (0.0, 1.0) };
}

/// Format 1: the ranking.
const FORMAT: u16 = 1;

impl State for RecallAt {
    fn save(&self, to: &mut Writer) {
        to.u16(FORMAT);
        self.ranking.save(to);
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        from.format("recall_at", FORMAT)?;
        self.ranking.restore(from)
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<RecallAt>() + self.ranking.heap_bytes()
    }
}

impl Metric for RecallAt {
    fn add(&mut self, outcome: &Outcome) {
        self.ranking.add(outcome);
    }

    fn value(&self) -> Option<f64> {
        share(self.ranking.found(self.share), self.ranking.whole().yes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{LabelShape, metrics::sums::class_outcome};

    fn metric(share: f64) -> Result<RecallAt, ConfigError> {
        RecallAt::new(Config { share }, &Shape::numbers(1, LabelShape::Class { values_max: 2 }))
    }

    fn value(share: f64, outcomes: &[(f64, u32)]) -> Option<f64> {
        let mut metric = metric(share).unwrap();
        for (second, truth) in outcomes {
            metric.add(&Outcome { second: *second, ..class_outcome(0, *truth, 1.0) });
        }
        metric.value()
    }

    /// Ten outcomes, four "yes", at places 1, 3, 4 and 10.
    #[test]
    fn yes_among_the_alerts_are_found() {
        let truth = |place: u32| u32::from([1, 3, 4, 10].contains(&place));
        let outcomes: Vec<(f64, u32)> =
            (1..=10).map(|place| (1.0 - 0.09 * f64::from(place), truth(place))).collect();
        assert_eq!(value(0.1, &outcomes), Some(0.25));
        assert_eq!(value(0.3, &outcomes), Some(0.5));
        // Three and a half alerts: the fourth counts half.
        assert_eq!(value(0.35, &outcomes), Some(2.5 / 4.0));
        assert_eq!(value(1.0, &outcomes), Some(1.0));
        assert_eq!(value(0.1, &[(0.9, 0)]), None);
    }

    #[test]
    fn a_tie_at_the_edge_counts_in_part() {
        let outcomes = [(0.5, 1), (0.5, 0), (0.5, 1), (0.5, 0), (0.1, 1)];
        assert_eq!(value(0.4, &outcomes), Some(1.0 / 3.0));
    }

    #[test]
    fn a_share_out_of_range_is_refused_by_name() {
        for share in [0.0, -0.1, 1.1, f64::NAN] {
            assert_eq!(metric(share).unwrap_err().field, "share");
        }
    }
}
