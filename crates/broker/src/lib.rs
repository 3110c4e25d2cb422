//! A real Apache Kafka for the tests: brought by Maven once, started and killed by the tests
//! themselves.
//!
//! A mock proves nothing about transactions, replication or a broker that dies; so this is the
//! broker that users have, at its smallest. It needs Java and Maven on the machine, and says so
//! where they are missing. Nothing of it is part of the product.
//!
//! ```no_run
//! use alluvium_broker::{Broker, Options};
//!
//! # fn main() -> Result<(), alluvium_broker::BrokerError> {
//! let mut broker = Broker::start(Options::default())?;
//! broker.create_topic("clicks", 3, &[("cleanup.policy", "compact")])?;
//! println!("bootstrap.servers={}", broker.servers());
//! broker.kill(1)?;
//! broker.start_node(1)?;
//! # Ok(()) }
//! ```

mod java;
mod node;
mod secure;
mod settings;
mod slot;

use std::{
    error::Error,
    fmt, fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{SystemTime, UNIX_EPOCH},
};

pub use java::target;

use crate::{java::Java, node::Node, secure::Secrets, slot::Slot};

/// What kind of broker.
#[derive(Clone, Debug)]
pub struct Options {
    /// How many nodes, 1 to 3; each is broker and controller. Default: 1.
    pub nodes: usize,
    /// Who is let in, and how. Default: everybody.
    pub security: Security,
    /// Settings of `server.properties` that have the last word.
    pub settings: Vec<(String, String)>,
}

impl Default for Options {
    fn default() -> Options {
        Options { nodes: 1, security: Security::Plain, settings: Vec::new() }
    }
}

/// Who is let in, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Security {
    /// Everybody, and nothing is encrypted.
    Plain,
    /// TLS with a certificate of an authority of our own, users with passwords, and access rules:
    /// what no rule allows is denied.
    TlsSasl,
}

/// What every password of a secured broker holds: a word that stands nowhere else, to be looked for
/// where no password may be.
pub const MARK: &str = "canary7f3a91";

/// Somebody who can log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct User {
    /// The name.
    pub name: String,
    /// The password.
    pub password: String,
}

/// How a password is shown to the broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// As it is.
    Plain,
    /// Salted, with SHA-256.
    ScramSha256,
    /// Salted, with SHA-512.
    ScramSha512,
}

impl Mechanism {
    /// The name that clients set.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Mechanism::Plain => "PLAIN",
            Mechanism::ScramSha256 => "SCRAM-SHA-256",
            Mechanism::ScramSha512 => "SCRAM-SHA-512",
        }
    }

    /// The class that Java clients and the broker name.
    fn module(self) -> &'static str {
        match self {
            Mechanism::Plain => "org.apache.kafka.common.security.plain.PlainLoginModule required",
            _ => "org.apache.kafka.common.security.scram.ScramLoginModule required",
        }
    }
}

/// Why there is no broker, or it does not do what was asked.
#[derive(Debug)]
pub enum BrokerError {
    /// Something has to be installed.
    Missing {
        /// What is missing.
        what: String,
        /// The command that installs it.
        install: &'static str,
    },
    /// The system refused something.
    Io {
        /// What was attempted.
        doing: String,
        /// What it said.
        source: io::Error,
    },
    /// A program did not do its work.
    Failed {
        /// Which.
        what: String,
        /// What it said.
        said: String,
    },
}

impl fmt::Display for BrokerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BrokerError::Missing { what, install } => {
                write!(f, "the Kafka of the tests needs {what}: {install}")
            }
            BrokerError::Io { doing, source } => write!(f, "{doing}: {source}"),
            BrokerError::Failed { what, said } => write!(f, "{what} failed: {said}"),
        }
    }
}

impl Error for BrokerError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        match self {
            BrokerError::Io { source, .. } => Some(source),
            _ => None,
        }
    }
}

/// A running Kafka. It ends with its owner: when dropped, and when the process ends in any way.
#[derive(Debug)]
pub struct Broker {
    // Before the slot: nodes end before their folder goes.
    nodes: Vec<Node>,
    java: Java,
    secrets: Option<Secrets>,
    slot: Slot,
}

impl Broker {
    /// Starts it with nothing in it, and returns when it answers. The first call of all brings
    /// Kafka's jars, 43 MB.
    ///
    /// # Errors
    /// When Java or Maven is missing, or the broker does not start; with the end of its log.
    ///
    /// # Panics
    /// When `options.nodes` is not 1 to 3.
    pub fn start(options: Options) -> Result<Broker, BrokerError> {
        assert!((1..=slot::NODES_MAX).contains(&options.nodes), "a broker has 1 to 3 nodes");
        let java = Java::find()?;
        let slot = Slot::take()?;
        let secrets = match options.security {
            Security::Plain => None,
            Security::TlsSasl => Some(Secrets::make(&slot.folder.join("secrets"))?),
        };
        let mut broker = Broker { nodes: Vec::new(), java, secrets, slot };
        for number in 1..=options.nodes {
            let folder = broker.slot.folder.join(number.to_string());
            let secrets = broker.secrets.as_ref();
            let text = settings::of_node(&broker.slot, number, secrets, &options);
            fs::create_dir(&folder)
                .and_then(|()| fs::write(Node::settings(&folder), text))
                .map_err(|source| BrokerError::Io { doing: "writing settings".into(), source })?;
            broker.nodes.push(Node::new(number, folder));
        }
        broker.format()?;
        for node in &mut broker.nodes {
            node.start(&broker.java)?;
        }
        broker.nodes.iter_mut().try_for_each(Node::wait)?;
        Ok(broker)
    }

    /// Makes the folders of all nodes ready, at the same time.
    fn format(&self) -> Result<(), BrokerError> {
        // Any 22 letters that do not come again soon.
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let cluster = format!("alluvium{:013}A", since.as_micros() % 10_u128.pow(13));
        let more = self.secrets.as_ref().map(Secrets::format_arguments).unwrap_or_default();
        let format_node = |number: usize| {
            let folder = self.slot.folder.join(number.to_string());
            let mut command = self.java.class("kafka.tools.StorageTool", &folder);
            command.args(["format", "--cluster-id", &cluster]).args(&more);
            command.arg("--config").arg(Node::settings(&folder));
            run(command, "").map(drop)
        };
        thread::scope(|scope| {
            let begin = |number| scope.spawn(move || format_node(number));
            let running: Vec<_> = (1..=self.nodes.len()).map(begin).collect();
            running.into_iter().try_for_each(|one| one.join().expect("formatting does not panic"))
        })
    }

    /// Where clients connect, as `bootstrap.servers`.
    #[must_use]
    pub fn servers(&self) -> String {
        self.at(|ports| ports.clients)
    }

    /// Where it keeps everything, each node in a folder by its number, with its `log` of warnings.
    /// It is removed in the end.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.slot.folder
    }

    /// The listener that asks for no password.
    fn inner_servers(&self) -> String {
        match self.secrets {
            None => self.servers(),
            Some(_) => self.at(|ports| ports.inner),
        }
    }

    fn at(&self, port: impl Fn(slot::Ports) -> u16) -> String {
        let server = |node| format!("127.0.0.1:{}", port(self.slot.ports(node)));
        (1..=self.nodes.len()).map(server).collect::<Vec<String>>().join(",")
    }

    /// Ends a node at once, by SIGKILL. Nodes are counted from 1.
    ///
    /// # Errors
    /// When it does not run.
    ///
    /// # Panics
    /// When there is no such node; so do all others that name one.
    pub fn kill(&mut self, node: usize) -> Result<(), BrokerError> {
        self.node(node).end("KILL")
    }

    /// Ends a node by SIGTERM: it hands over what it leads, and closes its files.
    ///
    /// # Errors
    /// When it does not run, or does not end within a minute.
    pub fn stop(&mut self, node: usize) -> Result<(), BrokerError> {
        self.node(node).end("TERM")
    }

    /// Starts a node that has ended, over the same data and port, and returns when it answers.
    ///
    /// # Errors
    /// When it does not start.
    ///
    /// # Panics
    /// When it runs.
    pub fn start_node(&mut self, node: usize) -> Result<(), BrokerError> {
        let java = self.java.clone();
        let node = self.node(node);
        node.start(&java)?;
        node.wait()
    }

    /// Has a node do nothing until [`Broker::resume`]; its connections stay open.
    ///
    /// # Errors
    /// When it does not run.
    pub fn pause(&mut self, node: usize) -> Result<(), BrokerError> {
        self.node(node).signal("STOP")
    }

    /// Has a paused node go on.
    ///
    /// # Errors
    /// When it does not run.
    pub fn resume(&mut self, node: usize) -> Result<(), BrokerError> {
        self.node(node).signal("CONT")
    }

    /// Whether a node runs, paused or not.
    pub fn is_running(&mut self, node: usize) -> bool {
        self.node(node).is_running()
    }

    fn node(&mut self, number: usize) -> &mut Node {
        let nodes = self.nodes.len();
        assert!((1..=nodes).contains(&number), "there is no node {number} of {nodes}");
        &mut self.nodes[number - 1]
    }

    /// The certificate, in PEM, of the authority that clients have to trust. Nothing where the
    /// broker is not secured, and so for the users.
    #[must_use]
    pub fn authority(&self) -> Option<PathBuf> {
        self.secrets.as_ref().map(Secrets::authority)
    }

    /// The user who may do everything.
    #[must_use]
    pub fn admin(&self) -> Option<&User> {
        self.secrets.as_ref().map(|secrets| &secrets.admin)
    }

    /// The user who may log in and is denied everything, until a test allows something by
    /// `org.apache.kafka.tools.AclCommand`.
    #[must_use]
    pub fn guest(&self) -> Option<&User> {
        self.secrets.as_ref().map(|secrets| &secrets.guest)
    }

    /// One of Kafka's own programs, with `--bootstrap-server` set; it may do everything. The caller
    /// adds what to do, and runs it, with [`Broker::call`] or else.
    ///
    /// | class | what it does |
    /// |---|---|
    /// | `org.apache.kafka.tools.TopicCommand` | makes, alters, deletes and describes topics |
    /// | `kafka.admin.ConfigCommand` | alters settings of topics and brokers |
    /// | `org.apache.kafka.tools.ConsoleProducer` | appends lines of standard input |
    /// | `org.apache.kafka.tools.consumer.ConsoleConsumer` | prints records |
    /// | `org.apache.kafka.tools.DeleteRecordsCommand` | deletes the beginning of partitions |
    /// | `org.apache.kafka.tools.GetOffsetShell` | prints offsets |
    /// | `org.apache.kafka.tools.TransactionsCommand` | finds and aborts transactions |
    /// | `org.apache.kafka.tools.AclCommand` | allows and denies |
    /// | `org.apache.kafka.tools.consumer.group.ConsumerGroupCommand` | describes groups |
    #[must_use]
    pub fn tool(&self, class: &str) -> Command {
        let mut command = self.java.class(class, &self.slot.folder);
        command.args(["--bootstrap-server", &self.inner_servers()]);
        command
    }

    /// As [`Broker::tool`], but as a user, over TLS.
    ///
    /// # Errors
    /// When the file with the password cannot be written, or the broker is not secured.
    pub fn tool_as(
        &self,
        class: &str,
        user: &User,
        mechanism: Mechanism,
    ) -> Result<Command, BrokerError> {
        let Some(secrets) = &self.secrets else {
            let said = "the broker has no users: start it with `Security::TlsSasl`".into();
            return Err(BrokerError::Failed { what: class.into(), said });
        };
        let file = secrets.client(user, mechanism)?;
        let flag = match class.rsplit('.').next() {
            Some("ConsoleProducer") => "--producer.config",
            Some("ConsoleConsumer") => "--consumer.config",
            _ => "--command-config",
        };
        let mut command = self.java.class(class, &self.slot.folder);
        command.args(["--bootstrap-server", &self.servers(), flag]).arg(file);
        Ok(command)
    }

    /// Runs one of Kafka's own programs to its end, as [`Broker::tool`] describes, and returns what
    /// it printed.
    ///
    /// # Errors
    /// When it fails; with what it said.
    pub fn call(&self, class: &str, given: &[&str], input: &str) -> Result<String, BrokerError> {
        let mut command = self.tool(class);
        command.args(given);
        run(command, input)
    }

    /// Makes a topic that every node has a replica of, with these settings.
    ///
    /// # Errors
    /// When the broker refuses it.
    pub fn create_topic(
        &self,
        name: &str,
        partitions: u32,
        settings: &[(&str, &str)],
    ) -> Result<(), BrokerError> {
        let (partitions, replicas) = (partitions.to_string(), self.nodes.len().to_string());
        let settings: Vec<String> =
            settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut given = vec!["--create", "--topic", name, "--partitions", &partitions];
        given.extend(["--replication-factor", &replicas]);
        given.extend(settings.iter().flat_map(|setting| ["--config", setting.as_str()]));
        self.call("org.apache.kafka.tools.TopicCommand", &given, "").map(drop)
    }
}

impl Drop for Broker {
    fn drop(&mut self) {
        // The logs go with the folder; whoever looks for the reason of a failure wants their ends.
        if thread::panicking() {
            for (index, node) in self.nodes.iter().enumerate() {
                eprintln!("the log of node {} ends:\n{}", index + 1, node.log_tail());
            }
        }
    }
}

/// Runs a command to its end, with this on its standard input, and returns what it printed.
///
/// # Errors
/// When it cannot be started, or fails; with what it said.
pub fn run(mut command: Command, input: &str) -> Result<String, BrokerError> {
    let what = command
        .get_args()
        .filter_map(|argument| argument.to_str())
        .find(|argument| argument.starts_with("kafka.") || argument.starts_with("org."))
        .map_or_else(|| command.get_program().display().to_string(), str::to_string);
    let io = |source| BrokerError::Io { doing: format!("running {what}"), source };
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(io)?;
    let mut stdin = child.stdin.take().expect("it was asked for");
    let output = thread::scope(|scope| {
        // Who does not read to the end says so by its exit status, if it is a mistake at all.
        scope.spawn(move || drop(stdin.write_all(input.as_bytes())));
        child.wait_with_output()
    });
    let output = output.map_err(io)?;
    let said = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    if output.status.success() {
        return Ok(said(&output.stdout));
    }
    let said = format!("{}\n{}{}", output.status, said(&output.stdout), said(&output.stderr));
    Err(BrokerError::Failed { what, said })
}
