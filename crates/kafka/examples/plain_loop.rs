//! What a careful engineer would write without Alluvium: one loop over Kafka's client that reads,
//! scores, learns, and writes each answer, with offsets and answers in one transaction. It keeps no
//! versions, and after a crash its model begins anew.
//!
//! `cargo run --release -p alluvium-kafka --example plain_loop SERVERS TOPIC OUTPUT` prints one
//! JSON object: the records, and the seconds on the clock and on the processor. `cargo xtask bench
//! --kafka` runs it as a peer.
#![expect(clippy::print_stdout, reason = "it measures and prints")]

use std::{env, error::Error, fmt::Write as _, fs, thread, time::Duration, time::Instant};

use rdkafka::{
    ClientConfig, Message, Offset, TopicPartitionList,
    consumer::{BaseConsumer, Consumer},
    error::{KafkaError, RDKafkaErrorCode},
    producer::{BaseProducer, BaseRecord, Producer},
};

/// Numbers in a record.
const NUMBERS: usize = 20;
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(60);
/// How often a transaction is closed.
const COMMIT: Duration = Duration::from_millis(100);

/// Logistic regression by FTRL-Proximal, alpha 0.1 and beta 1 (McMahan et al. 2013, algorithm 1).
struct Ftrl {
    z: [f64; NUMBERS + 1],
    n: [f64; NUMBERS + 1],
    w: [f64; NUMBERS + 1],
}

impl Ftrl {
    fn predict(&mut self, x: &[f64; NUMBERS + 1]) -> f64 {
        for (w, (z, n)) in self.w.iter_mut().zip(self.z.iter().zip(&self.n)) {
            *w = -z * 0.1 / (1.0 + n.sqrt());
        }
        let margin: f64 = self.w.iter().zip(x).map(|(w, x)| w * x).sum();
        1.0 / (1.0 + (-margin).exp())
    }

    fn learn(&mut self, x: &[f64; NUMBERS + 1], error: f64) {
        for (index, x) in x.iter().enumerate() {
            let gradient = error * x;
            let sigma = ((self.n[index] + gradient * gradient).sqrt() - self.n[index].sqrt()) / 0.1;
            self.z[index] += gradient - sigma * self.w[index];
            self.n[index] += gradient * gradient;
        }
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().collect();
    let [_, servers, topic, output] = arguments.as_slice() else {
        return Err("plain_loop SERVERS TOPIC OUTPUT".into());
    };
    let (consumer, total) = consumer(servers, topic)?;
    let producer: BaseProducer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("transactional.id", "plain-loop")
        .set("linger.ms", "20")
        .set("batch.size", "1000000")
        .set("queue.buffering.max.messages", "400000")
        .create()?;
    producer.init_transactions(PATIENCE)?;
    producer.begin_transaction()?;
    let (began, before) = (Instant::now(), cpu_seconds());
    let mut model = Ftrl { z: [0.0; 21], n: [0.0; 21], w: [0.0; 21] };
    let (mut read, mut committed, mut value) = (0, Instant::now(), String::new());
    let mut x = [1.0; NUMBERS + 1];
    while read < total {
        let Some(message) = consumer.poll(Duration::from_millis(100)) else { continue };
        let message = message?;
        let text = std::str::from_utf8(message.payload().unwrap_or_default())?;
        let mut cells = text.split(',');
        let label: f64 = cells.next().ok_or("a label")?.parse()?;
        for (x, cell) in x.iter_mut().zip(cells) {
            *x = cell.parse()?;
        }
        let probability = model.predict(&x);
        value.clear();
        write!(value, "{{\"at\":\"{topic}:{}:{}\",", message.partition(), message.offset())?;
        write!(value, "\"score\":{probability}}}")?;
        send(&producer, output, message.partition(), &value)?;
        model.learn(&x, probability - label);
        read += 1;
        if committed.elapsed() >= COMMIT || read == total {
            let group = consumer.group_metadata().ok_or("a group")?;
            producer.send_offsets_to_transaction(&consumer.position()?, &group, PATIENCE)?;
            producer.commit_transaction(PATIENCE)?;
            if read < total {
                producer.begin_transaction()?;
            }
            committed = Instant::now();
        }
    }
    let (wall, cpu) = (began.elapsed().as_secs_f64(), cpu_seconds() - before);
    println!("{{\"records\":{read},\"wall_s\":{wall},\"cpu_s\":{cpu}}}");
    Ok(())
}

/// A consumer of the whole topic, and how many records it holds.
fn consumer(servers: &str, topic: &str) -> Result<(BaseConsumer, u64), Box<dyn Error>> {
    let consumer: BaseConsumer = ClientConfig::new()
        .set("bootstrap.servers", servers)
        .set("group.id", "plain-loop")
        .set("enable.auto.commit", "false")
        .set("fetch.queue.backoff.ms", "1")
        .create()?;
    let known = consumer.fetch_metadata(Some(topic), PATIENCE)?;
    let (mut all, mut total) = (TopicPartitionList::new(), 0);
    for partition in known.topics().iter().flat_map(|topic| topic.partitions()) {
        let (from, to) = consumer.fetch_watermarks(topic, partition.id(), PATIENCE)?;
        total += (to - from) as u64;
        all.add_partition_offset(topic, partition.id(), Offset::Beginning)?;
    }
    consumer.assign(&all)?;
    Ok((consumer, total))
}

fn send(producer: &BaseProducer, topic: &str, to: i32, value: &str) -> Result<(), KafkaError> {
    let mut record = BaseRecord::<(), str>::to(topic).partition(to).payload(value);
    loop {
        let Err((error, back)) = producer.send(record) else {
            producer.poll(Duration::ZERO);
            return Ok(());
        };
        if error.rdkafka_error_code() != Some(RDKafkaErrorCode::QueueFull) {
            return Err(error);
        }
        record = back;
        producer.poll(Duration::ZERO);
        thread::sleep(Duration::from_millis(1));
    }
}

/// Processor seconds of this process so far; zero where the system does not say.
fn cpu_seconds() -> f64 {
    let text = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields: Vec<&str> = text.rsplit(')').next().unwrap_or_default().split(' ').collect();
    let ticks = |index: usize| fields.get(index).and_then(|field| field.parse::<f64>().ok());
    ticks(12).zip(ticks(13)).map_or(0.0, |(user, system)| (user + system) / 100.0)
}
