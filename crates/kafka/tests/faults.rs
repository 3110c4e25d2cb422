//! A broker that dies, comes back, or was never there.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    net::TcpListener,
    thread,
    time::{Duration, Instant},
};

use alluvium_broker::{Broker, Options};
use alluvium_flow::Batch;
use alluvium_kafka::{KafkaLog, Settings};
use alluvium_ledger::log::{Errand, Log, LogError, Policy, Polled};
use common::{append, reached, read_to, span, submit, until, values};

const KEEP: Policy = Policy::Delete { retention_ms: None };

fn quick(servers: &str) -> Settings {
    Settings { answer_timeout: Duration::from_secs(2), ..Settings::new(servers, None) }
}

/// Numbers go in while the broker is killed and started again; what was acknowledged is there, in
/// order, once, and without a hole; the reader sees the same.
#[test]
fn a_killed_broker_leaves_a_prefix() {
    let mut broker = common::broker();
    let mut log = KafkaLog::open(&quick(&broker.servers())).unwrap();
    log.create("numbers", 2, KEEP).unwrap();
    let mut reader = log.reader(&[span("numbers", 0, None)]).unwrap();
    let mut appender = log.appender().unwrap();
    let routes = [0, 1].map(|partition| appender.route("numbers", partition).unwrap());
    let (mut settled, mut batch, mut read) = (Vec::new(), Batch::new(), Vec::new());
    let mut ended = None;
    let (mut number, mut kills) = (0_u64, 0);
    while number < 60_000 && ended.is_none() {
        for route in routes {
            submit(&mut *appender, route, &number.to_le_bytes());
        }
        number += 1;
        ended = appender.poll(&mut settled).err();
        if let Polled::Records = reader.poll(&mut batch).unwrap() {
            read.extend(common::taken(&batch));
        }
        if number % 15_000 == 10_000 {
            broker.kill(1).unwrap();
            kills += 1;
            broker.start_node(1).unwrap();
        }
    }
    assert!(kills > 0);
    let last = settled.iter().filter(|one| one.route == routes[0]).map(|one| one.offset).max();
    if ended.is_none() {
        until("all acknowledgements", || {
            ended = appender.poll(&mut settled).err();
            let newest = settled.iter().map(|one| one.ticket).max();
            (ended.is_some() || newest == Some(2 * number - 1)).then_some(())
        });
    }
    eprintln!("the session: {ended:?}; acknowledged in the loop up to {last:?}");
    drop(appender);
    for (partition, route) in routes.into_iter().enumerate() {
        let ends = reached("the ends", || log.ends("numbers")).unwrap();
        let stable = ends.partitions[partition].stable;
        let part = alluvium_ledger::log::Span {
            partition: partition as u32,
            ..span("numbers", 0, Some(stable))
        };
        let landed = read_to(&mut *log.reader(&[part]).unwrap(), stable);
        for (n, record) in landed.iter().enumerate() {
            assert_eq!(record.3.as_deref(), Some(&(n as u64).to_le_bytes()[..]), "number {n}");
            assert_eq!(record.0, n as u64, "nothing was written twice");
        }
        let acked = settled.iter().filter(|one| one.route == route).map(|one| one.offset).max();
        assert!(acked.is_none_or(|acked| acked < stable), "{acked:?} of {stable}");
        if ended.is_none() {
            assert_eq!(landed.len() as u64, number);
        }
        if partition == 0 {
            until("the reader", || {
                if let Polled::Records = reader.poll(&mut batch).unwrap() {
                    read.extend(common::taken(&batch));
                }
                (read.len() as u64 >= stable).then_some(())
            });
            assert_eq!(read, landed, "the reader went on");
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
    assert_eq!(holder, "127.0.0.1");
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
