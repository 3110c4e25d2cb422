//! Shows mistakes to a reader: the line, what is wrong in it underlined, and what would be right.

use std::ops::Range;

use annotate_snippets::{
    Annotation, AnnotationKind, Group, Level, Renderer, Snippet, normalize_untrusted_str,
};

use super::Mistake;

/// Wide enough for the lists of names, narrow enough for a terminal beside an editor.
const WIDTH: usize = 120;

/// Where lines of help are broken.
const HELP_WIDTH: usize = 84;

pub(super) fn show(file_name: &str, text: &str, mistakes: &[Mistake], colour: bool) -> String {
    let renderer = if colour { Renderer::styled() } else { Renderer::plain() }.term_width(WIDTH);
    let mut shown = String::new();
    let mut said = "";
    for mistake in mistakes {
        // What can be chosen from is said once, not after each mistake in a table.
        let help = if mistake.help == said { "" } else { &mistake.help };
        said = &mistake.help;
        shown += &renderer.render(&[group(file_name, text, mistake, help)]);
        shown += "\n\n";
    }
    let count = mistakes.len();
    let word = if count == 1 { "mistake" } else { "mistakes" };
    shown + &format!("{file_name}: {count} {word}")
}

fn group<'a>(file_name: &'a str, text: &'a str, mistake: &'a Mistake, help: &'a str) -> Group<'a> {
    let mut snippet = Snippet::source(text).path(file_name).annotation(annotation(
        AnnotationKind::Primary,
        text,
        &mistake.span,
        &mistake.label,
    ));
    if let Some((span, label)) = &mistake.other {
        snippet = snippet.annotation(annotation(AnnotationKind::Context, text, span, label));
    }
    let title = Level::ERROR.primary_title(normalize_untrusted_str(&mistake.message));
    let group = title.element(snippet);
    match help {
        "" => group,
        help => group.element(Level::HELP.message(wrapped(&normalize_untrusted_str(help)))),
    }
}

/// Lines that end before they are wide, at spaces.
fn wrapped(text: &str) -> String {
    let mut lines = String::new();
    let mut width = 0;
    for word in text.split(' ') {
        if width > 0 && width + word.chars().count() >= HELP_WIDTH {
            lines.push('\n');
            width = 0;
        } else if width > 0 {
            lines.push(' ');
        }
        lines.push_str(word);
        width += word.chars().count() + 1;
    }
    lines
}

fn annotation<'a>(
    kind: AnnotationKind,
    text: &str,
    span: &Range<usize>,
    label: &'a str,
) -> Annotation<'a> {
    let annotation = kind.span(within(text, span));
    match label {
        "" => annotation,
        label => annotation.label(normalize_untrusted_str(label)),
    }
}

/// The part of a span that lies in its first line, on whole characters of the text.
fn within(text: &str, span: &Range<usize>) -> Range<usize> {
    let start = text.floor_char_boundary(span.start.min(text.len()));
    let end = text.ceil_char_boundary(span.end.clamp(start, text.len()));
    let line = text[start..end].lines().next().map_or(0, str::len);
    start..start + line
}

/// Line and column of a byte of the text, both from 1, the column in characters.
pub(super) fn line_and_column(text: &str, at: usize) -> (usize, usize) {
    let before = &text[..text.floor_char_boundary(at.min(text.len()))];
    let line_start = before.rfind('\n').map_or(0, |end| end + 1);
    (before.matches('\n').count() + 1, before[line_start..].chars().count() + 1)
}
