//! A broker starts, keeps what it is given, lets in whom it should, and is gone when its owner is.

use std::{
    env, fs,
    io::{self, BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::PathBuf,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use alluvium_broker::{Broker, BrokerError, Mechanism, Options, Security, User, run};

const TOPICS: &str = "org.apache.kafka.tools.TopicCommand";
const PRODUCER: &str = "org.apache.kafka.tools.ConsoleProducer";
const CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";

/// Set for the copy of ourselves that is killed.
const OWNER: &str = "ALLUVIUM_BROKER_OWNER";

fn read(broker: &Broker, topic: &str, records: u32) -> Result<String, BrokerError> {
    let records = records.to_string();
    let given = ["--topic", topic, "--from-beginning", "--timeout-ms", "20000"];
    broker.call(CONSUMER, &[&given[..], &["--max-messages", &records]].concat(), "")
}

/// The processes that name a folder, as `/proc` knows them; none where there is no `/proc`.
fn processes(folder: &str) -> Vec<String> {
    let all = fs::read_dir("/proc").into_iter().flatten().flatten();
    let lines = all.filter_map(|entry| fs::read(entry.path().join("cmdline")).ok());
    let shown = lines.map(|line| String::from_utf8_lossy(&line).replace('\0', " "));
    shown.filter(|line| line.contains(folder)).collect()
}

/// Asks which requests a broker knows, in the oldest form; returns how long the answer is.
fn ask(server: &str, wait: Duration) -> io::Result<u32> {
    let mut stream = TcpStream::connect(server)?;
    stream.set_read_timeout(Some(wait))?;
    // Length 10; request 18, version 0; number 7; no name of a client.
    stream.write_all(&[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 255, 255])?;
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    Ok(u32::from_be_bytes(length))
}

#[test]
fn what_was_appended_is_read_again_after_a_kill() {
    let mut broker = Broker::start(Options::default()).unwrap();
    broker.create_topic("kept", 1, &[("cleanup.policy", "delete")]).unwrap();
    broker.call(PRODUCER, &["--topic", "kept"], "one\ntwo\n").unwrap();
    assert_eq!(read(&broker, "kept", 2).unwrap(), "one\ntwo\n");
    broker.kill(1).unwrap();
    assert!(!broker.is_running(1));
    assert!(broker.kill(1).is_err());
    broker.start_node(1).unwrap();
    assert_eq!(read(&broker, "kept", 2).unwrap(), "one\ntwo\n");

    let server = broker.servers();
    broker.pause(1).unwrap();
    assert!(ask(&server, Duration::from_millis(500)).is_err(), "a paused broker answers");
    broker.resume(1).unwrap();
    assert!(ask(&server, Duration::from_secs(30)).unwrap() > 100);

    // With the separator, which ends the number of a slot.
    let folder = format!("{}/", broker.folder().display());
    assert!(!processes(&folder).is_empty(), "a shell and a Java");
    broker.pause(1).unwrap();
    drop(broker);
    let left = processes(&folder);
    assert!(left.is_empty(), "{left:?}");
    assert!(!PathBuf::from(folder).exists());
}

#[test]
fn three_nodes_do_without_one() {
    let mut broker = Broker::start(Options { nodes: 3, ..Options::default() }).unwrap();
    broker.create_topic("kept", 1, &[("min.insync.replicas", "2")]).unwrap();
    broker.stop(1).unwrap();
    broker.call(PRODUCER, &["--topic", "kept"], "one\n").unwrap();
    assert_eq!(read(&broker, "kept", 1).unwrap(), "one\n");
}

#[test]
fn only_who_is_known_comes_in_and_does_what_is_allowed() {
    let options = Options { security: Security::TlsSasl, ..Options::default() };
    let broker = Broker::start(options).unwrap();
    let authority = fs::read_to_string(broker.authority().unwrap()).unwrap();
    assert!(authority.starts_with("-----BEGIN CERTIFICATE-----"), "{authority}");
    let (admin, guest) = (broker.admin().unwrap(), broker.guest().unwrap());
    let make = |user: &User, mechanism: Mechanism| {
        let mut command = broker.tool_as(TOPICS, user, mechanism)?;
        command.args(["--create", "--topic", &format!("of-{}", mechanism.name())]);
        run(command, "")
    };
    for mechanism in [Mechanism::Plain, Mechanism::ScramSha256, Mechanism::ScramSha512] {
        make(admin, mechanism).unwrap();
    }
    let liar = User { password: "guessed".into(), ..admin.clone() };
    let refused = make(&liar, Mechanism::ScramSha512).unwrap_err().to_string();
    assert!(refused.contains("SaslAuthenticationException"), "{refused}");
    let denied = make(guest, Mechanism::Plain).unwrap_err().to_string();
    assert!(denied.contains("TopicAuthorizationException"), "{denied}");
}

#[test]
fn a_broker_dies_with_its_owner() {
    if env::var_os(OWNER).is_some() {
        let broker = Broker::start(Options::default()).unwrap();
        eprintln!("\n{OWNER} {} {}/", broker.servers(), broker.folder().display());
        thread::sleep(Duration::from_secs(600));
        unreachable!("nobody killed us");
    }
    let mut owner = Command::new(env::current_exe().unwrap());
    owner.args(["--exact", "a_broker_dies_with_its_owner", "--nocapture"]);
    let mut owner = owner.env(OWNER, "1").stderr(Stdio::piped()).spawn().unwrap();
    let lines = BufReader::new(owner.stderr.take().unwrap()).lines();
    let said = lines.map(Result::unwrap).find(|line| line.starts_with(OWNER)).unwrap();
    let [_, server, folder] = said.split(' ').collect::<Vec<_>>()[..] else { panic!("{said}") };
    TcpStream::connect(server).unwrap();
    owner.kill().unwrap();
    owner.wait().unwrap();
    let began = Instant::now();
    while TcpStream::connect(server).is_ok() || !processes(folder).is_empty() {
        assert!(began.elapsed() < Duration::from_secs(20), "it lives: {:?}", processes(folder));
        thread::sleep(Duration::from_millis(20));
    }
}
