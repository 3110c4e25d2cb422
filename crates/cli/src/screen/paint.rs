//! Colour and width of what is printed.

use console::{Style, Term};

/// How wide the label of a line is.
const LABEL: usize = 11;

/// Sets text off, where colour is wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Paint {
    colour: bool,
    /// How wide a line may be; `None`: as wide as it is.
    pub(crate) width: Option<usize>,
}

impl Paint {
    /// For standard output.
    pub(crate) fn stdout() -> Paint {
        Paint::of(&Term::stdout(), console::colors_enabled())
    }

    /// For standard error.
    pub(crate) fn stderr() -> Paint {
        Paint::of(&Term::stderr(), console::colors_enabled_stderr())
    }

    fn of(terminal: &Term, colour: bool) -> Paint {
        let width = terminal.size_checked().map(|(_, columns)| usize::from(columns));
        let is_terminal = terminal.is_term();
        Paint { colour: colour && is_terminal, width: width.filter(|_| is_terminal) }
    }

    /// Without colour, and as wide as may be.
    #[cfg(test)]
    pub(super) fn plain() -> Paint {
        Paint { colour: false, width: None }
    }

    fn with(self, style: &Style, text: &str) -> String {
        style.clone().force_styling(self.colour).apply_to(text).to_string()
    }

    /// What matters less.
    pub(crate) fn dim(self, text: &str) -> String {
        self.with(&Style::new().dim(), text)
    }

    /// What matters more.
    pub(crate) fn bold(self, text: &str) -> String {
        self.with(&Style::new().bold(), text)
    }

    /// What is good.
    pub(crate) fn good(self, text: &str) -> String {
        self.with(&Style::new().green(), text)
    }

    /// What somebody should look at.
    pub(crate) fn bad(self, text: &str) -> String {
        self.with(&Style::new().yellow(), text)
    }

    /// A command that can be typed.
    pub(crate) fn command(self, text: &str) -> String {
        self.with(&Style::new().cyan(), text)
    }

    /// A line that begins with a word that says what it is about.
    pub(crate) fn labelled(self, label: &str, text: &str) -> String {
        format!("{}{text}", self.bold(&format!("{label:<LABEL$}")))
    }

    /// Whether a text fits beside its label.
    pub(crate) fn has_room(self, text: &str) -> bool {
        self.width.is_none_or(|room| LABEL + width(text) <= room)
    }

    /// How long a bar can be that stands in a line with figures.
    pub(crate) fn bar(self) -> usize {
        self.width.map_or(24, |width| width.saturating_sub(72).clamp(8, 24))
    }

    /// No wider than it may be.
    pub(crate) fn fit(self, line: &str) -> String {
        match self.width {
            Some(width) => console::truncate_str(line, width.saturating_sub(1), "…").into_owned(),
            None => line.into(),
        }
    }
}

/// How wide a text is.
pub(crate) fn width(text: &str) -> usize {
    console::measure_text_width(text)
}

/// A text and blanks up to a width.
pub(crate) fn padded(text: &str, to: usize) -> String {
    format!("{text}{}", " ".repeat(to.saturating_sub(width(text))))
}
