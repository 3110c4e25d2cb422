//! Tables without borders, in time that grows with their rows alone.

use crate::{
    plain,
    screen::paint::{Paint, padded, width},
};

/// Blanks between two columns.
const GAP: usize = 2;
/// A column of texts is made no narrower than this where a table is too wide for its terminal.
const TEXT_MIN: usize = 10;
/// No cell makes its column wider than this where there is no terminal to fit: the few that are
/// wider push the rest of their row to the right, and are whole.
const PADDED_MAX: usize = 60;

/// How a table is laid out: by some of its rows, so that any number of others can follow.
#[derive(Clone, Debug)]
pub struct Layout {
    columns: Vec<Column>,
    /// How wide a line may be; `None`: as wide as it is.
    room: Option<usize>,
}

#[derive(Clone, Debug)]
struct Column {
    title: String,
    width: usize,
    /// Figures stand to the right and are never cut.
    is_figure: bool,
}

/// Whether a text is a figure.
fn is_figure(cell: &str) -> bool {
    cell.chars().all(|c| c.is_ascii_digit() || "., -%".contains(c))
}

impl Layout {
    /// Lays a table out for standard output by its first rows, all of them or many.
    pub fn of(header: &[String], rows: &[Vec<String>]) -> Layout {
        Layout::within(header, rows, Paint::stdout().width)
    }

    /// The same under labels of `indent` characters.
    pub fn beside(header: &[String], rows: &[Vec<String>], indent: usize) -> Layout {
        let room = Paint::stdout().width.map(|width| width.saturating_sub(indent));
        Layout::within(header, rows, room)
    }

    fn within(header: &[String], rows: &[Vec<String>], room: Option<usize>) -> Layout {
        let column = |(index, title): (usize, &String)| {
            let cells = || rows.iter().filter_map(|row| row.get(index)).filter(|c| !c.is_empty());
            let widest = cells().map(|cell| width(cell)).max().unwrap_or_default();
            let is_figure = widest > 0 && cells().all(|cell| is_figure(cell));
            let most = if room.is_none() && !is_figure { PADDED_MAX } else { usize::MAX };
            Column { title: title.clone(), width: width(title).max(widest.min(most)), is_figure }
        };
        let columns = header.iter().enumerate().map(column).collect();
        let mut layout = Layout { columns, room };
        layout.shrink(rows);
        layout
    }

    fn wide(&self) -> usize {
        let columns: usize = self.columns.iter().map(|column| column.width).sum();
        columns + GAP * self.columns.len().saturating_sub(1)
    }

    /// Makes columns narrower until a line fits: titles of figures first, which then break into
    /// several lines, then the widest texts.
    fn shrink(&mut self, rows: &[Vec<String>]) {
        let Some(room) = self.room else { return };
        if self.wide() <= room {
            return;
        }
        for (index, column) in self.columns.iter_mut().enumerate().filter(|(_, c)| c.is_figure) {
            let cells = rows.iter().filter_map(|row| row.get(index)).map(|cell| width(cell));
            let words = column.title.split(' ').map(width);
            column.width = cells.chain(words).max().unwrap_or_default();
        }
        while self.wide() > room {
            let over = self.wide() - room;
            let texts = self.columns.iter_mut().filter(|column| !column.is_figure);
            let Some(widest) = texts.max_by_key(|column| column.width) else { return };
            if widest.width <= TEXT_MIN {
                return;
            }
            // One at a time would be as good, and slow for a cell of a megabyte.
            let next = widest.width / 2;
            widest.width = widest.width.saturating_sub(over).max(next).max(TEXT_MIN);
        }
    }

    /// The line, or lines, above the columns.
    pub fn header(&self) -> String {
        let titles: Vec<Vec<String>> =
            self.columns.iter().map(|column| broken(&column.title, column.width)).collect();
        let lines = titles.iter().map(Vec::len).max().unwrap_or_default();
        let line = |line: usize| {
            let cell = |title: &Vec<String>| {
                // What breaks into fewer lines stands at the foot.
                let above = lines - title.len();
                line.checked_sub(above).map_or(String::new(), |index| title[index].clone())
            };
            self.line(titles.iter().map(cell))
        };
        (0..lines).map(line).collect::<Vec<String>>().join("\n")
    }

    /// A row, without its line end.
    pub fn row(&self, cells: &[String]) -> String {
        self.line(cells.iter().map(|cell| plain::line(cell)))
    }

    fn line(&self, cells: impl Iterator<Item = String>) -> String {
        let mut line = String::new();
        for (index, (column, cell)) in self.columns.iter().zip(cells).enumerate() {
            if index > 0 {
                line.push_str(&" ".repeat(GAP));
            }
            let cell = match self.room {
                Some(_) if !column.is_figure => {
                    console::truncate_str(&cell, column.width, "…").into_owned()
                }
                _ => cell,
            };
            match column.is_figure {
                true => {
                    line.push_str(&" ".repeat(column.width.saturating_sub(width(&cell))));
                    line.push_str(&cell);
                }
                false => line.push_str(&padded(&cell, column.width)),
            }
        }
        line.truncate(line.trim_end().len());
        line
    }

    /// All of a table.
    pub fn whole(&self, rows: &[Vec<String>]) -> String {
        let rows = rows.iter().map(|row| self.row(row));
        std::iter::once(self.header()).chain(rows).collect::<Vec<String>>().join("\n")
    }
}

/// A title in lines no wider than that, broken between words.
fn broken(title: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = vec![String::new()];
    for word in title.split(' ') {
        match lines.last_mut() {
            Some(line) if line.is_empty() => line.push_str(word),
            Some(line) if width(line) + 1 + width(word) <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.into()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(cells: &[&str]) -> Vec<String> {
        cells.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn figures_stand_to_the_right() {
        let rows = [texts(&["a", "7"]), texts(&["b", "1,000"])];
        let shown = Layout::within(&texts(&["name", "count"]), &rows, None).whole(&rows);
        assert_eq!(shown, "name  count\na         7\nb     1,000");
    }

    #[test]
    fn a_table_is_no_wider_than_its_terminal() {
        let rows = [texts(&["a:0:1", &"why ".repeat(30), "0.8880", "45,312"])];
        let header = texts(&["at", "explained", "accuracy", "last 1,000 records"]);
        let layout = Layout::within(&header, &rows, Some(50));
        let shown = layout.whole(&rows);
        assert!(shown.lines().all(|line| width(line) <= 50), "{shown}");
        assert!(shown.contains("0.8880") && shown.contains("45,312"), "{shown}");
        assert!(shown.contains('…'), "{shown}");
        assert_eq!(shown.lines().count(), 4, "{shown}");
    }

    #[test]
    fn without_a_terminal_nothing_is_cut() {
        let rows = [texts(&[&"x".repeat(500), "y"])];
        let shown = Layout::within(&texts(&["long", "b"]), &rows, None).whole(&rows);
        assert!(shown.ends_with(&format!("{}  y", "x".repeat(500))), "{shown}");
        assert!(shown.lines().next().unwrap().len() < 100);
    }

    #[test]
    fn rows_that_come_later_are_laid_out_like_the_first() {
        let layout = Layout::within(&texts(&["at", "n"]), &[texts(&["a", "10"])], None);
        assert_eq!(layout.row(&texts(&["bbbb", "7"])), "bbbb   7");
    }
}
