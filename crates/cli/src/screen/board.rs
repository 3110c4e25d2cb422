//! The models beside the baselines, in a table.

use alluvium_flow::Pipeline;
use alluvium_learn::{Over, judge::Judge, metrics::About};

use super::{
    curve::{self, Scale},
    paint::{Paint, padded, width},
    words,
};

/// How every judge stands.
#[derive(Clone, Debug, Default)]
pub(super) struct Board {
    tables: Vec<Table>,
}

/// The judges that have the same metrics.
#[derive(Clone, Debug)]
struct Table {
    metrics: Vec<About>,
    over: Over,
    rows: Vec<Row>,
}

/// One model, or one baseline.
#[derive(Clone, Debug)]
struct Row {
    name: String,
    is_model: bool,
    is_champion: bool,
    whole: Vec<Option<f64>>,
    recent: Option<f64>,
    points: Vec<Option<f64>>,
}

/// The best model beside the best baseline.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Verdict {
    model: String,
    baseline: String,
    metric: &'static str,
    model_figure: f64,
    baseline_figure: f64,
    pub(super) is_better: bool,
}

impl Board {
    /// Reads every metric: some take time.
    pub(super) fn of(pipeline: &Pipeline) -> Board {
        let champion = pipeline.registry().champion().map(|entry| entry.model.clone());
        let mut tables: Vec<Table> = Vec::new();
        for (name, judge, is_model) in pipeline.judges() {
            let is_champion = is_model && champion.as_ref() == Some(name);
            let row = Row::of(name, judge, is_model, is_champion);
            let metrics: Vec<About> = (0..judge.len()).map(|metric| judge.about(metric)).collect();
            match tables.iter_mut().find(|table| table.metrics == metrics) {
                Some(table) => table.rows.push(row),
                None => {
                    let over = pipeline.spec().judge.over;
                    tables.push(Table { metrics, over, rows: vec![row] });
                }
            }
        }
        Board { tables }
    }

    /// The tables, a line for each model and baseline. What has no metric is only named: a table of
    /// it would be empty.
    pub(super) fn lines(&self, paint: Paint) -> Vec<String> {
        let mut lines = Vec::new();
        for table in &self.tables {
            let of_table = match table.metrics.is_empty() {
                true => table.unjudged(paint).into_iter().collect(),
                false => table.lines(paint),
            };
            if !lines.is_empty() && !of_table.is_empty() {
                lines.push(String::new());
            }
            lines.extend(of_table);
        }
        lines
    }

    /// Whether the best model beats the best baseline, by the metric that matters most.
    pub(super) fn verdict(&self) -> Option<Verdict> {
        self.tables.iter().find_map(Table::verdict)
    }
}

impl Row {
    fn of(name: &str, judge: &Judge, is_model: bool, is_champion: bool) -> Row {
        let name = if is_model { name.to_string() } else { name.replace('_', " ") };
        let whole: Vec<Option<f64>> = (0..judge.len()).map(|metric| judge.whole(metric)).collect();
        let recent = if judge.is_empty() { None } else { judge.window(0) };
        let points = judge.curve().points().to_vec();
        Row { name, is_model, is_champion, whole, recent, points }
    }

    fn title(&self) -> String {
        let mark = if self.is_champion { " *" } else { "" };
        format!("{}{mark}", self.name)
    }
}

impl Table {
    /// The models, where there is no metric.
    fn unjudged(&self, paint: Paint) -> Option<String> {
        let models = self.rows.iter().filter(|row| row.is_model).map(Row::title);
        let models: Vec<String> = models.collect();
        let says = format!("{}: not judged, as there is no metric", words::listed(&models));
        (!models.is_empty()).then(|| paint.labelled("models", &says))
    }

    fn lines(&self, paint: Paint) -> Vec<String> {
        let mut columns = vec![self.names()];
        columns.extend(self.columns());
        let widths: Vec<usize> = columns
            .iter()
            .map(|cells| cells.iter().map(|cell| width(cell)).max().unwrap_or_default())
            .collect();
        let used: usize = widths.iter().map(|width| width + 3).sum();
        let curves = self.curves(paint.width.map_or(40, |width| width.saturating_sub(used + 1)));
        let mut lines = Vec::new();
        for line in 0..=self.rows.len() {
            let mut text = padded(&columns[0][line], widths[0]);
            for (cells, width) in columns.iter().zip(&widths).skip(1) {
                text.push_str(&format!("   {:>width$}", cells[line]));
            }
            text = format!("{text}   {}", curves[line]).trim_end().into();
            lines.push(match line.checked_sub(1).map(|row| &self.rows[row]) {
                None => paint.bold(&text),
                Some(row) if row.is_model => text,
                Some(_) => paint.dim(&text),
            });
        }
        lines
    }

    fn names(&self) -> Vec<String> {
        let names = self.rows.iter().map(Row::title);
        std::iter::once("model".to_string()).chain(names).collect()
    }

    /// The first metric over everything and over the window, then the others over everything.
    fn columns(&self) -> Vec<Vec<String>> {
        let mut columns = Vec::new();
        for (metric, about) in self.metrics.iter().enumerate() {
            let whole = self.rows.iter().map(|row| row.whole[metric]);
            columns.push(column(about.title.into(), whole.collect()));
            if metric == 0 {
                let title = match self.over {
                    Over::Records(records) => format!("last {}", words::count(records)),
                    time @ Over::Time(_) => format!("last {time}"),
                };
                columns.push(column(title, self.rows.iter().map(|row| row.recent).collect()));
            }
        }
        columns
    }

    /// The curves, under what they range over. The models set the scale: a baseline far below would
    /// make them all look alike.
    fn curves(&self, room: usize) -> Vec<String> {
        let points = self.rows.iter().filter(|row| row.is_model).flat_map(|row| &row.points);
        let scale = Scale::of(points.flatten().copied());
        let (Some(scale), 8..) = (scale, room) else {
            return vec![String::new(); self.rows.len() + 1];
        };
        let shown = figures(&[Some(scale.low), Some(scale.high)]);
        let titles = [
            format!("since the beginning ({} to {})", shown[0], shown[1]),
            "since the beginning".into(),
            "from the start".into(),
            String::new(),
        ];
        let fits = |title: &String| width(title) <= room;
        let title = titles.into_iter().find(fits).unwrap_or_default();
        let curve = |row: &Row| curve::draw(&row.points, scale, room.min(32));
        std::iter::once(title).chain(self.rows.iter().map(curve)).collect()
    }

    fn verdict(&self) -> Option<Verdict> {
        let about = self.metrics.first()?;
        let better = |a: f64, b: f64| if about.higher_is_better { a > b } else { a < b };
        let best = |is_model: bool| {
            let rows = self.rows.iter().filter(|row| row.is_model == is_model);
            rows.filter_map(|row| Some((row, row.whole[0]?)))
                .reduce(|best, next| if better(next.1, best.1) { next } else { best })
        };
        let (model, model_figure) = best(true)?;
        let (baseline, baseline_figure) = best(false)?;
        Some(Verdict {
            model: model.name.clone(),
            baseline: baseline.name.clone(),
            metric: about.title,
            model_figure,
            baseline_figure,
            is_better: better(model_figure, baseline_figure),
        })
    }
}

impl std::fmt::Display for Verdict {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Verdict { model, baseline, metric, .. } = self;
        let shown = figures(&[Some(self.model_figure), Some(self.baseline_figure)]);
        if self.is_better {
            write!(f, "{model} beats {baseline}: {metric} {} against {}", shown[0], shown[1])
        } else {
            write!(
                f,
                "no model beats {baseline}: {metric} {} of {model} against {}",
                shown[0], shown[1]
            )
        }
    }
}

fn column(title: String, figures_of: Vec<Option<f64>>) -> Vec<String> {
    std::iter::once(title).chain(figures(&figures_of)).collect()
}

/// Figures that stand below each other: with as many decimals as the largest can do with.
pub(super) fn figures(values: &[Option<f64>]) -> Vec<String> {
    let sizes = values.iter().flatten().map(|value| value.abs());
    let largest = sizes.filter(|size| size.is_finite()).fold(0.0, f64::max);
    let decimals = match largest {
        10_000.0.. => 0,
        1_000.0.. => 1,
        100.0.. => 2,
        _ => 3,
    };
    let one = |value: &Option<f64>| match value {
        None => "-".into(),
        Some(value) if largest >= 1e9 || (largest < 0.01 && largest > 0.0) => {
            format!("{value:.3e}")
        }
        Some(value) if value.abs() >= 1_000.0 => {
            let text = format!("{value:.decimals$}");
            let (sign, digits) = match text.strip_prefix('-') {
                Some(digits) => ("-", digits),
                None => ("", text.as_str()),
            };
            let (whole, rest) = digits.split_at(digits.find('.').unwrap_or(digits.len()));
            format!("{sign}{}{rest}", words::count(whole.parse().unwrap_or_default()))
        }
        Some(value) => words::unsigned_zero(format!("{value:.decimals$}")),
    };
    values.iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ACCURACY: About = About { title: "accuracy", higher_is_better: true, range: (0.0, 1.0) };

    fn table() -> Table {
        let row = |name: &str, is_model, figure: f64| Row {
            name: name.into(),
            is_model,
            is_champion: name == "linear",
            whole: vec![Some(figure)],
            recent: Some(figure + 0.01),
            points: vec![Some(figure - 0.1), Some(figure)],
        };
        let rows = vec![row("linear", true, 0.88), row("no change", false, 0.853)];
        Table { metrics: vec![ACCURACY], over: Over::Records(1000), rows }
    }

    #[test]
    fn a_model_stands_beside_a_baseline() {
        let lines = table().lines(Paint::plain());
        let expected = concat!(
            "model       accuracy   last 1,000   \n",
            "linear *       0.880        0.890   ▁█\n",
            "no change      0.853        0.863   ▁▆",
        );
        let rest = "since the beginning (0.780 to 0.880)";
        let expected = expected.replacen("1,000   ", &format!("1,000   {rest}"), 1);
        assert_eq!(lines.join("\n"), expected);
    }

    #[test]
    fn what_has_no_metric_is_only_named() {
        let mut unjudged = table();
        unjudged.metrics.clear();
        for row in &mut unjudged.rows {
            (row.whole, row.recent, row.points) = (Vec::new(), None, Vec::new());
        }
        let alone = Board { tables: vec![unjudged.clone()] };
        let says = "models     linear *: not judged, as there is no metric";
        assert_eq!(alone.lines(Paint::plain()), [says]);
        assert_eq!(alone.verdict(), None);
        let both = Board { tables: vec![table(), unjudged.clone()] };
        assert_eq!(both.lines(Paint::plain())[3..], ["", says]);
        unjudged.rows.remove(0);
        assert!(Board { tables: vec![unjudged] }.lines(Paint::plain()).is_empty());
    }

    #[test]
    fn the_verdict_says_which_is_better() {
        let mut table = table();
        let says = "linear beats no change: accuracy 0.880 against 0.853";
        assert_eq!(table.verdict().unwrap().to_string(), says);
        table.rows[0].whole[0] = Some(0.8);
        let says = "no model beats no change: accuracy 0.800 of linear against 0.853";
        assert_eq!(table.verdict().unwrap().to_string(), says);
        table.rows.pop();
        assert_eq!(table.verdict(), None);
    }

    #[test]
    fn figures_have_as_many_decimals_as_the_largest_can_do_with() {
        assert_eq!(figures(&[Some(0.12345), None, Some(-5.9)]), ["0.123", "-", "-5.900"]);
        assert_eq!(figures(&[Some(12_345.6), Some(-1_234.5)]), ["12,346", "-1,234"]);
        assert_eq!(figures(&[Some(1_234.56), Some(0.5)]), ["1,234.6", "0.5"]);
        assert_eq!(figures(&[Some(0.00123)]), ["1.230e-3"]);
        assert_eq!(figures(&[Some(0.0), Some(-0.0001), Some(1.0)]), ["0.000", "0.000", "1.000"]);
    }
}
