//! A curve in one line of text.

const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];

/// Of fewer figures nobody can say which lie far outside.
const FEW: usize = 8;

/// What the lowest and the highest level stand for.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Scale {
    pub(super) low: f64,
    pub(super) high: f64,
}

impl Scale {
    /// The scale that shows those figures: from the least to the greatest, but for what lies far
    /// outside, as first figures often do. `None` where there are none.
    pub(super) fn of(figures: impl Iterator<Item = f64>) -> Option<Scale> {
        let mut sorted: Vec<f64> = figures.filter(|figure| figure.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let (first, last) = (*sorted.first()?, *sorted.last()?);
        if sorted.len() < FEW {
            return Some(Scale { low: first, high: last });
        }
        let quarter = |quarters: usize| sorted[(sorted.len() - 1) * quarters / 4];
        let beyond = 3.0 * (quarter(3) - quarter(1));
        Some(Scale { low: first.max(quarter(1) - beyond), high: last.min(quarter(3) + beyond) })
    }

    fn level(&self, figure: f64) -> char {
        let share = (figure - self.low) / (self.high - self.low);
        // All alike: neither high nor low.
        let share = if share.is_nan() { 0.5 } else { share.clamp(0.0, 1.0) };
        LEVELS[((share * LEVELS.len() as f64) as usize).min(LEVELS.len() - 1)]
    }
}

/// Draws figures in so many characters or fewer, a blank where there is no figure.
pub(super) fn draw(points: &[Option<f64>], scale: Scale, width: usize) -> String {
    let columns = points.len().min(width);
    let column = |column: usize| {
        let part = &points[column * points.len() / columns..(column + 1) * points.len() / columns];
        let (sum, count) = part.iter().flatten().fold((0.0, 0), |(s, n), p| (s + p, n + 1));
        if count == 0 { ' ' } else { scale.level(sum / f64::from(count)) }
    };
    (0..columns).map(column).collect()
}

/// A bar that is filled to a share, in so many characters.
pub(super) fn bar(share: f64, width: usize) -> String {
    const EIGHTHS: [char; 8] = ['░', '▏', '▎', '▍', '▌', '▋', '▊', '▉'];
    let share = if share.is_nan() { 0.0 } else { share.clamp(0.0, 1.0) };
    let eighths = (share * (width * 8) as f64).floor() as usize;
    let mut bar = "█".repeat(eighths / 8);
    if eighths / 8 < width {
        bar.push(EIGHTHS[eighths % 8]);
        bar.push_str(&"░".repeat(width - eighths / 8 - 1));
    }
    bar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rise_goes_from_the_lowest_to_the_highest_level() {
        let points: Vec<Option<f64>> = (0..8).map(|i| Some(f64::from(i))).collect();
        let scale = Scale::of(points.iter().copied().flatten()).unwrap();
        assert_eq!(draw(&points, scale, 24), "▁▂▃▄▅▆▇█");
        assert_eq!(draw(&points, scale, 4), "▁▃▆█");
    }

    #[test]
    fn one_wild_figure_does_not_flatten_the_others() {
        let mut points: Vec<Option<f64>> = (0..32).map(|i| Some(f64::from(i))).collect();
        points[0] = Some(1e9);
        let scale = Scale::of(points.iter().copied().flatten()).unwrap();
        assert!(scale.high < 100.0);
        assert!(draw(&points, scale, 32).starts_with('█'));
    }

    #[test]
    fn what_is_not_there_is_blank_and_what_is_alike_lies_in_the_middle() {
        let scale = Scale::of([0.5, 0.5].into_iter()).unwrap();
        assert_eq!(draw(&[Some(0.5), None, Some(0.5)], scale, 12), "▅ ▅");
        assert_eq!(Scale::of([].into_iter()), None);
    }

    #[test]
    fn a_bar_is_as_long_as_it_should_be() {
        for share in [0.0, 0.01, 0.5, 0.999, 1.0, 2.0, f64::NAN] {
            assert_eq!(bar(share, 10).chars().count(), 10);
        }
        assert_eq!(bar(0.5, 4), "██░░");
    }
}
