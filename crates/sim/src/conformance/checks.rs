//! The checks. Each makes its own topics and says in its name what it holds a log to.

use std::collections::BTreeMap;

use alluvium_flow::{Batch, Headers};
use alluvium_ledger::log::{Errand, LogError, Policy, Polled, Settled, Span, Ticket};

use super::{Bench, KEEP, Kept, Reading, numbered, ok, same, span};

/// A value that every log must take: a page of a model's state, in bytes.
const VALUE_BYTES: usize = 768 << 10;

pub(super) fn a_topic_is_made_once(bench: &mut Bench<'_>) {
    let mut log = bench.log();
    let name = bench.name("once");
    assert_eq!(ok("ends", log.ends(&name)), None, "a topic that was not made has no ends");
    bench.topic(&mut *log, "once", 3, KEEP);
    let first = bench.ends(&mut *log, &name);
    assert_eq!(first.partitions.len(), 3);
    assert!(first.partitions.iter().all(|ends| ends.earliest == ends.stable), "it is empty");
    assert!(matches!(first.policy, Some(Policy::Delete { .. })));
    ok("create again", log.create(&name, 1, Policy::Compact));
    assert_eq!(bench.ends(&mut *log, &name), first, "making it again changes nothing");
    let other = bench.topic(&mut *log, "other", 1, Policy::Compact);
    let other = bench.ends(&mut *log, &other);
    assert_ne!(other.id, first.id, "each topic has its own identity");
    assert_eq!(other.policy, Some(Policy::Compact));
}

pub(super) fn what_is_not_there_is_said_to_be_missing(bench: &mut Bench<'_>) {
    let mut log = bench.log();
    let missing = bench.name("missing");
    let is_missing = |error: Option<LogError>| matches!(error, Some(LogError::NoTopic { .. }));
    assert!(is_missing(log.reader(&[span(&missing, 0, None)]).err()), "reader");
    assert!(is_missing(log.offsets_at(&missing, 0).err()), "offsets_at");
    let mut appender = ok("appender", log.appender());
    assert!(is_missing(appender.route(&missing, 0).err()), "route");
    let found = bench.topic(&mut *log, "found", 1, KEEP);
    assert!(is_missing(appender.route(&found, 1).err()), "route to a missing partition");
    let beyond = Span { partition: 1, ..span(&found, 0, None) };
    assert!(is_missing(log.reader(&[beyond]).err()), "reader of a missing partition");
    ok("the session goes on", appender.route(&found, 0));
}

pub(super) fn records_come_back_as_they_went_in(bench: &mut Bench<'_>) {
    let mut headers = Vec::new();
    Headers::encode(&mut headers, "at", b"x:0:1");
    Headers::encode(&mut headers, "model", b"");
    Headers::encode(&mut headers, "at", &[0, 255, 10]);
    let plain = Kept::new(5, "key", "value");
    let records = [
        plain.clone(),
        Kept { key: None, ..plain.clone() },
        Kept { key: Some(Vec::new()), ..plain.clone() },
        Kept { value: Some(Vec::new()), ..plain.clone() },
        Kept { value: None, ..plain.clone() },
        Kept { headers: headers.clone(), ..plain.clone() },
        // Not 0, which Kafka's client takes for now.
        Kept { key: None, value: None, headers, time: 1, offset: 0 },
        Kept { time: 1 << 42, ..plain.clone() },
        Kept { time: 3, value: Some(vec![7; VALUE_BYTES]), ..plain.clone() },
        plain,
    ];
    let mut log = bench.log();
    let topic = bench.topic(&mut *log, "contents", 1, KEEP);
    bench.append(&mut *log, &topic, &records);
    same(&bench.read(&mut *log, span(&topic, 0, None), records.len()), &records);
}

pub(super) fn each_route_keeps_its_order(bench: &mut Bench<'_>) {
    let mut log = bench.log();
    let topics = ["left", "right"].map(|name| bench.topic(&mut *log, name, 2, KEEP));
    let mut appender = ok("appender", log.appender());
    let places = [(0, 0), (0, 1), (1, 0), (1, 1)];
    let routes = places.map(|(topic, part)| ok("route", appender.route(&topics[topic], part)));

    let mut submitted: [Vec<(Ticket, Kept)>; 4] = Default::default();
    let (mut settled, mut before) = (Vec::<Settled>::new(), None);
    for (n, record) in numbered(0..4_000).into_iter().enumerate() {
        let turn = (n * n + n / 3) % 4;
        let ticket = appender.submit(routes[turn], record.outgoing());
        assert!(Some(ticket) > before, "tickets ascend");
        before = Some(ticket);
        submitted[turn].push((ticket, record));
        if n % 50 == 0 {
            ok("poll of an appender", appender.poll(&mut settled));
        }
    }
    let last: Vec<Ticket> =
        submitted.iter().filter_map(|records| records.last().map(|last| last.0)).collect();
    bench.settle(&mut *appender, &last, &mut settled);

    for (turn, (topic, partition)) in places.into_iter().enumerate() {
        let stable = bench.ends(&mut *log, &topics[topic]).partitions[partition as usize].stable;
        let all = Span { partition, ..span(&topics[topic], 0, Some(stable)) };
        let read = bench.read(&mut *log, all, submitted[turn].len());
        let written: Vec<Kept> = submitted[turn].iter().map(|(_, kept)| kept.clone()).collect();
        same(&read, &written);
        let acknowledged: Vec<&Settled> =
            settled.iter().filter(|one| one.route == routes[turn]).collect();
        let ordered = |a: &&Settled, b: &&Settled| a.ticket < b.ticket && a.offset < b.offset;
        assert!(acknowledged.is_sorted_by(ordered), "acknowledgements come in order");
        for one in acknowledged {
            let index = submitted[turn].iter().position(|(ticket, _)| *ticket == one.ticket);
            let index = index.unwrap_or_else(|| panic!("nobody submitted {}", one.ticket));
            assert_eq!(read[index].offset, one.offset, "a ticket's record lies at its offset");
        }
    }
}

pub(super) fn many_records_cross_every_boundary(bench: &mut Bench<'_>) {
    let mut log = bench.log();
    let topic = bench.topic(&mut *log, "many", 1, KEEP);
    let mut records = numbered(0..20_000);
    let mut headers = Vec::new();
    for (n, record) in records.iter_mut().enumerate() {
        let value = vec![n as u8; n * n % 700];
        record.value = (n % 11 != 0).then_some(value);
        if n % 3 == 0 {
            headers.clear();
            Headers::encode(&mut headers, "key", &n.to_le_bytes());
            Headers::encode(&mut headers, ["a", "b", "c"][n % 3], b"x");
            record.headers = headers.clone();
        }
        record.time = 1 + (n as i64 * 37 % 1_000) * 1_000;
    }
    bench.append(&mut *log, &topic, &records);
    same(&bench.read(&mut *log, span(&topic, 0, None), records.len()), &records);
}

pub(super) fn small_appends_add_up(bench: &mut Bench<'_>) {
    let mut log = bench.log();
    let topic = bench.topic(&mut *log, "small", 1, KEEP);
    let records = numbered(0..60);
    let mut offsets = Vec::new();
    for record in &records {
        offsets.push(bench.append(&mut *log, &topic, std::slice::from_ref(record)));
    }
    let read = bench.read(&mut *log, span(&topic, 0, None), records.len());
    same(&read, &records);
    assert!(read.iter().map(|record| record.offset).eq(offsets), "each lies where it was said");
}

pub(super) fn reading_starts_in_the_middle(bench: &mut Bench<'_>) {
    let mut log = bench.log();
    let topic = bench.topic(&mut *log, "middle", 1, KEEP);
    let records = numbered(0..300);
    bench.append(&mut *log, &topic, &records);
    let all = bench.read(&mut *log, span(&topic, 0, None), 300);
    for start in [1, 150, 299] {
        let rest = bench.read(&mut *log, span(&topic, all[start].offset, None), 300 - start);
        same(&rest, &records[start..]);
    }
}

pub(super) fn a_span_ends_before_its_bound(bench: &mut Bench<'_>) {
    let mut log = bench.log();
    let topic = bench.topic(&mut *log, "bound", 1, KEEP);
    let records = numbered(0..300);
    bench.append(&mut *log, &topic, &records);
    let all = bench.read(&mut *log, span(&topic, 0, None), 300);
    let (from, to) = (all[20].offset, all[120].offset);
    let spans = [span(&topic, from, Some(to)), span(&topic, to, Some(to))];
    let mut reader = ok("reader", log.reader(&spans));
    let mut reading = Reading { next: from, records: Vec::new() };
    let mut batch = Batch::new();
    bench.poll("the span's end", || {
        if reading.poll(&mut *reader, &mut batch) == Polled::Records {
            assert_eq!(batch.span, 0, "an empty span gives nothing");
        }
        (reading.next >= to).then_some(())
    });
    assert_eq!(reading.next, to, "the position stays at the bound");
    for _ in 0..20 {
        let polled = ok("poll of a reader", reader.poll(&mut batch));
        assert_eq!(polled, Polled::Nothing, "nothing comes beyond the bound");
        assert!(batch.is_empty());
        (bench.wait)();
    }
    same(&reading.records, &records[20..120]);
}

pub(super) fn a_paused_span_waits(bench: &mut Bench<'_>) {
    let mut log = bench.log();
    let topics = ["paused", "flowing"].map(|name| bench.topic(&mut *log, name, 1, KEEP));
    let records = numbered(0..100);
    for topic in &topics {
        bench.append(&mut *log, topic, &records);
    }
    let mut reader = ok("reader", log.reader(&topics.clone().map(|topic| span(&topic, 0, None))));
    reader.pause(0, true);
    let mut readings = [0, 0].map(|next| Reading { next, records: Vec::new() });
    let mut batch = Batch::new();
    let mut until = |readings: &mut [Reading; 2], which: usize| {
        bench.poll("the span that is not paused", || {
            if ok("poll of a reader", reader.poll(&mut batch)) == Polled::Records {
                readings[batch.span].take(&batch);
            }
            (readings[which].records.len() >= 100).then_some(())
        });
        if which == 1 {
            assert_eq!(readings[0].next, 0, "a paused span gives nothing");
            reader.pause(0, false);
        }
    };
    until(&mut readings, 1);
    until(&mut readings, 0);
    readings.iter().for_each(|reading| same(&reading.records, &records));
}

pub(super) fn later_records_are_seen(bench: &mut Bench<'_>) {
    let mut log = bench.log();
    let topic = bench.topic(&mut *log, "later", 1, KEEP);
    let mut reader = ok("reader", log.reader(&[span(&topic, 0, None)]));
    let mut reading = Reading { next: 0, records: Vec::new() };
    let mut batch = Batch::new();
    assert_eq!(reading.poll(&mut *reader, &mut batch), Polled::Nothing, "it is empty");
    let records = numbered(0..30);
    for (round, chunk) in records.chunks(10).enumerate() {
        let offset = bench.append(&mut *log, &topic, chunk);
        let ends = bench.ends(&mut *log, &topic);
        assert!(ends.partitions[0].stable > offset, "the end lies behind what was acknowledged");
        bench.poll("later records", || {
            reading.poll(&mut *reader, &mut batch);
            (reading.records.len() == 10 * round + 10).then_some(())
        });
    }
    same(&reading.records, &records);
}

pub(super) fn offsets_beyond_the_end_are_out_of_range(bench: &mut Bench<'_>) {
    let mut log = bench.log();
    let topic = bench.topic(&mut *log, "range", 1, KEEP);
    bench.append(&mut *log, &topic, &numbered(0..10));
    let found = bench.ends(&mut *log, &topic).partitions[0];
    let beyond = found.stable + 5;
    let spans = [span(&topic, beyond, None), span(&topic, 0, Some(found.stable))];
    let mut reader = ok("reader", log.reader(&spans));
    let mut batch = Batch::new();
    let (mut refused, mut reading) = (0, Reading { next: 0, records: Vec::new() });
    bench.poll("the error, twice, and the other span's records", || {
        match reader.poll(&mut batch) {
            Ok(Polled::Nothing) => {}
            Ok(Polled::Records) => {
                assert_eq!(batch.span, 1, "there is nothing beyond the end");
                reading.take(&batch);
            }
            Err(LogError::OutOfRange { topic: named, partition, offset, ends }) => {
                assert_eq!((&*named, partition, offset, ends), (&*topic, 0, beyond, found));
                refused += 1;
            }
            Err(error) => panic!("poll of a reader: {error}"),
        }
        (refused >= 2 && reading.records.len() == 10).then_some(())
    });
}

pub(super) fn compaction_keeps_the_newest_of_each_key(bench: &mut Bench<'_>) {
    let mut log = bench.log();
    let topic = bench.topic(&mut *log, "compacted", 1, Policy::Compact);
    let mut expected: BTreeMap<Vec<u8>, Vec<u8>> = BTreeMap::new();
    for round in 0..40_u64 {
        let mut records = Vec::new();
        for n in 0..50_u64 {
            // Some keys are written in every round, some seldom.
            if n % (1 + n % 5) == round % (1 + n % 5) {
                let value = format!("{round} {}", "x".repeat((n * 40) as usize));
                records.push(Kept::new(round as i64, &format!("key {n}"), &value));
            }
        }
        for record in &records {
            expected.insert(
                record.key.clone().unwrap_or_default(),
                record.value.clone().unwrap_or_default(),
            );
        }
        bench.append(&mut *log, &topic, &records);
    }
    let newest = newest_of(bench, &topic);
    assert_eq!(newest, expected, "the newest record of each key is there");
}

pub(super) fn tombstones_bury_their_keys(bench: &mut Bench<'_>) {
    let mut log = bench.log();
    let topic = bench.topic(&mut *log, "buried", 1, Policy::Compact);
    let rounds = [0..200_u64, 50..150, 0..100, 180..200];
    let mut expected = BTreeMap::new();
    for (round, numbers) in rounds.into_iter().enumerate() {
        let mut records = numbered(numbers.clone());
        for (record, n) in records.iter_mut().zip(numbers) {
            let key = format!("key {n}").into_bytes();
            let value = format!("{round} {}", "y".repeat(100)).into_bytes();
            record.key = Some(key.clone());
            // Every other round buries what the one before has written.
            record.value = (round % 2 == 0).then_some(value.clone());
            if round % 2 == 0 {
                expected.insert(key, value);
            } else {
                expected.remove(&key);
            }
        }
        bench.append(&mut *log, &topic, &records);
    }
    assert_eq!(newest_of(bench, &topic), expected, "buried keys stay buried, others stay");
}

/// Reads a compacted topic to its end, past all gaps, and gives what is left for each key.
fn newest_of(bench: &mut Bench<'_>, topic: &std::sync::Arc<str>) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut log = bench.log();
    let stable = bench.ends(&mut *log, topic).partitions[0].stable;
    let mut reader = ok("reader", log.reader(&[span(topic, 0, None)]));
    let mut reading = Reading { next: 0, records: Vec::new() };
    let mut batch = Batch::new();
    bench.poll("the end of a compacted topic", || {
        reading.poll(&mut *reader, &mut batch);
        (reading.next == stable).then_some(())
    });
    let mut newest = BTreeMap::new();
    for record in reading.records {
        let key = record.key.unwrap_or_default();
        match record.value {
            Some(value) => newest.insert(key, value),
            None => newest.remove(&key),
        };
    }
    newest
}

pub(super) fn two_appenders_share_a_partition(bench: &mut Bench<'_>) {
    let mut log = bench.log();
    let topic = bench.topic(&mut *log, "shared", 1, KEEP);
    let mut appenders = [0, 1].map(|_| {
        let mut appender = ok("appender", log.appender());
        let route = ok("route", appender.route(&topic, 0));
        (appender, route)
    });
    let mut settled = [Vec::new(), Vec::new()];
    let mut last = [0, 0];
    let records = numbered(0..1_000);
    for (n, record) in records.iter().enumerate() {
        let which = n % 3 % 2;
        let (appender, route) = &mut appenders[which];
        last[which] = appender.submit(*route, record.outgoing());
        ok("poll of an appender", appender.poll(&mut settled[which]));
    }
    for (which, (appender, _)) in appenders.iter_mut().enumerate() {
        bench.settle(&mut **appender, &last[which..=which], &mut settled[which]);
    }
    let read = bench.read(&mut *log, span(&topic, 0, None), records.len());
    for which in [0, 1] {
        let of = |records: &[Kept]| -> Vec<Kept> {
            let mine = records.iter().filter(|record| (record.time - 1_000) % 3 % 2 == which);
            mine.cloned().collect()
        };
        same(&of(&read), &of(&records));
    }
}

pub(super) fn times_lead_to_offsets(bench: &mut Bench<'_>) {
    let mut log = bench.log();
    let topic = bench.topic(&mut *log, "times", 2, KEEP);
    // Not in order: what counts is the first record of that time or a later one.
    let mut records = numbered(0..1_000);
    records[400].time = 1_900;
    bench.append(&mut *log, &topic, &records);
    let read = bench.read(&mut *log, span(&topic, 0, None), records.len());
    for (time, index) in [(0, 0), (1_000, 0), (1_100, 100), (1_399, 399), (1_400, 400)] {
        let found = ok("offsets_at", log.offsets_at(&topic, time));
        assert_eq!(found, [read[index].offset, 0], "time {time}");
    }
    assert_eq!(ok("offsets_at", log.offsets_at(&topic, 1_900))[0], read[400].offset);
    assert_eq!(ok("offsets_at", log.offsets_at(&topic, 1_901))[0], read[901].offset);
    let end = bench.ends(&mut *log, &topic).partitions[0].stable;
    assert_eq!(ok("offsets_at", log.offsets_at(&topic, 5_000)), [end, 0], "none is that late");
}

pub(super) fn one_holds_the_lease(bench: &mut Bench<'_>) {
    let (mut log, mut other) = (bench.log(), bench.log());
    let (pipeline, neighbour) = (bench.name("pipeline"), bench.name("neighbour"));
    let mut first = ok("lease", log.lease(&pipeline, Errand::Run));
    bench.poll("the lease", || first.held().then_some(()));
    let mut second = ok("lease", other.lease(&pipeline, Errand::Run));
    let mut third = ok("lease", other.lease(&neighbour, Errand::Run));
    bench.poll("another pipeline's lease", || third.held().then_some(()));
    let load = Errand::Load { topic: &pipeline };
    let mut fourth = ok("lease", other.lease(&pipeline, load));
    bench.poll("another errand's lease", || fourth.held().then_some(()));
    for _ in 0..20 {
        assert!(first.held(), "it is not taken away");
        assert!(!second.held(), "two hold one lease");
        (bench.wait)();
    }
    drop(first);
    bench.poll("the lease that was let go", || second.held().then_some(()));
}
