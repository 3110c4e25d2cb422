//! The pipeline's own topics: made where they are missing, and looked at where they are not.

use alluvium_flow::OutTopic;

use super::{Halt, Keeper, Trouble};
use crate::log::{Log, Policy};

impl<L: Log> Keeper<L> {
    /// Makes the pipeline's own topics. Into those that are there, by whatever hand, it must be
    /// able to write what it writes: a record without a key cannot go into a compacted topic, and
    /// there is one order. One that should be compacted and is not grows, or loses versions after
    /// its retention; recovery copes with that, and whoever runs the pipeline is told before it
    /// starts.
    pub(super) fn create_topics(&mut self, partitions: u32) -> Result<(), Trouble> {
        let keep = Policy::Delete { retention_ms: None };
        for (name, partitions, policy) in [
            ("control", 1, keep),
            ("state", 1, Policy::Compact),
            ("models", 1, Policy::Compact),
            (OutTopic::Predictions.name(), partitions, keep),
            (OutTopic::Alarms.name(), 1, keep),
            (OutTopic::DeadLetters.name(), partitions, keep),
        ] {
            let topic = self.topic(name);
            let Some(found) = self.log.ends(&topic)? else {
                self.log.create(&topic, partitions, policy)?;
                continue;
            };
            // Whoever may not see a topic's settings takes it as it is.
            if found.policy == Some(Policy::Compact) && policy != Policy::Compact {
                let why = format!("the topic {topic} is compacted, and must not be");
                return Err(Halt::Settings(why).into());
            }
            if matches!(name, "control" | "state" | "models") && found.partitions.len() != 1 {
                let count = found.partitions.len();
                let why = format!("the topic {topic} has {count} partitions, and must have one");
                return Err(Halt::Settings(why).into());
            }
        }
        Ok(())
    }
}
