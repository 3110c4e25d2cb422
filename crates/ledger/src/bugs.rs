//! Mistakes that the simulator plants, to see whether its checks find them. Without the feature
//! `planted` there are none, and asking costs nothing.

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Bug {
    /// A cut is learned when it is acknowledged, not when it is accepted.
    LearnOnAcknowledgement,
}

impl Bug {
    /// Every mistake there is.
    pub const ALL: [Bug; 1] = [Bug::LearnOnAcknowledgement];
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
#[allow(dead_code)]
pub(crate) const fn planted(_: Bug) -> bool {
    false
}
