//! `alluvium new` on small samples of every kind: what it writes runs at once, or it says why not.
//!
//! `UPDATE_EXPECT=1 cargo test -p alluvium --test new` writes the golden files anew.

#![allow(clippy::unwrap_used)]

use std::{
    fmt::Write,
    fs,
    path::Path,
    process::{Command, Output},
};

use expect_test::{expect, expect_file};

/// A directory with a sample in it.
struct Bench {
    directory: tempfile::TempDir,
    sample: String,
}

impl Bench {
    fn new(sample: &str, bytes: impl AsRef<[u8]>) -> Bench {
        let directory = tempfile::tempdir().unwrap();
        fs::write(directory.path().join(sample), bytes).unwrap();
        Bench { directory, sample: sample.into() }
    }

    fn call(&self, arguments: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_alluvium"))
            .args(arguments)
            .current_dir(self.directory.path())
            .output()
            .unwrap()
    }

    /// What `new` prints, where it goes well.
    fn made(&self, more: &[&str]) -> String {
        let made = self.call(&[&["new", self.sample.as_str()], more].concat());
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        String::from_utf8(made.stdout).unwrap()
    }

    /// The exit code of `new` and what it says, where it does not.
    fn refused(&self, more: &[&str]) -> (i32, String) {
        let made = self.call(&[&["new", self.sample.as_str()], more].concat());
        assert!(!made.status.success(), "{}", String::from_utf8_lossy(&made.stdout));
        assert!(!self.path("pipeline.toml").exists(), "nothing is written");
        (made.status.code().unwrap(), String::from_utf8(made.stderr).unwrap())
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        Path::new(self.directory.path()).join(name)
    }

    fn file(&self) -> String {
        fs::read_to_string(self.path("pipeline.toml")).unwrap()
    }

    /// The summary of a run of what was written.
    fn run(&self) -> serde_json::Value {
        let run = self.call(&["run", "--json"]);
        assert!(run.status.success(), "{}{}", self.file(), String::from_utf8_lossy(&run.stderr));
        let lines = String::from_utf8(run.stdout).unwrap();
        let events = lines.lines().map(serde_json::from_str::<serde_json::Value>);
        events.map(Result::unwrap).find(|event| event["event"] == "summary").unwrap()
    }

    /// Writes a file, runs it, and sees that it reads and refuses so many records.
    fn runs(&self, more: &[&str], read: u64, refused: u64) -> String {
        let said = self.made(more);
        let summary = self.run();
        let counts = (summary["read"].as_u64(), summary["refused"].as_u64());
        assert_eq!(counts, (Some(read), Some(refused)), "{said}{}", self.file());
        self.file()
    }
}

/// Bits that look like chance, and are the same everywhere.
fn noise(row: u64) -> u64 {
    let mixed = (row + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    (mixed ^ (mixed >> 29)).wrapping_mul(0xbf58_476d_1ce4_e5b9) >> 40
}

/// Rows of a table under a header.
fn table(header: &str, rows: u64, row: impl Fn(u64, u64) -> String) -> String {
    let mut text = format!("{header}\n");
    for index in 0..rows {
        writeln!(text, "{}", row(index, noise(index))).unwrap();
    }
    text
}

fn payments() -> Bench {
    let text = table("at,payment,amount,country,present,note,outcome", 200, |row, noise| {
        let (minute, hour) = (row % 60, row / 60);
        let amount = if noise % 10 == 0 { "NaN".into() } else { format!("{}.5", noise % 90) };
        let country = ["se", "no", "dk", ""][(noise >> 8) as usize % 4];
        let present = noise & 64 != 0;
        let outcome = if noise % 90 > 60 && present { "yes" } else { "no" };
        let note = format!("\"row {row}, as \"\"they\"\" said; so far\"");
        format!(
            "2026-11-21T{hour:02}:{minute:02}:00Z,p{row},{amount},{country},{present},{note},{outcome}"
        )
    });
    Bench::new("payments.csv", text)
}

#[test]
fn a_table_with_every_kind_of_column() {
    let bench = payments();
    let said = bench.made(&[]);
    expect_file!["golden/new/payments.toml"].assert_eq(&bench.file());
    expect_file!["golden/new/payments.txt"].assert_eq(&said);
    let summary = bench.run();
    assert_eq!(summary["learned"], 200);
    let accuracy = |of: &str, name: &str| summary[of][name]["accuracy"].as_f64().unwrap();
    let no_change = format!("{:.1} %", accuracy("baselines", "no_change") * 100.0);
    assert!(said.contains(&no_change), "{no_change} is what a run prints too:\n{said}");
}

#[test]
fn a_number_under_odd_names() {
    let text = table("Temp. (°C);x-y;x-y;;größe", 120, |row, noise| {
        let size = row as f64 / 10.0 + (noise % 7) as f64;
        format!("{}.25;{};{};{row};{size}", noise % 40, noise % 100, row % 13)
    });
    let bench = Bench::new("Größe 1.csv", format!("\u{feff}{text}"));
    expect_file!["golden/new/sizes.toml"].assert_eq(&bench.runs(&[], 120, 0));
}

#[test]
fn nested_json() {
    let mut text = String::new();
    for row in 0..150 {
        let noise = noise(row);
        let kind = ["a", "b", "c"][noise as usize % 3];
        let extra = if row % 5 == 0 { "null" } else { "1.5" };
        let time = 1_700_000_000_000_u64 + row * 1000;
        writeln!(
            text,
            r#"{{"ts":{time},"sensor":{{"celsius":{}.5,"position":[{},{row}],"x.y":1}},"extra":{extra},"tags":["a"],"class":"{kind}"}}"#,
            noise % 50,
            noise % 3,
        )
        .unwrap();
    }
    let bench = Bench::new("sensors.ndjson", text);
    expect_file!["golden/new/sensors.toml"].assert_eq(&bench.runs(&[], 150, 0));
}

#[test]
fn measurements_without_names() {
    let text = table("1.5|2|x", 100, |_, noise| {
        let colour = ["x", "y"][noise as usize % 2];
        format!("{}.5|{}|{colour}{}", noise % 90, noise % 80, noise % 4)
    });
    let bench = Bench::new("raw.txt", text);
    let file = bench.runs(&["--label", "c1"], 101, 0);
    assert!(file.contains("type = \"number\"") && !file.contains("# guess: by"), "{file}");
    let text = table("9.4191,1.1647,4.4388", 100, |_, noise| {
        format!("{}.1,{}.2,{}.3", noise % 97, noise % 89, noise % 83)
    });
    let bench = Bench::new("sea.data", text);
    expect_file!["golden/new/clusters.toml"].assert_eq(&bench.runs(&[], 101, 0));
}

#[test]
fn a_pipeline_file_is_never_overwritten() {
    let bench = Bench::new("a.csv", "x,y\n1,0\n2,1\n3,0\n4,1\n");
    fs::write(bench.path("kept.toml"), "mine").unwrap();
    let (code, why) = bench.refused(&["--to", "kept.toml"]);
    assert_eq!(code, 2);
    assert!(why.contains("--to FILE"), "{why}");
    assert_eq!(fs::read_to_string(bench.path("kept.toml")).unwrap(), "mine");
}

#[test]
fn what_cannot_be_read_says_what_would_help() {
    let check = |name: &str, bytes: &[u8], code: i32, says: &str| {
        let (found, why) = Bench::new(name, bytes).refused(&[]);
        assert_eq!(found, code, "{why}");
        assert!(why.contains(says), "{name}: {why}");
    };
    check("a.csv", b"", 1, "is empty");
    check("a.csv", b"\n\n", 1, "is empty");
    check("a.csv", "\u{feff}".as_bytes(), 1, "is empty");
    check("a.csv", b"name,class\n", 1, "a header and no records");
    check("a.bin", b"\x00\x01\xfe\x7f\x00", 1, "is binary");
    check("a.csv", b"\xff\xfea\x00,\x00b\x00\n\x00", 1, "UTF-16");
    check("a.csv", b"gr\xf6\xdfe,b\n1,2\n", 1, "iconv");
    check("a.zip", b"PK\x03\x04....", 1, "zip");
    check("a.json", b"[{\"a\":1},{\"a\":2}]", 1, "jq -c '.[]'");
    check("a.json", b"{\n  \"a\": 1\n}\n", 1, "jq -c .");
    check("a.gz", b"\x1f\x8b\x08\x00garbage", 1, "is it whole");
    check("a.csv", b"k,v\n7,x\n7,x\n7,x\n", 1, "k: always 7");
    check("log.txt", b"free text it is\nand more of it here\nnothing else\n", 1, "nothing in it");
    let bench = Bench::new("a.csv", "x,colour\n1,red\n2,blue\n3,red\n");
    let (code, why) = bench.refused(&["--label", "color"]);
    assert!(code == 2 && why.contains("did you mean colour?"), "{why}");
    let bench = Bench::new("a.csv", "x,k\n1,7\n2,7\n3,7\n");
    let (code, why) = bench.refused(&["--label", "k"]);
    assert!(code == 2 && why.contains("always 7"), "{why}");
    let (code, why) = bench.refused(&["--to", "no/such/place.toml"]);
    assert!(code == 1 && why.contains("no/such"), "{why}");
}

#[test]
fn small_and_crooked_samples_run() {
    let runs = |name: &str, text: &str, read: u64, refused: u64| {
        Bench::new(name, text).runs(&[], read, refused)
    };
    assert!(runs("one.csv", "1.5,2.5\n", 1, 0).contains("k_means"));
    assert!(runs("one.csv", "a,b\n1.5,2.5\n", 1, 0).contains("k_means"));
    let ragged = format!("a,b,class\n{}1,2\n", "1,2,0\n2,3,1\n".repeat(20));
    runs("ragged.csv", &ragged, 41, 1);
    let python = format!("ok,x,y\n{}", "True,1,False\nFalse,2,True\nTrue,4,True\n".repeat(9));
    assert!(runs("python.csv", &python, 27, 0).contains(r#"ok.category = ["False", "True"]"#));
    let strange = format!("label,step,$price,a.b,target\n{}", "1,5,2,3,x\n2,7,4,9,y\n".repeat(9));
    assert!(runs("strange.csv", &strange, 18, 0).contains("paths.label_2 = \"label\""));
    let steps = format!("scaled,before,class\n{}", "1,5,x\n2,7,y\n3,3,y\n".repeat(9));
    assert!(runs("steps.csv", &steps, 27, 0).contains("scaled_.standardize = [\"scaled\""));
    let lone = format!("class\n{}", "a\nb\nb\n".repeat(20));
    assert!(runs("lone.csv", &lone, 60, 0).contains("back = [1, 2, 3]"));
    let quoted = "\"a\nb\",\"say \"\"x\"\"\",class\n".to_string() + &"1,2,p\n2,4,q\n".repeat(9);
    assert!(runs("quoted.csv", &quoted, 18, 0).contains(r#"paths.say_x = "say \"x\"""#));
    let comma = format!("v;class\n{}", "1,5;a\n2,5;b\n".repeat(9));
    assert!(runs("comma.csv", &comma, 18, 0).contains("# v: numbers with a decimal comma"));
    let same = r#"{"a":1,"a":2,"class":"x"}"#;
    let json = r#"{"a":1,"$k":"v","class":"x"}"#.to_string() + "\n";
    let other = r#"{"a":2,"$k":"v","class":"y"}"#.to_string() + "\n";
    let lines = format!("{}{same}\n", (json + &other).repeat(20));
    assert!(runs("keys.ndjson", &lines, 41, 1).contains("# $k: "));
    let many = table("user,amount,fraud", 600, |row, noise| {
        format!("u{},{}.5,{}", (noise ^ row) % 200, noise % 50, u8::from(noise % 40 == 0))
    });
    let file = runs("users.csv", &many, 600, 0);
    assert!(
        file.contains("hashed.hash = { of = [\"user\"]") && file.contains("metrics = [\"f1\""),
        "{file}"
    );
}

#[test]
fn most_records_may_be_refused_if_the_file_says_so() {
    let text = table("x,y,class", 2000, |row, noise| match row % 4 {
        0 => format!("{},2", noise % 9),
        _ => format!("{},{},{}", noise % 9, noise % 8, noise % 2),
    });
    let bench = Bench::new("broken.csv", text);
    let file = bench.runs(&[], 2000, 500);
    assert!(file.contains("share_max = 0.3"), "{file}");
}

#[test]
fn what_the_sample_hides_is_found_in_the_rest_of_the_file() {
    // The class and the gaps come after the records that are looked at for kinds.
    let text = table("x,flag,label", 100_200, |row, noise| match row {
        ..100_000 => format!("{}.5,{},0", noise % 50, noise % 2),
        100_000..100_100 => format!(",{},1", noise % 2),
        _ => format!("{},7,0", noise % 50),
    });
    let bench = Bench::new("late.csv", text);
    let file = bench.runs(&[], 100_200, 0);
    assert!(file.contains(r#"type.class = ["0", "1"]"#), "{file}");
    assert!(file.contains(r#"x.number = { missing = "mean" }"#), "{file}");
}

#[test]
fn the_help_says_how() {
    let bench = Bench::new("a.csv", "x,class\n1,a\n2,b\n3,a\n4,b\n");
    expect![[r#"
        read     4 rows, 2 columns                                     a.csv
        guess    label class: by its name, two values, b in 50.0 % of rows
        beat     50.0 %: always b                                      (class equals the one before it: 25.0 %)
        wrote    other.toml    1 line marked "guess"
        next     alluvium check other.toml, then alluvium run other.toml
    "#]]
    .assert_eq(&bench.made(&["--to", "other.toml"]));
}
