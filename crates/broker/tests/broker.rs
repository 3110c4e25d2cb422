//! A broker starts, keeps what it is given, and is gone when its owner is.

use alluvium_broker::{Broker, BrokerError, Options};

const PRODUCER: &str = "org.apache.kafka.tools.ConsoleProducer";
const CONSUMER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";

fn read(broker: &Broker, topic: &str, records: u32) -> Result<String, BrokerError> {
    let records = records.to_string();
    let given = ["--topic", topic, "--from-beginning", "--timeout-ms", "20000"];
    broker.call(CONSUMER, &[&given[..], &["--max-messages", &records]].concat(), "")
}

#[test]
fn what_was_appended_is_read_again_after_a_kill() {
    let mut broker = Broker::start(Options::default()).unwrap();
    broker.create_topic("kept", 1, &[("cleanup.policy", "delete")]).unwrap();
    broker.call(PRODUCER, &["--topic", "kept"], "one\ntwo\n").unwrap();
    assert_eq!(read(&broker, "kept", 2).unwrap(), "one\ntwo\n");
    broker.kill(1).unwrap();
    assert!(!broker.is_running(1));
    broker.start_node(1).unwrap();
    assert_eq!(read(&broker, "kept", 2).unwrap(), "one\ntwo\n");
}
