//! Mistakes that the simulator plants, to see whether its checks find them. Without the feature
//! `planted` there are none, and asking costs nothing.

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {
    /// A cut is learned when it is acknowledged, whoever wrote in between.
    LearnOnAcknowledgement,
    /// The ends of the outputs are asked before the TERM is there.
    OutputsBeforeTerm,
    /// The ends of the outputs are those that a lagging copy knows.
    StaleOutputEnds,
    /// A manifest is written before the outputs up to its step are acknowledged.
    ManifestBeforeOutputs,
    /// Everything is released again after a recovery.
    ReleaseAll,
    /// After a recovery the first output is taken for released.
    SkipOne,
    /// The last output found is taken for the greatest.
    GreatestIsLast,
    /// Cuts follow the arrival of records while catching up.
    CutByArrival,
    /// Requests that were read and not adopted are left out of manifests.
    RequestsNotInManifest,
    /// A manifest holds the last offsets learned, not the next.
    PositionOffByOne,
    /// Pages are not compared with their digests.
    NoDigestCheck,
    /// A cut of an earlier term is accepted if its number follows.
    ZombiesCount,
    /// A manifest holds control as it was read, not as it was learned.
    NewestControlInManifest,
    /// A manifest says of the outputs where they end when it is written.
    EndsAtManifest,
    /// Partitions are merged by the log's times.
    MergeByLogTime,
    /// The time of a record that was refused has a say in the merge.
    RefusedHaveTimes,
    /// In silence ticks tell the time of the clock, whether anything is due or not.
    TicksOfTheClock,
    /// What joins does so before it has learned all of the past.
    JoinsEarly,
    /// What joins learns the past as if nobody had decided anything.
    PastUndecided,
    /// Labels go by the names of their inputs, where times are equal.
    LabelsAreNotLast,
    /// What waits for its label is left out of the state.
    WaitingNotInState,
    /// Waits end by the writer's clock.
    WaitsEndByTheClock,
}

impl Bug {
    /// Every mistake there is.
    pub const ALL: [Bug; 22] = [
        Bug::LearnOnAcknowledgement,
        Bug::OutputsBeforeTerm,
        Bug::StaleOutputEnds,
        Bug::ManifestBeforeOutputs,
        Bug::ReleaseAll,
        Bug::SkipOne,
        Bug::GreatestIsLast,
        Bug::CutByArrival,
        Bug::RequestsNotInManifest,
        Bug::PositionOffByOne,
        Bug::NoDigestCheck,
        Bug::ZombiesCount,
        Bug::NewestControlInManifest,
        Bug::EndsAtManifest,
        Bug::MergeByLogTime,
        Bug::RefusedHaveTimes,
        Bug::TicksOfTheClock,
        Bug::JoinsEarly,
        Bug::PastUndecided,
        Bug::LabelsAreNotLast,
        Bug::WaitingNotInState,
        Bug::WaitsEndByTheClock,
    ];
}

#[cfg(feature = "planted")]
thread_local! {
    static PLANTED: std::cell::Cell<Option<Bug>> = const { std::cell::Cell::new(None) };
}

/// As long as it lives, this thread makes the mistake.
#[must_use]
#[derive(Debug)]
pub struct Planted(());

/// Plants a mistake, if there is one and this build can make it.
pub fn plant(bug: Option<Bug>) -> Planted {
    #[cfg(feature = "planted")]
    PLANTED.set(bug);
    #[cfg(not(feature = "planted"))]
    debug_assert!(bug.is_none(), "only a build with the feature `planted` makes mistakes");
    Planted(())
}

impl Drop for Planted {
    fn drop(&mut self) {
        #[cfg(feature = "planted")]
        PLANTED.set(None);
    }
}

/// Whether a mistake is to be made.
#[cfg(feature = "planted")]
pub(crate) fn planted(bug: Bug) -> bool {
    PLANTED.get() == Some(bug)
}

/// Whether a mistake is to be made: never.
#[cfg(not(feature = "planted"))]
pub(crate) const fn planted(_: Bug) -> bool {
    false
}
