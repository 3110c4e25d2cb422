//! What this log does beside what every log does: sharing, damage, a full disk, room used again.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    fs,
    io::{Read, Seek, SeekFrom, Write},
};

use alluvium_embedded::Embedded;
use alluvium_flow::Headers;
use alluvium_ledger::log::{Log, LogError, Outgoing, Policy};
use common::{KEEP, append, outgoing, read, settle};

#[test]
fn what_was_appended_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = Embedded::open(directory.path().join("new/log")).unwrap();
    log.create("topic", 2, KEEP).unwrap();
    let values: Vec<Vec<u8>> = (0..1_000).map(|n: u32| n.to_le_bytes().to_vec()).collect();
    assert_eq!(append(&mut log, "topic", &values).unwrap(), 999);
    let ends = log.ends("topic").unwrap();
    drop(log);
    let mut log = Embedded::open(directory.path().join("new/log")).unwrap();
    assert_eq!(log.ends("topic").unwrap(), ends);
    assert_eq!(read(&mut log, "topic").unwrap(), values);
}

#[test]
fn one_process_may_open_it_twice() {
    let directory = tempfile::tempdir().unwrap();
    let mut first = Embedded::open(directory.path()).unwrap();
    let mut second = Embedded::open(directory.path().join(".")).unwrap();
    first.create("topic", 1, KEEP).unwrap();
    append(&mut first, "topic", &[b"one".to_vec()]).unwrap();
    drop(first);
    append(&mut second, "topic", &[b"two".to_vec()]).unwrap();
    assert_eq!(read(&mut second, "topic").unwrap(), [b"one", b"two"]);
}

#[test]
fn damage_is_found_and_named() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = Embedded::open(directory.path()).unwrap();
    for topic in ["sound", "damaged"] {
        log.create(topic, 1, KEEP).unwrap();
        let filler: Vec<Vec<u8>> = (0..600).map(|_| topic.repeat(200).into_bytes()).collect();
        append(&mut log, topic, &filler).unwrap();
    }
    append(&mut log, "damaged", &[b"a needle in the last block".repeat(4_000)]).unwrap();
    drop(log);

    let path = directory.path().join("data.mdb");
    let mut file = fs::File::options().read(true).write(true).open(path).unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    let at = bytes.windows(8).position(|window| window == b"a needle").unwrap();
    file.seek(SeekFrom::Start(at as u64 + 5_000)).unwrap();
    file.write_all(b"!").unwrap();
    drop(file);

    let mut log = Embedded::open(directory.path()).unwrap();
    assert_eq!(read(&mut log, "sound").unwrap().len(), 600);
    let found = read(&mut log, "damaged");
    let Err(LogError::Damaged { topic, partition: 0, offset: 600, next, .. }) = found else {
        panic!("{found:?}")
    };
    assert_eq!((&*topic, next), ("damaged", Some(601)));
    // Appending goes on, and does not hide the damage by rewriting it.
    append(&mut log, "damaged", &[vec![b'x'; 128_000]]).unwrap();
    assert!(matches!(read(&mut log, "damaged"), Err(LogError::Damaged { offset: 600, .. })));
}

#[test]
fn a_full_log_says_so_and_stays_usable() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = Embedded::open_sized(directory.path(), 2 << 20).unwrap();
    log.create("topic", 1, KEEP).unwrap();
    append(&mut log, "topic", &[vec![1; 500_000]]).unwrap();
    let full = append(&mut log, "topic", &[vec![2; 3_000_000]]).unwrap_err();
    let LogError::SessionEnded(why) = full else { panic!("{full}") };
    assert!(why.contains("grown to the size it was opened with"), "{why}");
    append(&mut log, "topic", &[vec![3; 1_000]]).unwrap();
    let first_bytes = |log: &mut Embedded| -> Vec<u8> {
        read(log, "topic").unwrap().iter().map(|value| value[0]).collect()
    };
    assert_eq!(first_bytes(&mut log), [1, 3]);
    drop(log);
    let mut log = Embedded::open(directory.path()).unwrap();
    append(&mut log, "topic", &[vec![4; 3_000_000]]).unwrap();
    assert_eq!(first_bytes(&mut log), [1, 3, 4]);
}

#[test]
fn a_log_whose_end_was_cut_off_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = Embedded::open(directory.path()).unwrap();
    log.create("topic", 1, KEEP).unwrap();
    append(&mut log, "topic", &vec![vec![1; 100_000]; 20]).unwrap();
    drop(log);
    let path = directory.path().join("data.mdb");
    let file = fs::File::options().write(true).open(path).unwrap();
    let whole = file.metadata().unwrap().len();
    file.set_len(whole / 2).unwrap();
    let Err(LogError::Corrupt(why)) = Embedded::open(directory.path()) else {
        panic!("it was opened")
    };
    assert!(why.contains("cut off") && why.contains("whole copy"), "{why}");
}

#[test]
fn a_session_ends_with_its_first_failure() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = Embedded::open(directory.path()).unwrap();
    log.create("topic", 1, KEEP).unwrap();
    log.create("compacted", 1, Policy::Compact).unwrap();

    let mut appender = log.appender().unwrap();
    let route = appender.route("topic", 0).unwrap();
    let ticket = appender.submit(route, outgoing(b"", b"fits"));
    settle(&mut *appender, route, ticket).unwrap();
    let ticket = appender.submit(route, outgoing(b"", &vec![0; (64 << 20) + 1]));
    let too_large = LogError::TooLarge { bytes: (64 << 20) + 1, bytes_max: 64 << 20 };
    assert_eq!(settle(&mut *appender, route, ticket), Err(too_large.clone()));
    let ticket = appender.submit(route, outgoing(b"", b"fits, and comes too late"));
    assert_eq!(settle(&mut *appender, route, ticket), Err(too_large));
    assert_eq!(read(&mut log, "topic").unwrap(), [b"fits"]);

    let mut appender = log.appender().unwrap();
    let route = appender.route("compacted", 0).unwrap();
    let headers = Headers::default();
    appender.submit(route, Outgoing { time: 0, key: None, value: None, headers });
    let ended = appender.poll(&mut Vec::new());
    assert!(matches!(ended, Err(LogError::SessionEnded(_))), "a compacted topic needs keys");
}

#[test]
fn a_compacted_topic_uses_its_room_again() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = Embedded::open(directory.path()).unwrap();
    log.create("state", 1, Policy::Compact).unwrap();
    let mut appender = log.appender().unwrap();
    let route = appender.route("state", 0).unwrap();
    // Twenty pages of 20 KB, ten times each in turn and all of them now and then: 80 MB in all.
    for round in 0..200_u32 {
        let mut ticket = 0;
        for page in 0..20_u32 {
            let value = vec![(round + page) as u8; 20_000];
            ticket = appender.submit(route, outgoing(&page.to_le_bytes(), &value));
        }
        settle(&mut *appender, route, ticket).unwrap();
    }
    let bytes = log.file_bytes().unwrap();
    assert!(bytes < 4_000_000, "400 KB of state and their past take {bytes} bytes");
    let kept = read(&mut log, "state").unwrap();
    assert!(kept.len() < 60, "{} records for 20 keys", kept.len());
    let newest: Vec<u8> = kept[kept.len() - 20..].iter().map(|value| value[0]).collect();
    assert_eq!(newest, (199..219).map(|n: u32| n as u8).collect::<Vec<u8>>());
}

#[test]
fn small_appends_share_blocks() {
    let directory = tempfile::tempdir().unwrap();
    let mut log = Embedded::open(directory.path()).unwrap();
    log.create("topic", 1, KEEP).unwrap();
    let mut appender = log.appender().unwrap();
    let route = appender.route("topic", 0).unwrap();
    for _ in 0..2_000 {
        let ticket = appender.submit(route, outgoing(b"key", &[7; 100]));
        settle(&mut *appender, route, ticket).unwrap();
    }
    assert_eq!(read(&mut log, "topic").unwrap(), vec![vec![7; 100]; 2_000]);
    let bytes = log.file_bytes().unwrap();
    assert!(bytes < 1_500_000, "200 KB of records take {bytes} bytes");
}
