//! From a draft to the text of a pipeline file.

use super::{
    draft::{Draft, From, LabelKind, Part, What},
    sample::Form,
    toml::{comment_text, key, line, list, long_list, text},
};
use crate::{screen::words::counted, tell::count};

const LEARNED: &str =
    "# ── what is learned: a change halts and asks ──────────────────────────────────────────";
const RUNS: &str =
    "# ── how it runs: change freely ────────────────────────────────────────────────────────";
/// A category of more names makes too many columns of 0 and 1, and too broad a tree.
const SPREAD_MAX: u32 = 100;
/// Clusters are found by distance, which many columns of 0 and 1 drown.
const SPREAD_MAX_CLUSTERS: u32 = 20;
/// Where all classes but one have less than this share, they are what a metric has to look at.
const RARE_SHARE: f64 = 0.05;

/// The text of the file.
pub(super) fn file(draft: &Draft) -> String {
    let steps = Steps::new(draft);
    let parts = [
        head(draft),
        input(draft),
        fields(draft),
        label(draft),
        features(draft, &steps),
        models(draft, &steps),
        runs(draft),
    ];
    let mut all = String::new();
    for part in parts.iter().filter(|part| !part.is_empty()) {
        if !all.is_empty() {
            all.push('\n');
        }
        all.push_str(part);
    }
    all
}

/// How many lines are marked as guesses.
pub(super) fn guesses(file: &str) -> usize {
    file.lines().filter(|line| line.contains("# guess")).count()
}

/// A share in percent.
pub(super) fn percent(share: f64) -> String {
    match share * 100.0 {
        percent if percent > 0.0 && percent < 0.05 => format!("{percent:.3} %"),
        percent if percent > 99.9 && percent < 100.0 => format!("{percent:.3} %"),
        percent => format!("{percent:.1} %"),
    }
}

/// The steps, and which fields each takes.
struct Steps {
    scaled: (String, Vec<String>),
    coded: (String, Vec<String>),
    hashed: (String, Vec<String>),
    before: Option<String>,
    flags: Vec<String>,
    categories: Vec<String>,
}

impl Steps {
    fn new(draft: &Draft) -> Steps {
        let spread = match draft.label {
            None => SPREAD_MAX_CLUSTERS,
            Some(_) => SPREAD_MAX,
        };
        let is_small = |what: &What| matches!(what, What::Category { room, .. } if *room <= spread);
        let is_large = |what: &What| {
            *what == What::Id || matches!(what, What::Category { room, .. } if *room > spread)
        };
        let numbers = draft.names(|what| matches!(what, What::Number | What::Numbers(_)));
        // Only the linear models take columns of 0 and 1, and what is hashed.
        let is_linear = draft.is_linear();
        let if_linear = |names: Vec<String>| if is_linear { names } else { Vec::new() };
        let coded = match draft.label {
            None => draft.names(is_small),
            Some(_) => if_linear(draft.names(is_small)),
        };
        let categories = draft.names(is_small);
        Steps {
            scaled: (draft.step("scaled"), numbers),
            coded: (draft.step("coded"), coded),
            hashed: (draft.step("hashed"), if_linear(draft.names(is_large))),
            before: draft.label.is_some().then(|| draft.step("before")),
            flags: draft.names(|what| *what == What::Flag),
            categories,
        }
    }

    /// What a model uses that takes numbers and what is hashed.
    fn linear(&self, hashes: bool) -> Vec<String> {
        let mut uses = Vec::new();
        let mut step = |(name, of): &(String, Vec<String>)| {
            if !of.is_empty() {
                uses.push(name.clone());
            }
        };
        step(&self.scaled);
        step(&self.coded);
        if hashes {
            step(&self.hashed);
        }
        uses.extend(self.flags.iter().cloned());
        uses.extend(self.before.clone());
        uses
    }

    /// What a tree uses: it takes categories as they are.
    fn tree(&self) -> Vec<String> {
        let mut uses = Vec::new();
        if !self.scaled.1.is_empty() {
            uses.push(self.scaled.0.clone());
        }
        uses.extend(self.categories.iter().chain(&self.flags).cloned());
        uses.extend(self.before.clone());
        uses
    }
}

impl Draft {
    /// Whether there is a linear model: for two classes, and for numbers.
    fn is_linear(&self) -> bool {
        self.label.as_ref().is_some_and(|label| match &label.kind {
            LabelKind::Classes(classes) => classes.len() == 2,
            LabelKind::ManyClasses(_) => false,
            LabelKind::Number => true,
        })
    }

    /// Whether nearly all labels are of one class.
    fn is_rare(&self) -> bool {
        let counts = self.classes().into_iter().map(|(_, count)| count);
        let (most, all) = counts.fold((0, 0), |(most, all), count| (count.max(most), count + all));
        all > 0 && ((all - most) as f64) < RARE_SHARE * all as f64
    }

    /// The classes in the order of their codes: words for no before words for yes, numbers by size;
    /// of two others the rarer is the second, which is the one to find.
    pub(super) fn classes(&self) -> Vec<(String, u64)> {
        let Some(LabelKind::Classes(classes)) = self.label.as_ref().map(|label| &label.kind) else {
            return Vec::new();
        };
        let mut sorted = classes.clone();
        let number = |name: &str| name.trim().parse::<f64>().ok();
        let are_numbers = sorted.iter().all(|(name, _)| number(name).is_some());
        if are_numbers {
            let by = |(a, _): &(String, u64), (b, _): &(String, u64)| {
                number(a).unwrap_or(0.0).total_cmp(&number(b).unwrap_or(0.0))
            };
            sorted.sort_by(by);
        } else if let [first, second] = sorted.as_slice() {
            let is_no = |name: &str| {
                let name = name.trim().to_lowercase();
                ["false", "no", "n", "f", "negative", "neg", "normal", "ok"].contains(&&*name)
            };
            let swaps = match (is_no(&first.0), is_no(&second.0)) {
                (true, false) => false,
                (false, true) => true,
                _ => second.1 > first.1,
            };
            if swaps {
                sorted.swap(0, 1);
            }
        }
        sorted
    }

    /// A round number near a fifth of the records, at most so many.
    fn round_fifth(&self, most: u64) -> u64 {
        let steps = [10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000];
        let fits = |step: &&u64| **step * 5 <= self.records && **step <= most;
        steps.iter().rev().find(fits).copied().unwrap_or(10)
    }
}

fn head(draft: &Draft) -> String {
    let columns = draft.used().count();
    let s = if columns == 1 { "" } else { "s" };
    let what = match &draft.label {
        Some(label) => match columns {
            0 => format!("What will {} be, by its past alone?", comment_text(&label.path)),
            _ => format!("What is {}, by {columns} other column{s}?", comment_text(&label.path)),
        },
        None => format!("Which clusters are there in {columns} column{s}?"),
    };
    let (read, sample) = (counted(draft.read, "record"), comment_text(&draft.sample));
    let seen = match draft.from {
        From::File(_) => format!("{read} of {sample}."),
        From::Topic { .. } => format!("By {read} of {sample}, which has {}.", count(draft.records)),
    };
    format!("# {what} {seen}\nname = {}\n\n{LEARNED}\n", text(&draft.name))
}

fn input(draft: &Draft) -> String {
    let mut lines = vec![format!("[input.{}]", key(&draft.name))];
    match &draft.from {
        From::File(load) => {
            let load = format!("load = {}", text(load));
            lines.push(line(&load, "fills the topic once, while it is empty"));
        }
        From::Topic { topic, .. } if *topic != draft.name => {
            lines.push(format!("topic = {}", text(topic)));
        }
        From::Topic { .. } => {}
    }
    match &draft.form {
        Form::Json => lines.push("format = \"json\"".into()),
        Form::Csv { delimiter, columns, has_header } => {
            let note = if *has_header { "" } else { "guess: no header, so made up" };
            let short = match delimiter {
                ',' => format!("format.csv = {{ columns = {} }}", list(columns)),
                other => {
                    let (columns, other) = (list(columns), text(&other.to_string()));
                    format!("format.csv = {{ columns = {columns}, delimiter = {other} }}")
                }
            };
            if short.chars().count() <= 120 {
                lines.push(line(&short, note));
            } else {
                lines.push(line(&long_list("format.csv.columns = ", columns), note));
                if *delimiter != ',' {
                    let delimiter = text(&delimiter.to_string());
                    lines.push(format!("format.csv.delimiter = {delimiter}"));
                }
            }
        }
    }
    let label = draft.label.as_ref().map(|label| (&label.name, &label.path));
    let parts = draft.used().map(|part| (&part.name, &part.path));
    let mut note = "a field's place in the record, where it is not its name";
    for (name, path) in parts.chain(label).filter(|(name, path)| name != path) {
        lines.push(line(&format!("paths.{} = {}", key(name), text(path)), note));
        note = "";
    }
    if let Some(time) = &draft.time {
        let code = format!("time.{} = {}", time.unit, text(&time.path));
        lines.push(line(&code, "guess: when it happened; spans are counted in it"));
    }
    lines.join("\n") + "\n"
}

fn fields(draft: &Draft) -> String {
    let mut lines = Vec::new();
    for part in &draft.parts {
        match part.what {
            What::LeftOut => {
                let note = part.note.as_deref().unwrap_or_default();
                let path = comment_text(&part.path);
                lines.push(format!("# {path}: {}", comment_text(note)));
            }
            _ => lines.push(field(part)),
        }
    }
    if lines.is_empty() {
        return String::new();
    }
    let header = line("[fields]", "what is not named is not read");
    format!("{header}\n{}\n", lines.join("\n"))
}

fn field(part: &Part) -> String {
    let name = key(&part.name);
    let missing = |value: &str| part.gaps.map(|_| format!("missing = {value}"));
    let (kind, settings) = match &part.what {
        What::Number => ("number", missing("\"mean\"")),
        What::Flag => ("flag", missing("\"previous\"")),
        What::Id => ("id", None),
        What::Numbers(count) => match missing("\"mean\"") {
            None => return line(&format!("{name}.numbers = {count}"), note(part).as_str()),
            Some(missing) => ("numbers", Some(format!("count = {count}, {missing}"))),
        },
        What::Category { values, room } => {
            let missing = missing("\"missing\"");
            let settings = match (values.is_empty(), missing) {
                (true, None) => format!("values_max = {room}"),
                (true, Some(missing)) => format!("values_max = {room}, {missing}"),
                (false, None) => {
                    let code = format!("{name}.category = {}", list(values));
                    return line(&code, note(part).as_str());
                }
                (false, Some(missing)) => {
                    let mut values = values.clone();
                    if !values.iter().any(|value| value == "missing") {
                        values.push("missing".into());
                    }
                    format!("values = {}, {missing}", list(&values))
                }
            };
            ("category", Some(settings))
        }
        What::LeftOut => return String::new(),
    };
    let code = match settings {
        None => format!("{name} = \"{kind}\""),
        Some(settings) => format!("{name}.{kind} = {{ {settings} }}"),
    };
    line(&code, &note(part))
}

fn note(part: &Part) -> String {
    let gaps = part.gaps.map(|share| format!("{} of the records lack it", percent(share)));
    match (&part.note, gaps) {
        (Some(note), Some(gaps)) => format!("{note}; {gaps}"),
        (Some(note), None) => note.clone(),
        (None, gaps) => gaps.unwrap_or_default(),
    }
}

fn label(draft: &Draft) -> String {
    let Some(label) = &draft.label else { return String::new() };
    let never = "never a feature: only steps that look back may read it";
    let guess = label.guess.map(|why| format!("guess: {why}")).unwrap_or_default();
    let mut lines =
        vec![line("[label]", never), line(&format!("field = {}", text(&label.name)), &guess)];
    lines.push(match &label.kind {
        LabelKind::Number => "type = \"number\"".into(),
        LabelKind::ManyClasses(most) => {
            line(&format!("type.class = {{ values_max = {most} }}"), "too many to list")
        }
        LabelKind::Classes(_) => {
            let classes = draft.classes();
            let names: Vec<&str> = classes.iter().map(|(name, _)| name.as_str()).collect();
            let all: u64 = classes.iter().map(|(_, count)| count).sum();
            let note = match classes.as_slice() {
                [_, (second, count)] => {
                    let share = percent(*count as f64 / all.max(1) as f64);
                    format!("the second is the one to find: {second} in {share}")
                }
                _ => "others are refused".to_string(),
            };
            line(&long_list("type.class = ", &names), &note)
        }
    });
    lines.join("\n") + "\n"
}

fn features(draft: &Draft, steps: &Steps) -> String {
    let mut lines = Vec::new();
    let mut list_of = |(name, of): &(String, Vec<String>), kind: &str, note: &str| {
        if !of.is_empty() {
            lines.push(line(&long_list(&format!("{}.{kind} = ", key(name)), of), note));
        }
    };
    list_of(&steps.scaled, "standardize", "");
    list_of(&steps.coded, "one_hot", "a column of 0 and 1 for each name");
    if !steps.hashed.1.is_empty() {
        let (name, of) = (key(&steps.hashed.0), list(&steps.hashed.1));
        let code = format!("{name}.hash = {{ of = {of}, bits = 18 }}");
        lines.push(line(&code, "any number of names"));
    }
    if let Some(before) = &steps.before {
        let is_number = draft.label.as_ref().is_some_and(|label| label.kind == LabelKind::Number);
        let (code, note) = match is_number || draft.used().count() == 0 {
            true => (
                format!("{}.lag = {{ of = [\"label\"], back = [1, 2, 3] }}", key(before)),
                "the newest answers known: honest",
            ),
            false => (
                format!("{}.lag = [\"label\"]", key(before)),
                "the newest answer known when a record comes: honest",
            ),
        };
        lines.push(line(&code, note));
    }
    if lines.is_empty() {
        return String::new();
    }
    let header = line("[features]", "name.kind = settings; a model uses the name");
    format!("{header}\n{}\n", lines.join("\n"))
}

fn models(draft: &Draft, steps: &Steps) -> String {
    // By its default a leaf is left whole where one class has 99 % of it.
    let share = if draft.is_rare() { ", majority_share_max = 1.0" } else { "" };
    let tree = |more: &str| {
        let uses = long_list("use = ", &steps.tree());
        let settings = format!("grace_period = 200, memory_max = \"64 MiB\"{share}");
        let note = if draft.is_rare() { "1.0: looks for rare classes" } else { "" };
        let learner = line(&format!("learner.hoeffding_tree = {{ {settings} }}"), note);
        format!("{uses}\n{learner}\n{more}")
    };
    let linear = long_list("use = ", &steps.linear(true));
    match draft.label.as_ref().map(|label| &label.kind) {
        None => {
            let uses = long_list("use = ", &steps.linear(false));
            let learner = line("learner.k_means = { k = 3 }", "guess: try other numbers");
            format!("[model.clusters]\n{uses}\n{learner}\n")
        }
        Some(LabelKind::Number) => {
            format!("[model.linear]\n{linear}\nlearner = \"linear_regression\"\n")
        }
        Some(_) if draft.is_linear() => format!(
            "[model.linear]\n{linear}\nlearner = \"logistic_regression\"\n\n[model.tree]\n{}",
            tree("")
        ),
        Some(_) => {
            let again = line("reset_on = \"adwin\"", "begins anew when its error changes");
            format!("[model.tree]\n{}\n[model.fresh]\n{}", tree(""), tree(&format!("{again}\n")))
        }
    }
}

fn runs(draft: &Draft) -> String {
    let (metrics, note, first): (&[&str], _, _) = match draft.label.as_ref().map(|l| &l.kind) {
        None => (&["sum_of_squares"], "", "clusters"),
        Some(LabelKind::Number) => (&["mae", "rmse", "r2"], "", "linear"),
        Some(_) if draft.is_rare() => (
            // F1 is that of the second class: of no use where that is the common one.
            match draft.classes().as_slice() {
                [(_, first), (_, second)] if second < first => {
                    &["f1", "balanced_accuracy", "log_loss"]
                }
                _ => &["balanced_accuracy", "accuracy", "log_loss"],
            },
            "accuracy says little of so rare a class",
            if draft.is_linear() { "linear" } else { "tree" },
        ),
        Some(_) if draft.is_linear() => (&["accuracy", "kappa_t", "log_loss"], "", "linear"),
        Some(_) => (&["accuracy", "kappa_t", "log_loss"], "", "tree"),
    };
    let beside = match draft.label.as_ref().map(|label| &label.kind) {
        None => "",
        Some(LabelKind::Number) => "no change and the mean always stand beside",
        Some(_) => "no change and majority always stand beside",
    };
    let mut lines = vec![format!("{RUNS}\n"), line("[judge]", beside)];
    lines.push(line(&format!("metrics = {}", list(metrics)), note));
    lines.push(format!("over = \"{} records\"", draft.round_fifth(1000)));
    if draft.label.is_some() {
        lines.push(line("drift = \"adwin\"", "on each model's error: an alarm"));
    }
    lines.push(format!("\n[champion]\nfirst = \"{first}\""));
    let every = draft.round_fifth(10_000);
    lines.push(format!("\n[versions]\nevery = \"{every} records\"\nkeep = \"20 versions\""));
    if let Some(share) = draft.refused_share {
        let code = format!("share_max = {share}");
        let code = line(&code, "guess: the sample has many records that are refused");
        lines.push(format!("\n[refusals]\n{code}"));
    }
    if let From::Topic { log, .. } = &draft.from {
        let mut table = "";
        for (key, value) in log {
            let Some((path, setting)) = key.rsplit_once('.') else { continue };
            if path != table {
                lines.push(format!("\n[{path}]"));
                table = path;
            }
            lines.push(format!("{setting} = {}", text(value)));
        }
    }
    lines.join("\n") + "\n"
}
