//! The settings of a broker that is there for tests: small, quick to start, quick to notice.

use crate::{Options, Security, secure::Secrets, slot::Slot};

/// What does not depend on the node. Where it differs from Kafka's own default, the reason is
/// beside it.
const COMMON: [(&str, &str); 22] = [
    ("process.roles", "broker,controller"),
    ("controller.listener.names", "CONTROLLER"),
    ("auto.create.topics.enable", "false"),
    // One coordinator has all groups and all transactions.
    ("offsets.topic.num.partitions", "1"),
    ("transaction.state.log.num.partitions", "1"),
    ("share.coordinator.state.topic.num.partitions", "1"),
    // Groups are there at once, and members are missed soon.
    ("group.initial.rebalance.delay.ms", "0"),
    ("group.min.session.timeout.ms", "500"),
    ("group.consumer.min.session.timeout.ms", "500"),
    ("group.consumer.min.heartbeat.interval.ms", "100"),
    // A dead broker is missed soon, but not because the machine is busy.
    ("broker.heartbeat.interval.ms", "500"),
    ("broker.session.timeout.ms", "4000"),
    // Cleaning and deleting happen while a test waits. Nothing is too old unless a topic says so:
    // the timestamps of tests lie anywhere.
    ("log.initial.task.delay.ms", "100"),
    ("log.retention.check.interval.ms", "200"),
    ("log.retention.ms", "-1"),
    ("log.cleaner.backoff.ms", "200"),
    ("log.cleaner.dedupe.buffer.size", "4194304"),
    ("log.segment.delete.delay.ms", "200"),
    ("transaction.abort.timed.out.transaction.cleanup.interval.ms", "500"),
    // Threads of a small machine.
    ("num.network.threads", "2"),
    ("num.io.threads", "4"),
    ("background.threads", "2"),
];

/// The file of one node.
pub(crate) fn of_node(
    slot: &Slot,
    node: usize,
    secrets: Option<&Secrets>,
    options: &Options,
) -> String {
    let nodes = options.nodes;
    let ports = slot.ports(node);
    let mut lines: Vec<(String, String)> = Vec::new();
    let mut set = |name: &str, value: String| lines.push((name.into(), value));
    for (name, value) in COMMON {
        set(name, value.into());
    }
    set("node.id", node.to_string());
    let voter = |node| format!("{node}@127.0.0.1:{}", slot.ports(node).controller);
    set("controller.quorum.voters", list((1..=nodes).map(voter)));
    set("log.dirs", slot.folder.join(format!("{node}/data")).display().to_string());
    for name in ["offsets.topic", "transaction.state.log", "share.coordinator.state.topic"] {
        set(&format!("{name}.replication.factor"), nodes.to_string());
    }
    let in_sync = if nodes > 1 { "2" } else { "1" };
    for name in ["transaction.state.log", "share.coordinator.state.topic"] {
        set(&format!("{name}.min.isr"), in_sync.into());
    }
    // Where clients need a password, brokers and our own tools have a listener without.
    let mut heard = vec![("CLIENTS", ports.clients)];
    if options.security == Security::TlsSasl {
        heard.push(("INNER", ports.inner));
    }
    let at = |(name, port): &(&str, u16)| format!("{name}://127.0.0.1:{port}");
    set("advertised.listeners", list(heard.iter().map(at)));
    set("inter.broker.listener.name", heard[heard.len() - 1].0.into());
    heard.push(("CONTROLLER", ports.controller));
    set("listeners", list(heard.iter().map(at)));
    let protocol = match options.security {
        Security::Plain => "PLAINTEXT",
        Security::TlsSasl => "SASL_SSL",
    };
    let protocols = format!("CLIENTS:{protocol},INNER:PLAINTEXT,CONTROLLER:PLAINTEXT");
    set("listener.security.protocol.map", protocols);
    lines.extend(secrets.map(Secrets::settings).into_iter().flatten());
    // The last word is the caller's.
    lines.extend(options.settings.iter().cloned());
    lines.iter().map(|(name, value)| format!("{name}={value}\n")).collect()
}

fn list(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<String>>().join(",")
}
