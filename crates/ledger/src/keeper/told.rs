//! What was announced by this process already. A keeper that starts again after a failure learns
//! what it had learned before, and comes by the same news.

use std::{collections::BTreeMap, sync::Arc};

use alluvium_flow::News;

/// How far the news were told. Memory: two numbers for each model.
#[derive(Debug, Default)]
pub(super) struct Told {
    versions: BTreeMap<Arc<str>, u64>,
    /// The record of each model's newest alarm.
    alarms: BTreeMap<Arc<str>, u64>,
    /// The step of the newest decision.
    decided: u64,
}

impl Told {
    /// Hands on what is new. News of decisions come alone, right behind their step.
    pub(super) fn take(&mut self, step: u64, news: &mut Vec<News>, into: &mut Vec<News>) {
        let decided = self.decided;
        let is_new = |news: &News| match news {
            News::Version { model, version, .. } => rises(&mut self.versions, model, *version),
            News::Alarm { model, records, .. } => rises(&mut self.alarms, model, *records),
            News::Champion { .. }
            | News::Reset { .. }
            | News::Skipped { .. }
            | News::Joined { .. }
            | News::Refused { .. } => {
                self.decided = self.decided.max(step);
                step > decided
            }
        };
        into.extend(news.drain(..).filter(is_new));
    }
}

fn rises(of: &mut BTreeMap<Arc<str>, u64>, model: &Arc<str>, to: u64) -> bool {
    let known = of.entry(model.clone()).or_default();
    let is_new = to > *known;
    *known = to.max(*known);
    is_new
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_told_twice() {
        let version = |version| News::Version {
            model: "one".into(),
            version,
            state_digest: String::new(),
            at: String::new(),
        };
        let alarm = |records| News::Alarm {
            model: "one".into(),
            detector: "adwin",
            at: String::new(),
            records,
        };
        let champion = || News::Champion { model: "one".into(), version: None };
        let mut told = Told::default();
        let mut tell = |step, mut news: Vec<News>| {
            let mut into = Vec::new();
            told.take(step, &mut news, &mut into);
            into.len()
        };
        assert_eq!(tell(10, vec![version(1), alarm(7)]), 2);
        assert_eq!(tell(11, vec![champion(), champion()]), 2, "of one decision");
        // All of it is learned again, and then more.
        assert_eq!(tell(10, vec![version(1), alarm(7)]), 0);
        assert_eq!(tell(11, vec![champion(), champion()]), 0);
        assert_eq!(tell(12, vec![version(1), version(2), alarm(9), champion()]), 3);
    }
}
