//! What was made is what the truth says, and it is the same everywhere.

use std::collections::{BTreeMap, BTreeSet};

use super::*;

const SMALL: Plan = Plan { payments: 50_000, seed: 1, cards: None };

/// The value of a member of a line that holds no nested member of that name.
fn member<'a>(line: &'a str, key: &str) -> &'a str {
    let (_, rest) = line.split_once(&format!("\"{key}\":")).unwrap();
    rest.split([',', '}']).next().unwrap().trim_matches('"')
}

fn lines(text: &[u8]) -> Vec<&str> {
    std::str::from_utf8(text).unwrap().lines().collect()
}

#[test]
fn the_first_lines_of_a_seed_are_these() {
    let digest = |text: &[u8]| {
        let first: Vec<&str> = lines(text).into_iter().take(10_000).collect();
        blake3::hash(first.join("\n").as_bytes()).to_hex()[..16].to_string()
    };
    let made = make(&SMALL);
    assert_eq!(digest(&made.payments()), "eb779bc320dfd7fe");
    assert_eq!(digest(&made.chargebacks()), "eaae6ab2350bc5e1");
    let other = make(&Plan { seed: 2, ..SMALL });
    assert_ne!(digest(&other.payments()), digest(&made.payments()));
}

#[test]
fn payments_are_as_many_as_was_asked_and_nearly_in_order() {
    let made = make(&SMALL);
    let text = made.payments();
    let times: Vec<i64> =
        lines(&text).iter().map(|line| member(line, "authorised_at").parse().unwrap()).collect();
    assert_eq!(times.len(), 50_000);
    assert!(times.iter().all(|time| (START..END).contains(time)));
    let back = times.windows(2).map(|two| two[0] - two[1]).max().unwrap();
    assert!((1..=8000).contains(&back), "{back}");
    let ids: BTreeSet<&str> = lines(&text).iter().map(|line| member(line, "payment_id")).collect();
    assert_eq!(ids.len(), 50_000);
}

/// Counts from the lines alone, and holds them to the truth.
#[test]
fn the_truth_is_what_the_lines_say() {
    let made = make(&SMALL);
    let (payments, chargebacks) = (made.payments(), made.chargebacks());
    let paid: BTreeMap<&str, i64> = lines(&payments)
        .iter()
        .map(|line| (member(line, "payment_id"), member(line, "authorised_at").parse().unwrap()))
        .collect();
    let mut known: BTreeMap<&str, Vec<(i64, bool)>> = BTreeMap::new();
    for line in lines(&chargebacks) {
        let booked = (member(line, "booked_at").parse().unwrap(), member(line, "fraud") == "true");
        known.entry(member(line, "payment_id")).or_default().push(booked);
    }
    known.values_mut().for_each(|booked| booked.sort_unstable());
    let newest =
        *paid.values().chain(known.values().flatten().map(|(time, _)| time)).max().unwrap();
    let mut counted = Truth {
        payments: paid.len() as u64,
        newest,
        chargebacks: lines(&chargebacks).len() as u64,
        ..Truth::default()
    };
    for (id, booked) in &known {
        let Some(time) = paid.get(id) else {
            counted.unknown += 1;
            counted.unmatched += u64::from(booked[0].0 + WAIT <= newest);
            continue;
        };
        match booked.as_slice() {
            [(first, true), (_, false)] => {
                counted.conflicting += 1;
                assert!(first > time);
            }
            [(_, false)] => counted.asked += 1,
            [(first, true), rest @ ..] => {
                counted.doubled += rest.len() as u64;
                match first - time {
                    ..0 => counted.early += 1,
                    0..=WAIT => counted.charged += 1,
                    _ => counted.late += 1,
                }
                assert!(rest.iter().all(|(again, _)| again - time < WAIT));
            }
            other => panic!("{id}: {other:?}"),
        }
    }
    let open = paid.iter().filter(|(id, time)| **time + WAIT > newest && !known.contains_key(*id));
    counted.waiting = open.count() as u64;
    let Truth { cards, fraud, testing, night, coming, never, .. } = made.truth;
    assert_eq!(Truth { cards, fraud, testing, night, coming, never, ..counted }, made.truth);
    assert_eq!(fraud, 150);
    assert_eq!(testing + night, fraud);
    let Truth { charged, late, early, .. } = made.truth;
    assert_eq!(charged + coming + late + early + never, fraud);
    assert!([charged, late, early, never, counted.unmatched].iter().all(|count| *count > 0));
}

/// Neither the amount nor the country tells a fraud: the honest have both, too.
#[test]
fn the_honest_are_ambiguous() {
    let made = make(&SMALL);
    let large = |is_fraud: bool| {
        let of = made.payments.iter().filter(|payment| payment.is_fraud == is_fraud);
        of.filter(|payment| payment.cents > 30_000).count()
    };
    assert!(large(true) > 20 && large(false) > 5 * large(true), "{} {}", large(true), large(false));
}
