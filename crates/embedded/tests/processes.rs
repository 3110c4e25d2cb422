//! Goal: whatever dies, what was acknowledged is there and nothing is torn; and several processes
//! share one log.
//! Method: this binary starts itself as another process that appends, holds a lease or opens the
//! log, and kills it (SIGKILL) after a random number of acknowledgements.
//! To replay a failure: `SEED=<n> cargo test -p alluvium-embedded --test processes`.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Stdio},
    thread,
};

use alluvium_embedded::Embedded;
use alluvium_flow::Batch;
use alluvium_learn::math::random_bits;
use alluvium_ledger::log::{Errand, Lease, Log, Policy, Polled, Span};
use common::{KEEP, again, append, outgoing, read, role, settle};

const LIVES: u64 = 20;

/// Not a test by itself: what the other processes do.
#[test]
fn another_process() {
    let Some((role, directory)) = role() else { return };
    let mut log = Embedded::open(directory).unwrap();
    match role.as_str() {
        "append for ever" => append_for_ever(&mut log),
        "append some" => {
            let values: Vec<Vec<u8>> = (0..100).map(|n: u8| vec![n; 300]).collect();
            for chunk in values.chunks(5) {
                append(&mut log, "shared", chunk).unwrap();
            }
        }
        "hold the lease" => {
            assert!(log.lease("pipeline", Errand::Run).map(hold).unwrap());
        }
        other => panic!("{other} is no role"),
    }
}

fn hold(mut lease: Box<dyn Lease>) -> bool {
    assert!(lease.held());
    say("held");
    std::io::stdin().read_line(&mut String::new()).unwrap();
    lease.held()
}

/// Tells the parent. Not by `println`, which the test harness would keep.
fn say(line: &str) {
    let mut to = std::io::stdout().lock();
    writeln!(to, "\n{line}").and_then(|()| to.flush()).unwrap();
}

/// Appends numbered records, each to a plain and to a compacted topic, from where the plain one
/// ends, and says how many are acknowledged.
fn append_for_ever(log: &mut Embedded) {
    let mut n = log.ends("plain").unwrap().unwrap().partitions[0].stable;
    let mut appender = log.appender().unwrap();
    let plain = appender.route("plain", 0).unwrap();
    let compacted = appender.route("compacted", 0).unwrap();
    loop {
        let mut ticket = 0;
        for _ in 0..1 + random_bits(1, n) % 60 {
            let (key, value) = ((n % 40).to_le_bytes(), value(n));
            appender.submit(plain, outgoing(&key, &value));
            ticket = appender.submit(compacted, outgoing(&key, &value));
            n += 1;
        }
        settle(&mut *appender, compacted, ticket).unwrap();
        say(&format!("acknowledged {n}"));
    }
}

fn value(n: u64) -> Vec<u8> {
    let mut value = n.to_le_bytes().to_vec();
    value.resize(8 + (n * 31 % 1_000) as usize, n as u8);
    value
}

/// Waits for a line that begins so, and gives the rest of it.
fn hear(child: &mut BufReader<std::process::ChildStdout>, start: &str) -> Option<String> {
    let mut line = String::new();
    loop {
        line.clear();
        if child.read_line(&mut line).unwrap() == 0 {
            return None;
        }
        if let Some(rest) = line.strip_prefix(start) {
            return Some(rest.trim().to_owned());
        }
    }
}

fn start(role: &str, directory: &Path) -> (Child, BufReader<std::process::ChildStdout>) {
    let mut command = again("another_process", role, directory);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap());
    (child, lines)
}

#[test]
fn kills_lose_nothing_and_tear_nothing() {
    let seed = std::env::var("SEED").map_or(7, |seed| seed.parse().unwrap());
    let directory = tempfile::tempdir().unwrap();
    let mut log = Embedded::open(directory.path()).unwrap();
    log.create("plain", 1, KEEP).unwrap();
    log.create("compacted", 1, Policy::Compact).unwrap();
    for life in 0..LIVES {
        let (mut child, mut lines) = start("append for ever", directory.path());
        let mut acknowledged: u64 = 0;
        for _ in 0..1 + random_bits(seed, life) % 40 {
            acknowledged = hear(&mut lines, "acknowledged ").unwrap().parse().unwrap();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        while let Some(n) = hear(&mut lines, "acknowledged ") {
            acknowledged = n.parse().unwrap();
        }

        let values = read(&mut log, "plain").unwrap();
        assert!(values.len() as u64 >= acknowledged, "life {life}, SEED={seed}");
        assert!(values.iter().zip(0..).all(|(found, n)| *found == value(n)), "SEED={seed}");
        let [plain, compacted] = ["plain", "compacted"].map(|topic| log.ends(topic).unwrap());
        let ends = plain.unwrap().partitions[0];
        assert_eq!(ends.stable, values.len() as u64, "SEED={seed}");
        assert_eq!(compacted.unwrap().partitions[0], ends, "both or neither, SEED={seed}");
        check_compacted(&mut log, ends.stable);
    }
    // The children's reader and writer slots are free, and this process can append as well.
    append(&mut log, "plain", &[b"last".to_vec()]).unwrap();
}

fn check_compacted(log: &mut Embedded, stable: u64) {
    let span = Span { topic: "compacted".into(), partition: 0, from: 0, to: None };
    let mut reader = log.reader(&[span]).unwrap();
    let (mut batch, mut newest) = (Batch::new(), BTreeMap::new());
    while reader.poll(&mut batch).unwrap() == Polled::Records {
        for record in batch.iter() {
            assert_eq!(record.value.unwrap(), value(record.offset));
            newest.insert(record.key.unwrap().to_vec(), record.offset);
        }
    }
    let expected = stable.saturating_sub(40)..stable;
    assert!(
        newest.into_values().collect::<std::collections::BTreeSet<_>>().into_iter().eq(expected)
    );
}

#[test]
fn processes_write_and_read_at_once() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = Embedded::open(directory.path()).unwrap();
    log.create("shared", 1, KEEP).unwrap();
    let mut children = [0, 1].map(|_| start("append some", directory.path()));
    let span = Span { topic: "shared".into(), partition: 0, from: 0, to: None };
    let mut reader = log.reader(&[span]).unwrap();
    let (mut batch, mut read) = (Batch::new(), Vec::new());
    let mut take = |read: &mut Vec<u8>| {
        let polled = reader.poll(&mut batch).unwrap();
        read.extend(batch.iter().map(|record| record.value.unwrap()[0]));
        polled
    };
    for n in 0..20 {
        append(&mut log, "shared", &[vec![100 + n; 300]]).unwrap();
        take(&mut read);
    }
    for (child, _) in &mut children {
        while child.try_wait().unwrap().is_none() {
            take(&mut read);
            thread::yield_now();
        }
        assert!(child.wait().unwrap().success());
    }
    while take(&mut read) == Polled::Records {}
    assert_eq!(read.len(), 220);
    let own: Vec<u8> = read.iter().copied().filter(|n| *n >= 100).collect();
    assert_eq!(own, (100..120).collect::<Vec<u8>>(), "one's own come in order");
    for n in 0..100 {
        assert_eq!(read.iter().filter(|found| **found == n).count(), 2, "once from each child");
    }
}

#[test]
fn a_lease_goes_on_when_its_holder_is_killed() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = Embedded::open(directory.path()).unwrap();
    let mut lease = log.lease("pipeline", Errand::Run).unwrap();
    let (mut child, mut lines) = start("hold the lease", directory.path());
    hear(&mut lines, "held").unwrap();
    assert!(!lease.held());
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(lease.held());
}

/// A container may give less address space than the map would like.
#[test]
#[cfg(target_os = "linux")]
fn little_address_space_is_enough() {
    let directory = tempfile::tempdir().unwrap();
    Embedded::open(directory.path()).unwrap().create("shared", 1, KEEP).unwrap();
    let child = again("another_process", "append some", directory.path());
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", "ulimit -v 1000000 && exec \"$0\" \"$@\""]);
    limited.arg(child.get_program()).args(child.get_args());
    limited.envs(child.get_envs().filter_map(|(name, value)| Some((name, value?))));
    assert!(limited.stdout(Stdio::null()).status().unwrap().success());
    let mut log = Embedded::open(directory.path()).unwrap();
    assert_eq!(read(&mut log, "shared").unwrap().len(), 100);
}
