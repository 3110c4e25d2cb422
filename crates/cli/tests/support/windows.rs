//! Anomalies that were found, held against stretches of time in which somebody saw one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::Read,
    path::Path,
};

use serde_json::Value;

/// Whose record it is, and when it was.
type Record = (String, String);

/// What the anomalies of one model come to.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Counts {
    /// How many there are.
    pub(crate) anomalies: f64,
    /// How many windows have at least one.
    pub(crate) windows: f64,
    /// How many windows would have one on average, if each sensor's anomalies, so many as there
    /// are, were drawn from its records at random.
    pub(crate) at_random: f64,
    /// Which share of the anomalies lies in a window.
    pub(crate) inside: f64,
}

/// The lines of a file of comma-separated texts, without the header.
fn lines(text: &str) -> impl Iterator<Item = [String; 3]> {
    text.lines().skip(1).map(|line| {
        let cells: Vec<String> = line.split(',').map(String::from).collect();
        cells.try_into().unwrap()
    })
}

/// Which share of the records lies in a window, and the counts of each model, in a folder that
/// holds `sensors.csv.xz` and `windows.csv`. `shown` is what `alluvium show PIPELINE predictions
/// --json --last 0` prints.
pub(crate) fn counts(folder: &Path, shown: &str) -> (f64, BTreeMap<String, Counts>) {
    let mut text = String::new();
    let file = File::open(folder.join("sensors.csv.xz")).unwrap();
    liblzma::read::XzDecoder::new(file).read_to_string(&mut text).unwrap();
    let records: Vec<Record> = lines(&text).map(|[sensor, at, _]| (sensor, at)).collect();
    let windows = std::fs::read_to_string(folder.join("windows.csv")).unwrap();
    let windows: Vec<[String; 3]> = lines(&windows).collect();
    let mut found: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for line in shown.lines() {
        let answer: Value = serde_json::from_str(line).unwrap();
        assert_eq!(answer["anomaly"], true, "{line}");
        let at = answer["at"].as_str().unwrap();
        let offset: usize = at.strip_prefix("sensors:0:").unwrap().parse().unwrap();
        assert_eq!(answer["carry"]["sensor"], *records[offset].0, "{line}");
        let is_new = found.entry(answer["model"].as_str().unwrap().into()).or_default();
        assert!(is_new.insert(offset), "twice: {line}");
    }
    let of_model = |(model, found)| (model, of(&records, &windows, &found));
    let inside = of(&records, &windows, &(0..records.len()).collect()).inside;
    (inside, found.into_iter().map(of_model).collect())
}

fn of(records: &[Record], windows: &[[String; 3]], found: &BTreeSet<usize>) -> Counts {
    // Of each sensor when its records were, and whether they were found.
    let mut sensors: BTreeMap<&str, Vec<(&str, bool)>> = BTreeMap::new();
    for (offset, (sensor, at)) in records.iter().enumerate() {
        sensors.entry(sensor).or_default().push((at, found.contains(&offset)));
    }
    let mut counts = Counts { anomalies: found.len() as f64, ..Counts::default() };
    for [sensor, from, to] in windows {
        let all = &sensors[sensor.as_str()];
        // All times are written alike, so they compare as texts do.
        let in_window = all.iter().filter(|(at, _)| (from.as_str()..=to.as_str()).contains(at));
        let (size, hits) =
            in_window.fold((0, 0), |(n, hits), (_, is)| (n + 1, hits + u64::from(*is)));
        assert!(size > 0, "no record of {sensor} from {from} to {to}");
        counts.inside += hits as f64 / counts.anomalies;
        counts.windows += f64::from(hits > 0);
        let drawn = all.iter().filter(|(_, is_found)| *is_found).count();
        counts.at_random += 1.0 - missed(all.len(), size, drawn);
    }
    counts
}

/// How likely none of `drawn` records out of `all` is one of `size`.
fn missed(all: usize, size: usize, drawn: usize) -> f64 {
    (0..size).map(|at| all.saturating_sub(drawn + at) as f64 / (all - at) as f64).product()
}

#[test]
fn chance_is_counted_without_drawing() {
    assert_eq!(missed(10, 3, 0), 1.0);
    assert_eq!(missed(10, 10, 1), 0.0);
    // 6 of the 10 pairs out of 5 leave out one record, and 3 of the 10 leave out two.
    assert!((missed(5, 1, 2) - 0.6).abs() < 1e-12);
    assert!((missed(5, 2, 2) - 0.3).abs() < 1e-12);
}
