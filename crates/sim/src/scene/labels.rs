//! Scenes whose labels come by a topic of their own: before their example, in time, late, twice, of
//! two minds, for nobody, and never; in one partition perhaps hours behind.

use alluvium_learn::Time;
use serde_json::{Value, json};

use super::{File, HOUR_MS, InputTopic, Told, kept};
use crate::{log::Kept, random::Random};

/// How labels come.
#[derive(Clone, Copy, Debug)]
pub(super) struct Labels {
    /// Their input: before that of the examples in the order of names, or behind it.
    pub(super) name: &'static str,
    /// How long an example waits, in milliseconds.
    wait: Time,
    /// Which of the ways to treat late labels the first file has.
    late: u64,
    /// Whether silence says something in the first file.
    has_absent: bool,
}

/// A label on its way.
struct OnItsWay {
    at: Time,
    value: String,
}

impl Labels {
    pub(super) fn new(random: &mut Random) -> Labels {
        Labels {
            name: if random.chance(500) { "labels" } else { "zlabels" },
            // Records go on for some hundred milliseconds, and clocks for some seconds.
            wait: *random.pick(&[15, 60, 60, 200, 2_000]),
            late: random.below(3),
            has_absent: random.chance(600),
        }
    }

    /// Makes of a file whose labels lie in its records one whose labels come by this input. Other
    /// learning may mean another wait, another way with late labels, and that silence says
    /// something else.
    pub(super) fn change(self, file: &mut Value, File { learned, .. }: File) {
        let wait = self.wait / if learned == 1 { 2 } else { 1 };
        let within = format!("{} ms", [self.wait, 2 * self.wait, 20][learned as usize]);
        let late = [
            json!("dead_letter"),
            json!({ "correct": { "within": within, "weight": 2.0 } }),
            json!("drop"),
        ];
        let label = &mut file["label"];
        label["input"] = self.name.into();
        label["match"] = "id".into();
        label["wait"] = format!("{wait} ms").into();
        label["late"] = late[((self.late + learned) % 3) as usize].clone();
        if self.has_absent != (learned == 2) {
            label["absent"] = "0".into();
        }
        file["fields"]["id"] = json!({ "id": {} });
        // One that needs no label, and learns at once.
        file["model"]["sums"] =
            json!({ "use": ["a"], "learner": { "cusum": { "grace_period": 3 } } });
    }

    /// The examples, and the labels.
    pub(super) fn topics(
        self,
        most: u64,
        loaded: Option<Time>,
        random: &mut Random,
    ) -> Vec<InputTopic> {
        let mut on_their_way = Vec::new();
        let mut ids = 0;
        let count = random.between(1, 3);
        let mut examples = Vec::new();
        for _ in 0..count {
            examples.push(self.examples(most, loaded, &mut ids, &mut on_their_way, random));
        }
        on_their_way.sort_by_key(|label| label.at);
        // Other examples may have come before them, and the others' labels.
        let loaded = loaded.map(|loaded| loaded + 2 * HOUR_MS);
        let labels = labels(on_their_way, loaded, random);
        vec![
            InputTopic { name: "x", partitions: examples },
            InputTopic { name: self.name, partitions: labels },
        ]
    }

    /// The examples of one partition; their labels are put to the others.
    fn examples(
        self,
        most: u64,
        loaded: Option<Time>,
        ids: &mut u64,
        labels: &mut Vec<OnItsWay>,
        random: &mut Random,
    ) -> Vec<Kept> {
        let mut time = 1_000 + random.below(50) as Time;
        let mut found = Vec::new();
        for _ in 0..random.between(most / 2, most) {
            time += random.below(20) as Time;
            let at = match random.below(40) {
                0 => time + self.wait * 3,
                1 => time - self.wait.min(900) / 2,
                2..=9 => time / 16 * 16,
                _ => time,
            };
            *ids += 1;
            let id = if random.chance(50) { random.between(1, *ids) } else { *ids };
            let a = random.below(200) as i64 - 100;
            let is_one = (a > 0) ^ random.chance(100);
            self.labels_of(at, id, is_one, labels, random);
            let value = example(a, id, random);
            let key = random.chance(500).then(|| format!("k{}", id % 3).into_bytes().into());
            found.push(kept(Told { time, at, key, value }, loaded, random));
        }
        found
    }

    /// What is said of an example, sooner or later.
    fn labels_of(
        self,
        at: Time,
        id: u64,
        is_one: bool,
        labels: &mut Vec<OnItsWay>,
        random: &mut Random,
    ) {
        let wait = self.wait;
        let below = |random: &mut Random, most: Time| random.below(most as u64) as Time;
        let mut say = |at: Time, id: String, is_one: bool, random: &mut Random| {
            let value = match random.below(30) {
                0 => "garbage".to_string(),
                1 => format!("{id},7"),
                2 => format!("{id},"),
                3 => ",1".to_string(),
                _ => format!("{id},{}", u8::from(is_one)),
            };
            labels.push(OnItsWay { at: at.max(1), value });
        };
        let came = match random.below(20) {
            0..=8 => Some(at + below(random, wait)),
            9..=11 => Some(at + wait + below(random, 2 * wait)),
            12..=13 => Some(at - below(random, wait)),
            14 => Some(at - wait - below(random, wait)),
            _ => None,
        };
        if let Some(came) = came {
            say(came, format!("p{id}"), is_one, random);
            if random.chance(250) {
                let is_one = is_one ^ random.chance(500);
                say(came + below(random, 2 * wait), format!("p{id}"), is_one, random);
            }
        }
        if random.chance(50) {
            say(at, format!("nobody{id}"), is_one, random);
        }
    }
}

/// An example as it is written; now and then one that cannot be read.
fn example(a: i64, id: u64, random: &mut Random) -> Option<String> {
    Some(match random.below(30) {
        0 => return None,
        1 => "garbage".to_string(),
        2 => format!("x,2,c0,p{id}"),
        3 => format!("{a},2,c0,"),
        _ => {
            let b =
                if random.chance(80) { String::new() } else { format!("{}.5", random.below(100)) };
            format!("{a},{b},c{},p{id}", random.below(6))
        }
    })
}

/// Spreads labels over partitions, each in the order of time but for some.
fn labels(
    on_their_way: Vec<OnItsWay>,
    loaded: Option<Time>,
    random: &mut Random,
) -> Vec<Vec<Kept>> {
    let count = random.between(1, 3) as usize;
    // One of them may tell of all that happened hours later than the others do.
    let behind = random.chance(200).then(|| random.index(count));
    let mut partitions: Vec<Vec<Kept>> = vec![Vec::new(); count];
    for OnItsWay { at, value } in on_their_way {
        let partition = random.index(count);
        let lag = if behind == Some(partition) { 5 * HOUR_MS } else { 0 };
        let swing = if random.chance(50) { random.below(100) as Time } else { 0 };
        let time = at + swing + lag;
        let value = (!random.chance(20)).then_some(value);
        let told = Told { time, at: time, key: None, value };
        partitions[partition].push(kept(told, loaded, random));
    }
    partitions
}
