//! Golden files: texts that are read in review, and states that must load for ever.
//!
//! `UPDATE_EXPECT=1 cargo test -p alluvium-learn --test CONTRACT` writes them. A text is written
//! anew; a state is only ever added, under the name of a format that has no file yet.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::PathBuf,
};

use alluvium_learn::{Reader, Writer};

/// Runs a check on each case, and names all cases that fail.
pub(crate) fn check_each<C>(cases: &[C], name: impl Fn(&C) -> String, check: impl Fn(&C)) {
    assert!(!cases.is_empty(), "there is nothing to check");
    let failed: Vec<String> = cases
        .iter()
        .filter(|case| catch_unwind(AssertUnwindSafe(|| check(case))).is_err())
        .map(name)
        .collect();
    assert!(failed.is_empty(), "fails for {failed:#?}; the reasons are above");
}

/// Whether golden files are being written.
fn writing() -> bool {
    std::env::var_os("UPDATE_EXPECT").is_some()
}

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden").join(name);
    if writing() {
        fs::create_dir_all(&folder).unwrap();
    }
    folder
}

/// Compares a text with `golden/FAMILY/NAME.txt`.
pub(crate) fn check_text(family: &str, name: &str, text: &str) {
    expect_test::expect_file![folder(family).join(format!("{name}.txt"))].assert_eq(text);
}

/// A state of the past: what it was built for, its bytes, and what it answered.
pub(crate) struct Stored {
    pub(crate) case: String,
    pub(crate) state: Vec<u8>,
    pub(crate) answer: u64,
}

impl Stored {
    fn save(&self, to: &mut Writer) {
        to.str(&self.case);
        to.blob(&self.state);
        to.u64(self.answer);
    }

    fn read(from: &mut Reader<'_>) -> Stored {
        let case = from.str().unwrap().to_string();
        let state = from.blob().unwrap().to_vec();
        Stored { case, state, answer: from.u64().unwrap() }
    }
}

/// Every state stored under `golden/FAMILY/NAME.FORMAT.bin`. When golden files are being written
/// and the format of `newest` has no file, it is added.
pub(crate) fn stored_states(family: &str, name: &str, newest: &[Stored]) -> Vec<Stored> {
    let folder = folder(family);
    let newest_format = u16::from_le_bytes([newest[0].state[0], newest[0].state[1]]);
    let path = |format: u16| folder.join(format!("{name}.{format}.bin"));
    if writing() && !path(newest_format).exists() {
        let mut to = Writer::new();
        newest.iter().for_each(|stored| stored.save(&mut to));
        fs::write(path(newest_format), to.bytes()).unwrap();
    }
    let mut all = Vec::new();
    for format in 1..=newest_format {
        let bytes = fs::read(path(format));
        let bytes = bytes.unwrap_or_else(|error| panic!("{:?}: {error}", path(format)));
        let mut from = Reader::new(&bytes);
        while from.left() > 0 {
            all.push(Stored::read(&mut from));
        }
    }
    all
}

/// Every golden file of a family belongs to an entry: names never change.
pub(crate) fn check_no_orphans(family: &str, names: &[&str]) {
    for file in fs::read_dir(folder(family)).unwrap() {
        let file = file.unwrap().file_name().into_string().unwrap();
        let name = file.split('.').next().unwrap();
        assert!(names.contains(&name), "golden/{family}/{file} belongs to no entry");
    }
}
