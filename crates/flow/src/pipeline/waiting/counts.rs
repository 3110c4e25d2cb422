//! What is counted of labels.

/// What was counted of labels that come by an input of their own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LabelCounts {
    /// Examples that got the label that came for them.
    pub labelled: u64,
    /// Of these, labels that came before their example.
    pub early: u64,
    /// Examples that waited in vain: learned as `absent`, or not at all where that is left out.
    pub absent: u64,
    /// Labels for an example that has the same one already.
    pub duplicate: u64,
    /// Labels for an example that has another one already: to the dead letters.
    pub conflicting: u64,
    /// Labels whose example had waited in vain.
    pub late: u64,
    /// Of these, labels by which the example was learned again.
    pub corrected: u64,
    /// Labels whose example never came: to the dead letters.
    pub unmatched: u64,
    /// Examples of an id that another one has; answered, and not kept.
    pub repeated: u64,
    /// Examples and labels that had to go before their time, for want of room.
    pub pushed_out: u64,
}

impl LabelCounts {
    /// Each count with its name, in one order.
    pub fn named(&self) -> [(&'static str, u64); 10] {
        [
            ("labelled", self.labelled),
            ("early", self.early),
            ("absent", self.absent),
            ("duplicate", self.duplicate),
            ("conflicting", self.conflicting),
            ("late", self.late),
            ("corrected", self.corrected),
            ("unmatched", self.unmatched),
            ("repeated", self.repeated),
            ("pushed_out", self.pushed_out),
        ]
    }

    /// Each count, in the same order.
    pub(in crate::pipeline) fn all(&mut self) -> [&mut u64; 10] {
        [
            &mut self.labelled,
            &mut self.early,
            &mut self.absent,
            &mut self.duplicate,
            &mut self.conflicting,
            &mut self.late,
            &mut self.corrected,
            &mut self.unmatched,
            &mut self.repeated,
            &mut self.pushed_out,
        ]
    }
}
