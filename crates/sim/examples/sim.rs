//! Plays runs of the simulator: `--seeds N --from M --kind K [--bug NAME] [--trace]`.
#![allow(clippy::print_stdout)]

use std::{process::ExitCode, time::Instant};

use alluvium_sim::{Bug, Bugs, Kind, Stats, run, trace};

struct Asked {
    seeds: u64,
    from: u64,
    kinds: Vec<Kind>,
    bug: Bugs,
    trace: bool,
    go_on: bool,
}

fn asked() -> Result<Asked, String> {
    let (seeds, from, kinds, bug) = (1000, 0, vec![Kind::Base], None);
    let mut asked = Asked { seeds, from, kinds, bug, trace: false, go_on: false };
    let mut arguments = std::env::args().skip(1);
    while let Some(name) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{name} needs a value"));
        let number = |text: String| text.parse().map_err(|_| format!("{text} is no number"));
        match name.as_str() {
            "--seeds" => asked.seeds = number(value()?)?,
            "--from" => asked.from = number(value()?)?,
            "--seed" => (asked.from, asked.seeds) = (number(value()?)?, 1),
            "--kind" => {
                let names = value()?;
                asked.kinds = names.split(',').map(str::parse).collect::<Result<_, _>>()?;
            }
            "--bug" => {
                let name = value()?;
                let is_it = |bug: &Bug| format!("{bug:?}") == name;
                let found = Bug::ALL.into_iter().find(is_it);
                asked.bug = Some(found.ok_or(format!("bugs: {:?}", Bug::ALL))?);
            }
            "--trace" => asked.trace = true,
            "--go-on" => asked.go_on = true,
            other => return Err(format!("{other} is not known")),
        }
    }
    Ok(asked)
}

fn main() -> ExitCode {
    let asked = match asked() {
        Ok(asked) => asked,
        Err(why) => {
            println!("{why}");
            return ExitCode::from(2);
        }
    };
    let (started, mut sum, mut bad) = (Instant::now(), Stats::default(), 0);
    for &kind in &asked.kinds {
        for seed in asked.from..asked.from + asked.seeds {
            let result = if asked.trace {
                let (lines, result) = trace(seed, kind, asked.bug);
                lines.iter().for_each(|line| println!("{line}"));
                result
            } else {
                run(seed, kind, asked.bug)
            };
            match result {
                Ok(stats) => sum.add(&stats),
                Err(failure) => {
                    println!("{failure}");
                    bad += 1;
                    if !asked.go_on {
                        return ExitCode::FAILURE;
                    }
                }
            }
        }
    }
    println!("{bad} bad, {:?}, {sum:#?}", started.elapsed());
    if bad == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
