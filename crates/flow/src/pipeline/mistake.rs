//! What is wrong with settings that have the right form.

use std::fmt;

/// One mistake, at its place in the settings.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where: `model.tree.learner.hoeffding_tree.delta`.
    pub path: String,
    /// What is wrong.
    pub message: String,
    /// What would be right, if that can be said.
    pub help: Option<String>,
}

impl Mistake {
    pub(super) fn new(path: impl Into<String>, message: impl Into<String>) -> Mistake {
        Mistake { path: path.into(), message: message.into(), help: None }
    }

    pub(super) fn help(mut self, help: impl Into<String>) -> Mistake {
        self.help = Some(help.into());
        self
    }
}

/// All mistakes of a pipeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlanError {
    /// One or more.
    pub mistakes: Vec<Mistake>,
}

impl fmt::Display for PlanError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, mistake) in self.mistakes.iter().enumerate() {
            if index > 0 {
                write!(f, "; ")?;
            }
            write!(f, "{}: {}", mistake.path, mistake.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for PlanError {}
