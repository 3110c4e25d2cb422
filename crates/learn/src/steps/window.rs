//! Counts, sums, means, variances, extremes, quantiles and numbers of distinct values over the
//! records *before* this one: all of them, or for each key those of the same key.
//!
//! - Makes: `step.name` for each entry of `make`. Of no records all are 0, but for `time_since`.
//!   The variance is the mean squared distance to the mean.
//! - `over`: a bare time or number of records slides. `over.tumbling` begins anew with each full
//!   span, counted from 1970, or after so many records; `over.session` after a gap of at least that
//!   length; in `over.decay` everything weighs half after that time, or so many records, and there
//!   are only `count`, `sum`, `mean`, `variance` and `time_since`.
//! - Time goes by the greatest event time seen so far, of any key, the record's own included. A
//!   record that comes late sees what is there at that clock, and counts from when it came. So one
//!   record from the far future empties the windows, and holds their clock until the log has caught
//!   up: refuse such records where they enter.
//! - Without `by`, a window that slides and makes counts, sums, means, variances and extremes is
//!   exact to the last record: what lies exactly the span back is out. It has at most
//!   `records_max` records.
//! - With `by` (and without it for all else) a key has at most `panes` panes, each with what is
//!   known of the records in it, and whole panes are forgotten. A pane is the span divided by
//!   `panes`, rounded up to a whole millisecond or record; spans of time begin with 1970, records
//!   are counted for each key. So a window never reaches back further than it says, and less far by
//!   less than one pane, two where the panes do not divide the span: `over = "10 min"` covers from
//!   9 min 50 s to 10 min. A window of at most `panes` records is exact.
//! - Keys are bounded by `keys_max` and forgotten in the order of event time, of several seen last
//!   at one time the least key first. A forgotten key begins anew. A window over time forgets a key
//!   by itself when nothing of it is left. Ids are hashed to 64 bits: two ids of one hash are one
//!   key, which happens among a million once in 37 million times.
//! - `distinct` sets one of `bits` bits for each value and estimates from the bits that are left.
//!   `quantile` is one of the `newest` values in the window.
//! - Bounds: a value beyond ±1e140 counts as ±1e140.
//! - Cost: without `by` time constant for each record learned, logarithmic for each feature made;
//!   memory 8 bytes a record for the time, for each number read, and for each kind of value kept of
//!   it (a sum and a mean share one, a variance needs one more), rounded up to a power of two.
//! - Cost by key: time grows with the panes a key has records in; memory 60 to 120 bytes a key,
//!   16 for each of these panes, and 8 in each for each kind of value kept (and its bits), rounded
//!   up to a power of two; at most so for `keys_max` keys of `panes` panes.
//! - Not for: exact windows of many records by key (see `panes`); joins of two topics.
//! - No drift: nothing is ever subtracted, see `blocks`.
//! - Papers: for panes J. Li, D. Maier, K. Tufte, V. Papadimos, P. A. Tucker, "No Pane, No Gain:
//!   Efficient Evaluation of Sliding-Window Aggregates over Data Streams", SIGMOD Record 34 (1),
//!   2005; for `distinct` K.-Y. Whang, B. T. Vander-Zanden, H. M. Taylor, "A Linear-Time
//!   Probabilistic Counting Algorithm for Database Applications", ACM TODS 15 (2), 1990; for
//!   `decay` G. Cormode et al., "Forward Decay: A Practical Time Decay Model for Streaming
//!   Systems", ICDE 2009.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    Ahead, ConfigError, FeatureStep, Over, Reader, Row, Scope, SlotKind, Span, State, StateError,
    StepComponent, Writer, check_count, keyed::ITEMS_MAX,
};

mod exact;
mod keyed;
mod make;
mod pane;
mod reach;

pub use make::{Distinct, Make, Quantile};
pub use reach::Reach;

use exact::Exact;
use keyed::Keyed;

/// The most records a window may have.
const RECORDS_MAX: u64 = 10_000_000;

/// Settings of [`Window`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The name of an id or a category: a window for each of its values. Default: left out, for one
    /// window over all records.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// How far back: so many records, or a span of event time; `over.tumbling`, `over.session` and
    /// `over.decay` are other ways. Range: 1 to 10,000,000 records, or 1 ms and more. Default:
    /// `"1000 records"`. Raise it for features that are steadier and follow a change later.
    pub over: Reach,
    /// The most records kept for a span of time without `by`; beyond it the oldest go, and the
    /// window is shorter than it says. Without effect elsewhere. Range: 1 to 10,000,000 records.
    /// Default: 100,000. Raise it for a topic of more records in that span.
    pub records_max: u64,
    /// Into how many panes a window that slides is divided, where it is kept in panes. Range: 1 to
    /// 10,000. Default: 60. Raise it so that a window ends more exactly where it says; a busy key
    /// takes more memory and time then.
    pub panes: u64,
    /// The most keys; beyond it the one unseen for longest goes. Range: 1 to 100,000,000. Default:
    /// 1,000,000. Raise it for more keys, at the memory that each of them takes.
    pub keys_max: u64,
    /// After how much event time an unseen key is forgotten. Range: 1 ms and more. Default: left
    /// out: when nothing of it is left in the window. Without effect without `by`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub forget_after: Option<Span>,
    /// What to make, each under its name: `make.spend.sum = "amount"` makes `step.spend`. The order
    /// of the names is the order of the features. At least one; no name with a dot. Default: none,
    /// so it has to be given.
    pub make: BTreeMap<String, Make>,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            by: None,
            over: Reach::Sliding(Over::Records(1000)),
            records_max: 100_000,
            panes: 60,
            keys_max: 1_000_000,
            forget_after: None,
            make: BTreeMap::new(),
        }
    }
}

/// The step.
#[derive(Clone, Debug)]
pub struct Window {
    kept: Kept,
}

/// How the records are kept.
#[derive(Clone, Debug)]
enum Kept {
    Exact(Box<Exact>),
    Keyed(Box<Keyed>),
}

impl StepComponent for Window {
    const NAME: &'static str = "window";
    type Config = Config;

    fn reads(config: &Config) -> Vec<String> {
        let makes = config.make.values().filter_map(Make::reads);
        let mut reads: Vec<String> = Vec::new();
        for name in config.by.iter().chain(makes) {
            if !reads.contains(name) {
                reads.push(name.clone());
            }
        }
        reads
    }

    fn new(config: Config, scope: &mut Scope<'_>) -> Result<Window, ConfigError> {
        check_count("records_max", config.records_max, 1, RECORDS_MAX)?;
        check_count("panes", config.panes, 1, ITEMS_MAX as u64)?;
        let (Reach::Sliding(over) | Reach::Tumbling(over) | Reach::Decay(over)) = config.over
        else {
            return Window::kept(&config, scope);
        };
        match over {
            Over::Records(1..=RECORDS_MAX) | Over::Time(1..) => Window::kept(&config, scope),
            Over::Records(_) | Over::Time(_) => {
                let must_be = format!("from 1 to {RECORDS_MAX} records, or 1 ms and more");
                Err(ConfigError::new("over", config.over, &must_be))
            }
        }
    }
}

impl Window {
    fn kept(config: &Config, scope: &mut Scope<'_>) -> Result<Window, ConfigError> {
        if let Reach::Session(Span(0)) = config.over {
            return Err(ConfigError::new("over", config.over, "a gap of 1 ms or more"));
        }
        if config.make.is_empty() {
            let must_be = r#"at least one feature, as `make.count = "count"`"#;
            return Err(ConfigError::new("make", "{}", must_be));
        }
        if let Some(name) = config.make.keys().find(|name| name.is_empty() || name.contains('.')) {
            return Err(ConfigError::new("make", format!("{name:?}"), "named without a dot"));
        }
        let kept = match config.over {
            Reach::Sliding(over)
                if config.by.is_none() && config.make.values().all(Make::is_exact) =>
            {
                let exact = Exact::new(over, config.records_max, &config.make, scope)?;
                Kept::Exact(Box::new(exact))
            }
            _ => Kept::Keyed(Box::new(Keyed::new(config, scope)?)),
        };
        Ok(Window { kept })
    }

    fn step(&self) -> &dyn FeatureStep {
        match &self.kept {
            Kept::Exact(exact) => &**exact,
            Kept::Keyed(keyed) => &**keyed,
        }
    }

    fn step_mut(&mut self) -> &mut dyn FeatureStep {
        match &mut self.kept {
            Kept::Exact(exact) => &mut **exact,
            Kept::Keyed(keyed) => &mut **keyed,
        }
    }
}

/// A slot for each feature, side by side. Returns the first.
fn slots(make: &BTreeMap<String, Make>, scope: &mut Scope<'_>) -> usize {
    let slots: Vec<usize> = make.keys().map(|name| scope.feature(name, SlotKind::Number)).collect();
    slots.first().copied().unwrap_or(0)
}

/// The format, which says how the records are kept.
fn read_format(from: &mut Reader<'_>, format: u16) -> Result<(), StateError> {
    match from.format("window", keyed::FORMAT)? == format {
        true => Ok(()),
        false => Err(StateError::Unfit { what: "window is kept in another way" }),
    }
}

impl State for Window {
    fn save(&self, to: &mut Writer) {
        self.step().save(to);
    }

    fn restore(&mut self, from: &mut Reader<'_>) -> Result<(), StateError> {
        self.step_mut().restore(from)
    }

    fn footprint_bytes(&self) -> usize {
        size_of::<Window>() + self.step().footprint_bytes()
    }
}

impl FeatureStep for Window {
    fn apply(&self, row: &mut Row<'_>) {
        self.step().apply(row);
    }

    fn observe(&mut self, row: &Row<'_>) {
        self.step_mut().observe(row);
    }

    fn look_ahead(&self, next: Ahead<'_>) {
        self.step().look_ahead(next);
    }

    fn fork(&self) -> Box<dyn FeatureStep> {
        Box::new(self.clone())
    }
}

#[cfg(test)]
mod tests;
