//! What the README files and the guide quote of the examples is what the examples give: the screen
//! of the first run, every figure, every version's digest.
//!
//! `UPDATE_EXPECT=1 cargo test -p alluvium --test quoted` writes the screen, the figures of tables
//! and the digests anew. Figures in sentences it only names: what is said of them may be no longer
//! true.

#![allow(clippy::unwrap_used)]

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use alluvium_fraud::{Made, Plan};
use serde_json::Value;
use weeks::Weeks;

#[path = "support/weeks.rs"]
mod weeks;
#[path = "support/windows.rs"]
mod windows;

/// What tables call the metrics.
const TITLES: [(&str, &str); 20] = [
    ("accuracy", "accuracy"),
    ("kappa-t", "kappa_t"),
    ("kappa", "kappa"),
    ("log loss", "log_loss"),
    ("balanced", "balanced_accuracy"),
    ("area under ROC", "roc_auc"),
    ("mean absolute error", "mae"),
    ("root mean square", "rmse"),
    ("R2", "r2"),
    ("mean squared distance to the centre", "sum_of_squares"),
    ("anomalies", "anomalies"),
    ("windows with one", "windows"),
    ("at random", "at_random"),
    ("share inside windows", "inside"),
    ("average precision", "average_precision"),
    ("recall at alerts", "recall_at"),
    ("count", "count"),
    ("payments of a week: linear", "by_linear"),
    ("tree", "by_tree"),
    ("days after 1 March", "days"),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// What the runs of an example gave.
#[derive(Default)]
struct Given {
    /// By row and metric.
    figures: BTreeMap<(String, String), f64>,
    /// By `MODEL@VERSION`, of the first run alone.
    digests: BTreeMap<String, String>,
    /// What the first run printed.
    screen: String,
    /// What it looks like.
    picture: String,
}

/// A copy of an example, in a folder of its own.
struct Copy(tempfile::TempDir);

impl Copy {
    fn of(example: &str) -> Copy {
        let copy = Copy(tempfile::tempdir().unwrap());
        // That of the clusters reads the records of the weather.
        for example in [example, "weather"] {
            let to = copy.0.path().join("examples").join(example);
            fs::create_dir_all(&to).unwrap();
            for entry in fs::read_dir(root().join("examples").join(example)).unwrap() {
                let entry = entry.unwrap();
                if entry.file_type().unwrap().is_file() {
                    fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
                }
            }
        }
        copy
    }

    fn call(&self, arguments: &[&str]) -> String {
        let output = Command::new(env!("CARGO_BIN_EXE_alluvium"))
            .args(arguments)
            .current_dir(self.0.path())
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// The figures of a run, the rows' names followed by `after`.
    fn run(&self, arguments: &[&str], after: &str, given: &mut Given) {
        let text = self.call(&[&["run", "--json"][..], arguments].concat());
        for line in text.lines() {
            let event: Value = serde_json::from_str(line).unwrap();
            let mut take = |name: &str, metrics: &Value| {
                let name = format!("{}{after}", name.replace("no_change", "no change"));
                for (metric, value) in metrics.as_object().into_iter().flatten() {
                    let Some(value) = value.as_f64() else { continue };
                    given.figures.insert((name.clone(), metric.clone()), value);
                }
            };
            if event["event"] == "summary" {
                for (name, entry) in event["models"].as_object().unwrap() {
                    take(name, &entry["metrics"]);
                }
                for (name, metrics) in event["baselines"].as_object().unwrap() {
                    take(name, metrics);
                }
            }
            if event["event"] == "version" && after.is_empty() {
                let name = format!("{}@{}", event["model"].as_str().unwrap(), event["version"]);
                given.digests.insert(name, event["state_digest"].as_str().unwrap().into());
            }
        }
    }

    /// What the anomalies of the sensors come to: the figures of models without a label.
    fn anomalies(&self, given: &mut Given) {
        let folder = self.0.path().join("examples/sensors");
        let shown = self.call(&[
            "show",
            "examples/sensors/pipeline.toml",
            "predictions",
            "--json",
            "--last",
            "0",
        ]);
        let (inside, models) = windows::counts(&folder, &shown);
        given.figures.insert(("all records".into(), "inside".into()), inside);
        for (model, counts) in models {
            let windows::Counts { anomalies, windows, at_random, inside } = counts;
            for (name, value) in [
                ("anomalies", anomalies),
                ("windows", windows),
                ("at_random", at_random),
                ("inside", inside),
            ] {
                given.figures.insert((model.clone(), name.into()), value);
            }
        }
    }

    /// How often each thing happened to a label, and how well each week was answered.
    fn late_labels(&self, made: &Made, given: &mut Given) {
        let file = "examples/fraud/pipeline.toml";
        let status: Value = serde_json::from_str(&self.call(&["status", file, "--json"])).unwrap();
        for (name, count) in status["labels"].as_object().unwrap() {
            let Some(count) = count.as_f64() else { continue };
            given.figures.insert((name.replace('_', " "), "count".into()), count);
        }
        let shown = |what| self.call(&["show", file, what, "--json", "--last", "0"]);
        let weeks = Weeks::of(made, &shown("predictions"), &shown("alarms"));
        given.figures.extend(weeks.figures());
        given.picture = weeks.picture();
    }

    fn edit(&self, from: &str, to: &str, changes: &[(&str, &str)]) {
        let mut text = fs::read_to_string(self.0.path().join(from)).unwrap();
        for (from, to) in changes {
            assert!(text.contains(from), "{from}");
            text = text.replace(from, to);
        }
        fs::write(self.0.path().join(to), text).unwrap();
    }
}

fn given(example: &str) -> Given {
    let (copy, mut given) = (Copy::of(example), Given::default());
    let file = format!("examples/{example}/pipeline.toml");
    if example == "fraud" {
        let made = alluvium_fraud::make(&Plan::default());
        made.write(&copy.0.path().join("examples/fraud/data")).unwrap();
        copy.run(&[&file], "", &mut given);
        copy.late_labels(&made, &mut given);
        return given;
    }
    if example == "electricity" {
        given.screen = copy.call(&["run", &file]);
        // From the beginning again, for the events.
        fs::remove_dir_all(copy.0.path().join("examples/electricity/alluvium")).unwrap();
    }
    copy.run(&[&file], "", &mut given);
    if example == "sensors" {
        copy.anomalies(&mut given);
    }
    if example == "electricity" {
        let secret = "examples/electricity/secret.toml";
        copy.run(&[secret], " on `above`", &mut given);
        let without = "examples/electricity/without.toml";
        copy.edit(&file, without, &[(r#"["scaled", "before"]"#, r#"["scaled"]"#)]);
        copy.run(&[without, "--as", "without"], " without", &mut given);
        let fixed = "examples/electricity/fixed.toml";
        let learner = r#"learner = "logistic_regression""#;
        let to = "learner.logistic_regression = { intercept = false }";
        copy.edit(secret, fixed, &[(learner, to)]);
        copy.run(&[fixed, "--as", "fixed"], " fixed", &mut given);
    }
    given
}

/// A page, checked against what an example gave, and what is wrong with it.
struct Page<'a> {
    given: &'a Given,
    titles: Vec<String>,
    /// The version that was named last.
    version: Option<String>,
    wrong: Vec<String>,
}

impl Page<'_> {
    /// The page as it should be.
    fn mended(&mut self, text: &str) -> String {
        let mut lines: Vec<String> = Vec::new();
        let mut is_code = false;
        for line in text.lines() {
            is_code ^= line.starts_with("```");
            if is_code {
                lines.push(line.into());
                continue;
            }
            let line = if line.starts_with('|') { self.row(line) } else { line.into() };
            let line = self.digests(&line);
            self.sentence(&line);
            lines.push(line);
        }
        lines.join("\n") + "\n"
    }

    /// A row of a table whose columns are metrics.
    fn row(&mut self, line: &str) -> String {
        let cells: Vec<String> =
            line.trim_matches('|').split('|').map(|c| c.trim().into()).collect();
        let metric = |title: &String| TITLES.iter().find(|(known, _)| known == title);
        if cells.len() > 1 && cells[1..].iter().all(|cell| metric(cell).is_some()) {
            self.titles = cells[1..].iter().map(|c| metric(c).unwrap().1.to_string()).collect();
            return line.into();
        }
        if self.titles.len() + 1 != cells.len() || cells[1].starts_with("---") {
            return line.into();
        }
        let mut row = vec![cells[0].clone()];
        for (cell, metric) in cells[1..].iter().zip(&self.titles) {
            let Some(value) = self.given.figures.get(&(cells[0].clone(), metric.clone())) else {
                self.wrong.push(format!("no run gives `{}` a {metric}", cells[0]));
                return line.into();
            };
            let decimals = cell.split_once('.').map_or(0, |(_, rest)| rest.len());
            let figure = format!("{value:.decimals$}");
            // What is rounded to nothing has no sign.
            let is_zero = figure.chars().all(|c| "-.0".contains(c));
            row.push(if is_zero { figure.replace('-', "") } else { figure });
        }
        format!("| {} |", row.join(" | "))
    }

    /// A digest is quoted by its first eight digits, after the version it is of.
    fn digests(&mut self, line: &str) -> String {
        let mut words: Vec<String> = line.split('`').map(String::from).collect();
        for word in words.iter_mut().skip(1).step_by(2) {
            if self.given.digests.contains_key(word.as_str()) {
                self.version = Some(word.clone());
            }
            let digits = word.trim_end_matches('…');
            if digits.len() == 8 && digits.chars().all(|c| c.is_ascii_hexdigit()) {
                match &self.version {
                    Some(version) => {
                        *word = word.replace(digits, &self.given.digests[version][..8])
                    }
                    None => self.wrong.push(format!("`{word}` stands after no version")),
                }
            }
        }
        words.join("`")
    }

    /// A figure of three or four decimals is one that a run gave.
    fn sentence(&mut self, line: &str) {
        for word in line.split(|c: char| !c.is_ascii_digit() && c != '.') {
            let word = word.trim_end_matches('.');
            let decimals = word.split_once('.').map_or(0, |(_, rest)| rest.len());
            if !(3..=4).contains(&decimals) || word.matches('.').count() > 1 {
                continue;
            }
            let is_given = |value: &f64| format!("{:.decimals$}", value.abs()) == word;
            if !self.given.figures.values().any(is_given) {
                self.wrong.push(format!("no run gives {word}: {line}"));
            }
        }
    }
}

/// The screen of the first run, without what differs from machine to machine.
fn plain(screen: &str) -> Vec<String> {
    let lines = screen.lines().filter(|line| !line.trim().is_empty());
    let machine = |line: &str| match line.split_once(" in ") {
        Some((learned, _)) if line.starts_with("learned") => learned.to_string(),
        _ => line
            .split(" MiB")
            .next()
            .unwrap()
            .trim_end_matches(|c: char| ".0123456789".contains(c))
            .into(),
    };
    lines.map(machine).collect()
}

/// The page with the screen in the place of the block that begins with the command.
fn with_screen(text: &str, screen: &str) -> (String, bool) {
    let command = "$ alluvium run examples/electricity/pipeline.toml\n\n";
    let (before, rest) = text.split_once(command).unwrap();
    let (quoted, after) = rest.split_once("```").unwrap();
    let is_same = plain(quoted) == plain(screen);
    (format!("{before}{command}{}\n```{after}", screen.trim_end()), is_same)
}

/// Holds a page against what is right; writes it anew if that is wished.
fn check(path: &str, given: &Given) {
    let file = root().join(path);
    let text = fs::read_to_string(&file).unwrap();
    let mut page = Page { given, titles: Vec::new(), version: None, wrong: Vec::new() };
    let mut mended = page.mended(&text);
    if path == "README.md" {
        let (screen, is_same) = with_screen(&mended, &given.screen);
        if !is_same {
            mended = screen;
        }
    }
    if mended != text && std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&file, &mended).unwrap();
    } else {
        let pairs = text.lines().zip(mended.lines()).filter(|(is, should)| is != should);
        page.wrong
            .extend(pairs.take(20).map(|(is, should)| format!("is      {is}\nshould  {should}")));
    }
    assert!(page.wrong.is_empty(), "{path}:\n{}", page.wrong.join("\n"));
}

#[test]
fn what_is_quoted_of_electricity_is_what_it_gives() {
    let given = given("electricity");
    for page in ["README.md", "docs/guide/tutorial.md", "docs/guide/features.md"] {
        check(page, &given);
    }
    check("examples/electricity/README.md", &given);
}

#[test]
fn what_is_quoted_of_the_other_examples_is_what_they_give() {
    for example in ["clusters", "no2", "sea", "weather"] {
        check(&format!("examples/{example}/README.md"), &given(example));
    }
}

/// This counts what `examples/sensors/README.md` says of its anomalies.
#[test]
fn what_is_quoted_of_the_sensors_is_what_they_give() {
    check("examples/sensors/README.md", &given("sensors"));
}

/// This makes a million payments, learns them, and draws the picture.
#[test]
fn what_is_quoted_of_the_fraud_is_what_it_gives() {
    let given = given("fraud");
    let file = root().join("examples/fraud/weeks.svg");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        fs::write(&file, &given.picture).unwrap();
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), given.picture, "UPDATE_EXPECT=1 draws it anew");
    check("examples/fraud/README.md", &given);
}

/// A page that quotes figures of an example has to be held against it above.
#[test]
fn no_other_page_of_the_guide_quotes_a_figure_or_a_digest() {
    let nothing = Given::default();
    for entry in fs::read_dir(root().join("docs/guide")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let text = fs::read_to_string(root().join("docs/guide").join(&name)).unwrap();
        // The first two are held against their example above; the figures of the third are no
        // measurements: a coin's log loss, the value of a setting.
        let others = ["tutorial.md", "features.md", "judging-and-drift.md"];
        if !others.contains(&name.as_str()) {
            let mut page =
                Page { given: &nothing, titles: Vec::new(), version: None, wrong: Vec::new() };
            page.mended(&text);
            assert!(page.wrong.is_empty(), "{name}:\n{}", page.wrong.join("\n"));
        }
    }
}
