//! The lease of an errand: membership in a consumer group of its own, of which one member is given
//! the pipeline's control topic. Nothing is read; the group only says whose turn it is.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use alluvium_ledger::log::{Errand, Lease, LogError, Policy};
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::{
    context::{Common, LeaseContext, lock},
    failure::Refusal,
    shared::{Open, Shared},
};

/// How long the group's client waits for news before it looks whether the lease is still wanted.
const POLL: Duration = Duration::from_millis(50);

/// The name of the group of a pipeline's errand.
pub(crate) fn group(pipeline: &str, errand: Errand<'_>) -> String {
    match errand {
        Errand::Run => format!("alluvium.{pipeline}"),
        Errand::Load { topic } => format!("alluvium.{pipeline}.load.{topic}"),
    }
}

pub(crate) struct GroupLease {
    state: Arc<State>,
    /// Held to the end, so that the process waits until the group was left.
    shared: Arc<Shared>,
}

/// What the lease and its thread tell each other.
struct State {
    is_assigned: AtomicBool,
    is_over: AtomicBool,
    began: Instant,
    /// When the thread last served the group, in milliseconds since the beginning.
    served_ms: AtomicU64,
}

impl GroupLease {
    pub(crate) fn new(
        shared: &Arc<Shared>,
        pipeline: &str,
        errand: Errand<'_>,
    ) -> Result<GroupLease, LogError> {
        let topic = format!("{pipeline}.control");
        if shared.asker.describe(&topic)?.is_none() {
            let keep = Policy::Delete { retention_ms: None };
            shared.asker.create(&topic, 1, keep, false)?;
        }
        let mut config = shared.group_config(&group(pipeline, errand));
        // Whoever has the lease keeps it when others come.
        config.set("partition.assignment.strategy", "cooperative-sticky");
        let common = Common::new(shared.asker.said.clone(), "lease");
        *lock(&shared.lease) = Some(common.clone());
        let consumer: BaseConsumer<LeaseContext> =
            shared.build(&config, LeaseContext::new(common))?;
        let failed = |error| {
            let doing = format!("asking for the lease of `{pipeline}`");
            shared.asker.error(&Refusal::of(&error), &doing)
        };
        consumer.subscribe(&[&topic]).map_err(failed)?;
        let state = Arc::new(State {
            is_assigned: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            began: Instant::now(),
            served_ms: AtomicU64::new(0),
        });
        let (open, serving) = (shared.closing.begin(), state.clone());
        thread::Builder::new()
            .name("kafka-lease".to_owned())
            .spawn(move || serve(consumer, &serving, open))
            .map_err(|error| {
                LogError::Unavailable(format!("starting the lease's thread failed: {error}"))
            })?;
        Ok(GroupLease { state, shared: shared.clone() })
    }
}

/// Serves the group until the lease is given back; then leaves it at once.
fn serve(consumer: BaseConsumer<LeaseContext>, state: &State, open: Open) {
    while !state.is_over.load(Ordering::Acquire) {
        // The partition is paused; errors have been told to the context.
        drop(consumer.poll(POLL));
        let context = consumer.context();
        let is_assigned = context.is_assigned.load(Ordering::Acquire);
        if is_assigned && !state.is_assigned.load(Ordering::Acquire) {
            context.common.forget_trouble();
        }
        state.is_assigned.store(is_assigned, Ordering::Release);
        state.served_ms.store(state.now_ms(), Ordering::Release);
    }
    drop(consumer); // Leaves the group.
    drop(open);
}

impl State {
    fn now_ms(&self) -> u64 {
        self.began.elapsed().as_millis() as u64
    }
}

impl Lease for GroupLease {
    fn held(&mut self) -> bool {
        let state = &self.state;
        let silent_ms = state.now_ms().saturating_sub(state.served_ms.load(Ordering::Acquire));
        state.is_assigned.load(Ordering::Acquire)
            && u128::from(silent_ms) < self.shared.settings.session_timeout.as_millis()
    }
}

impl Drop for GroupLease {
    fn drop(&mut self) {
        self.state.is_over.store(true, Ordering::Release);
    }
}
