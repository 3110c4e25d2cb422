//! Loads River's streams and answers from `tests/oracles/river`.

use std::{fs, io::Cursor, path::Path};

/// A stream: features and label of each row.
pub(crate) struct Stream {
    pub(crate) rows: Vec<Vec<f64>>,
    pub(crate) labels: Vec<f64>,
}

/// The lines of a compressed file, without the header.
fn lines(name: &str) -> Vec<String> {
    let file = format!("{name}.csv.xz");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/oracles/river").join(&file);
    let packed = fs::read(&path).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut text = Vec::new();
    lzma_rs::xz_decompress(&mut Cursor::new(packed), &mut text)
        .unwrap_or_else(|error| panic!("{file}: {error:?}"));
    let text = String::from_utf8(text).unwrap();
    text.lines().skip(1).map(String::from).collect()
}

/// A number, with Python's flags as 0 and 1.
fn number(text: &str) -> f64 {
    match text {
        "True" => 1.0,
        "False" => 0.0,
        text => text.parse().unwrap_or_else(|_| panic!("`{text}` is no number")),
    }
}

/// A stream by its name.
pub(crate) fn stream(name: &str) -> Stream {
    let (mut rows, mut labels) = (Vec::new(), Vec::new());
    for line in lines(name) {
        let mut row: Vec<f64> = line.split(',').map(number).collect();
        labels.push(row.pop().unwrap());
        rows.push(row);
    }
    Stream { rows, labels }
}

/// What a model answered to each row of a stream, before it learned the row; `None` where it did
/// not answer yet.
pub(crate) fn answers(stream: &str, model: &str) -> Vec<Option<f64>> {
    let answer = |line: &String| {
        let text = line.rsplit(',').next().unwrap();
        (!text.is_empty() && text != "None").then(|| number(text))
    };
    lines(&format!("{stream}__{model}")).iter().map(answer).collect()
}
