//! Streams and River's row-by-row predictions for them, out of `tests/oracles/river`.

/// A stream in its order, and what River answered to each row before it learned it.
pub(crate) struct Oracle {
    /// The features of each row.
    pub(crate) rows: Vec<Vec<f64>>,
    /// The class of each row, as the place of its name among all names, sorted.
    pub(crate) truths: Vec<u32>,
    /// River's answers as text: the probability of the second class of two, or the class's name in
    /// quotes; `None` where it had none yet.
    pub(crate) answers: Vec<String>,
    /// The classes' names, sorted.
    pub(crate) classes: Vec<String>,
}

/// The text of an xz-compressed oracle file.
pub(crate) fn text(path: &str) -> String {
    let path = format!("{}/tests/oracles/river/{path}.csv.xz", env!("CARGO_MANIFEST_DIR"));
    let packed = std::fs::read(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let mut plain = Vec::new();
    lzma_rs::xz_decompress(&mut packed.as_slice(), &mut plain).unwrap();
    String::from_utf8(plain).unwrap()
}

/// Reads a stream and the answers of one of River's models to it.
pub(crate) fn load(stream: &str, model: &str) -> Oracle {
    let data = text(&format!("data/{stream}"));
    let split = |line: &str| line.rsplit_once(',').map(|(x, y)| (x.to_string(), y.to_string()));
    let rows: Vec<(String, String)> =
        data.lines().skip(1).map(|line| split(line).unwrap()).collect();
    let mut classes: Vec<String> = rows.iter().map(|(_, y)| y.clone()).collect();
    classes.sort();
    classes.dedup();
    let place = |name: &String| classes.binary_search(name).unwrap() as u32;
    let numbers = |x: &String| x.split(',').map(|value| value.parse().unwrap()).collect();
    let answers = text(&format!("predictions/{stream}__{model}"));
    let answer = |line: &str| line.rsplit_once(',').unwrap().1.to_string();
    Oracle {
        truths: rows.iter().map(|(_, y)| place(y)).collect(),
        rows: rows.iter().map(|(x, _)| numbers(x)).collect(),
        answers: answers.lines().skip(1).map(answer).collect(),
        classes,
    }
}
