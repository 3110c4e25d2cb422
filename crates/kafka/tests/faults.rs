//! A broker that dies, comes back, or was never there.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    net::TcpListener,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use alluvium_broker::{Broker, Options};
use alluvium_flow::Batch;
use alluvium_kafka::{KafkaLog, Settings};
use alluvium_ledger::log::{
    Appender, Errand, Log, LogError, Policy, Polled, RecordReader, Route, Settled, Span,
};
use common::{Read, append, reached, read_to, span, submit, submit_at, until, values};

const KEEP: Policy = Policy::Delete { retention_ms: None };

fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis() as i64
}

fn quick(servers: &str) -> Settings {
    Settings { answer_timeout: Duration::from_secs(2), ..Settings::new(servers, None) }
}

/// Numbers on their way into two partitions, and what is known of them.
struct Numbers {
    appender: Box<dyn Appender>,
    routes: [Route; 2],
    next: u64,
    settled: Vec<Settled>,
    ended: Option<LogError>,
    reader: Box<dyn RecordReader>,
    read: Vec<Read>,
}

impl Numbers {
    fn step(&mut self) {
        for route in self.routes {
            // A broker that starts forgets the producers of records that are a day old.
            submit_at(&mut *self.appender, route, now(), &self.next.to_le_bytes());
        }
        self.next += 1;
        self.ended = self.appender.poll(&mut self.settled).err();
        self.read();
    }

    fn read(&mut self) {
        let mut batch = Batch::new();
        if let Polled::Records = self.reader.poll(&mut batch).unwrap() {
            self.read.extend(common::taken(&batch));
        }
    }

    fn newest(&self) -> u64 {
        self.settled.iter().map(|one| one.ticket).max().unwrap_or(0)
    }

    /// The broker goes down and comes up while records go in and are acknowledged.
    fn restart(&mut self, broker: &mut Broker) {
        let (acknowledged, is_up) = (AtomicU64::new(0), AtomicBool::new(false));
        thread::scope(|scope| {
            scope.spawn(|| {
                let enough = || acknowledged.load(Ordering::Acquire) > 2_000;
                until("acknowledgements", || enough().then_some(()));
                broker.kill(1).unwrap();
                broker.start_node(1).unwrap();
                is_up.store(true, Ordering::Release);
            });
            let (before, mut more) = (self.newest(), 2_000);
            while more > 0 && self.ended.is_none() {
                more -= u64::from(is_up.load(Ordering::Acquire));
                self.step();
                let newest = self.settled.last().map_or(0, |one| one.ticket);
                acknowledged.store(newest.saturating_sub(before), Ordering::Release);
                thread::sleep(Duration::from_micros(200));
            }
            // When the session ended before: the kill is not waited for in vain.
            acknowledged.store(u64::MAX, Ordering::Release);
        });
    }
}

/// Numbers go in while the broker is killed and started again; what was acknowledged is there, in
/// order, once, and without a hole; the reader sees the same.
#[test]
fn a_killed_broker_leaves_a_prefix() {
    let mut broker = common::broker();
    let mut log = KafkaLog::open(&quick(&broker.servers())).unwrap();
    log.create("numbers", 2, KEEP).unwrap();
    let mut appender = log.appender().unwrap();
    let routes = [0, 1].map(|partition| appender.route("numbers", partition).unwrap());
    let reader = log.reader(&[span("numbers", 0, None)]).unwrap();
    let (settled, read) = (Vec::new(), Vec::new());
    let mut numbers = Numbers { appender, routes, next: 0, settled, ended: None, reader, read };
    for _ in 0..3 {
        numbers.restart(&mut broker);
        eprintln!("{} of {}, {:?}", numbers.newest(), 2 * numbers.next, numbers.ended);
    }
    until("all acknowledgements", || {
        if numbers.ended.is_none() {
            numbers.ended = numbers.appender.poll(&mut numbers.settled).err();
        }
        (numbers.ended.is_some() || numbers.newest() == 2 * numbers.next - 1).then_some(())
    });
    for (partition, route) in routes.into_iter().enumerate() {
        let ends = reached("the ends", || log.ends("numbers")).unwrap();
        let stable = ends.partitions[partition].stable;
        let part = Span { partition: partition as u32, ..span("numbers", 0, Some(stable)) };
        let landed = read_to(&mut *log.reader(&[part]).unwrap(), stable);
        for (n, (offset, _, _, value, _)) in landed.iter().enumerate() {
            let expected = (n as u64, (n as u64).to_le_bytes());
            assert_eq!((*offset, value.as_deref().unwrap()), (expected.0, &expected.1[..]));
        }
        let of_route = numbers.settled.iter().filter(|one| one.route == route);
        let acked = of_route.map(|one| one.offset).max();
        assert!(acked.is_none_or(|acked| acked < stable), "{acked:?} of {stable}");
        if numbers.ended.is_none() {
            assert_eq!(landed.len() as u64, numbers.next);
        }
        if partition == 0 {
            until("the reader", || {
                numbers.read();
                (numbers.read.len() as u64 >= stable).then_some(())
            });
            assert_eq!(numbers.read, landed, "the reader went on");
        }
    }
}

/// A port where nobody listens, that a broker may use later.
fn silent_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn a_broker_that_is_down_is_said_to_be_and_waited_for() {
    let servers = format!("127.0.0.1:{}", silent_port());
    let mut nobody = KafkaLog::open(&quick(&servers)).unwrap();
    let began = Instant::now();
    for error in [
        nobody.ends("a").err(),
        nobody.reader(&[span("a", 0, None)]).err(),
        nobody.create("a", 1, KEEP).err(),
        nobody.lease("a", Errand::Run).err(),
    ] {
        let Some(LogError::Unavailable(why)) = error else { panic!("{error:?}") };
        assert!(why.contains(&servers) && why.contains("refuses connections"), "{why}");
    }
    assert!(began.elapsed() < Duration::from_secs(30), "each waits for a bounded time");
    assert!(nobody.lines().iter().any(|line| line.contains("Connection refused")));

    let mut broker = Broker::start(Options::default()).unwrap();
    broker.stop(1).unwrap();
    let mut log = KafkaLog::open(&quick(&broker.servers())).unwrap();
    assert!(matches!(log.ends("a"), Err(LogError::Unavailable(_))));
    broker.start_node(1).unwrap();
    reached("the topic", || log.create("a", 1, KEEP));
    append(&mut log, "a", &["x"]);
    assert_eq!(values(&read_to(&mut *log.reader(&[span("a", 0, None)]).unwrap(), 1)), ["x"]);
    let unknown = KafkaLog::open(&quick("no-such-host.invalid:9092")).unwrap().ends("a");
    let Err(LogError::Unavailable(why)) = unknown else { panic!("{unknown:?}") };
    assert!(why.contains("no-such-host.invalid"), "{why}");
}

#[test]
fn a_session_that_goes_nowhere_ends() {
    let mut broker = common::broker();
    let settings = Settings { append_timeout: Duration::from_secs(3), ..quick(&broker.servers()) };
    let mut log = KafkaLog::open(&settings).unwrap();
    log.create("a", 1, KEEP).unwrap();
    let mut appender = log.appender().unwrap();
    let route = appender.route("a", 0).unwrap();
    let ticket = submit(&mut *appender, route, b"x");
    common::settle(&mut *appender, ticket);
    broker.kill(1).unwrap();
    // More than the client has room for: the rest waits, and the caller is slowed down.
    let value = vec![7; 1 << 20];
    for _ in 0..100 {
        submit(&mut *appender, route, &value);
    }
    let error = until("the end", || appender.poll(&mut Vec::new()).err());
    assert!(matches!(error, LogError::SessionEnded(_)), "{error}");
    let began = Instant::now();
    drop(appender);
    assert!(began.elapsed() < Duration::from_millis(500), "dropping does not wait");
    broker.start_node(1).unwrap();
    reached("the next session", || log.ends("a"));
    append(&mut log, "a", &["y"]);
}

#[test]
fn the_lease_goes_on_and_goes_over() {
    let mut broker = common::broker();
    let settings = Settings { session_timeout: Duration::from_secs(6), ..quick(&broker.servers()) };
    let mut logs = [0, 1].map(|_| KafkaLog::open(&settings).unwrap());
    assert_eq!(logs[0].lease_holder("p"), Ok(None));
    let mut first = logs[0].lease("p", Errand::Run).unwrap();
    until("the lease", || first.held().then_some(()));
    let holder = until("the holder", || logs[1].lease_holder("p").unwrap());
    assert_eq!(holder.host, "127.0.0.1");
    assert!(holder.member.starts_with("alluvium"), "{holder:?}");
    let mut second = logs[1].lease("p", Errand::Run).unwrap();
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(8) {
        assert!(first.held() && !second.held(), "whoever has it keeps it");
        thread::sleep(Duration::from_millis(5));
    }
    drop(first);
    let began = Instant::now();
    until("the lease that was given back", || second.held().then_some(()));
    eprintln!("taken over after {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(3), "{:?}", began.elapsed());

    broker.kill(1).unwrap();
    let began = Instant::now();
    until("the loss", || (!second.held()).then_some(()));
    eprintln!("lost after {:?}", began.elapsed());
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
    broker.start_node(1).unwrap();
    until("the lease again", || second.held().then_some(()));
}
