//! Passwords, certificates and permissions, and what is said when they are wrong.
#![allow(clippy::unwrap_used)]

mod common;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

use alluvium_broker::{Broker, Mechanism, Options, Security, User};
use alluvium_kafka::{KafkaLog, Settings};
use alluvium_ledger::log::{Errand, Log, LogError, Policy};
use common::{append, read_to, span, until, values};

const KEEP: Policy = Policy::Delete { retention_ms: None };
const RULES: &str = "org.apache.kafka.tools.AclCommand";

struct Files {
    folder: tempfile::TempDir,
    written: usize,
}

impl Files {
    /// A `client.properties`.
    fn client(&mut self, text: &str) -> PathBuf {
        self.written += 1;
        let path = self.folder.path().join(format!("{}.properties", self.written));
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        path
    }
}

fn text(user: &User, mechanism: Mechanism, authority: &Path) -> String {
    let (name, User { name: user, password }) = (mechanism.name(), user);
    format!(
        "security.protocol=SASL_SSL\nsasl.mechanism={name}\nsasl.username={user}\n\
         sasl.password={password}\nssl.ca.location={}\n",
        authority.display()
    )
}

fn open(broker: &Broker, client: PathBuf) -> KafkaLog {
    let settings = Settings::new(broker.servers(), Some(client));
    let settings = Settings { answer_timeout: Duration::from_secs(10), ..settings };
    KafkaLog::open(&settings).unwrap()
}

#[track_caller]
fn denied<T: std::fmt::Debug>(result: Result<T, LogError>, words: &[&str], secret: &str) {
    let Err(LogError::Denied(why)) = result else { panic!("{result:?}") };
    for word in words {
        assert!(why.contains(word), "`{word}` in: {why}");
    }
    assert!(!why.contains(secret), "{why}");
    eprintln!("{why}");
}

#[test]
fn whoever_may_gets_in_and_others_hear_why_not() {
    let options = Options { security: Security::TlsSasl, ..Options::default() };
    let broker = Broker::start(options).unwrap();
    let mut files = Files { folder: tempfile::tempdir().unwrap(), written: 0 };
    let (admin, guest) = (broker.admin().unwrap().clone(), broker.guest().unwrap().clone());
    let authority = broker.authority().unwrap();
    for mechanism in [Mechanism::Plain, Mechanism::ScramSha256, Mechanism::ScramSha512] {
        let mut log = open(&broker, files.client(&text(&admin, mechanism, &authority)));
        log.create("kept", 1, KEEP).unwrap();
        append(&mut log, "kept", &[mechanism.name()]);
        let mut lease = log.lease("p", Errand::Run).unwrap();
        until("the lease", || lease.held().then_some(()));
        assert!(log.lines().iter().all(|line| !line.contains(&admin.password)));
    }
    let jaas = format!(
        "security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nssl.truststore.type=PEM\n\
         ssl.truststore.location={}\nsasl.jaas.config=org.apache.kafka.common.security.plain.\
         PlainLoginModule required \\\n  username=\"{}\" password=\"{}\";\n",
        authority.display(),
        admin.name,
        admin.password
    );
    let mut log = open(&broker, files.client(&jaas));
    let read = read_to(&mut *log.reader(&[span("kept", 0, None)]).unwrap(), 3);
    assert_eq!(values(&read), ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]);

    let wrong = User { password: "canary-secret".to_owned(), ..admin.clone() };
    for mechanism in [Mechanism::Plain, Mechanism::ScramSha512] {
        let client = files.client(&text(&wrong, mechanism, &authority));
        let settings = Settings::new(broker.servers(), Some(client.clone()));
        assert!(!format!("{settings:?}").contains("canary-secret"));
        let mut log = open(&broker, client);
        denied(log.ends("kept"), &["topic `kept`", "127.0.0.1", "password"], "canary-secret");
        denied(log.lease("p", Errand::Run).map(|_| ()), &["password"], "canary-secret");
        let lines = log.lines();
        assert!(!lines.is_empty() && lines.iter().all(|line| !line.contains("canary-secret")));
    }

    let stranger = text(&admin, Mechanism::Plain, &strange_authority(&files));
    denied(open(&broker, files.client(&stranger)).ends("kept"), &["certificate"], &admin.password);
    let unencrypted = Settings::new(broker.servers(), None);
    let unencrypted =
        KafkaLog::open(&Settings { answer_timeout: Duration::from_secs(2), ..unencrypted });
    let mut unencrypted = unencrypted.unwrap();
    let error = unencrypted.ends("kept").unwrap_err();
    eprintln!("{error}");
    assert!(matches!(&error, LogError::Unavailable(why) if why.contains("security.protocol")));

    permissions(&broker, &mut files, &guest, &authority);
}

fn permissions(broker: &Broker, files: &mut Files, guest: &User, authority: &Path) {
    let mut log = open(broker, files.client(&text(guest, Mechanism::ScramSha256, authority)));
    denied(log.ends("kept"), &["topic `kept`", "does not allow"], &guest.password);
    denied(log.reader(&[span("kept", 0, None)]).map(|_| ()), &["kept"], &guest.password);
    denied(log.create("new", 1, KEEP), &["topic `new`", "does not allow"], &guest.password);
    denied(log.may_create("new", 1), &["new"], &guest.password);
    denied(log.lease("p", Errand::Run).map(|_| ()), &["p.control"], &guest.password);
    // To read is enough to read, and to know where it ends.
    let who = format!("User:{}", guest.name);
    let allow = ["--add", "--allow-principal", &who];
    let allowed = |given: &[&str]| broker.call(RULES, &[&allow[..], given].concat(), "").unwrap();
    allowed(&["--operation", "Read", "--topic", "kept"]);
    let ends = until("the permission", || log.ends("kept").ok().flatten());
    assert_eq!(ends.partitions[0].stable, 3);
    assert_eq!(read_to(&mut *log.reader(&[span("kept", 0, None)]).unwrap(), 3).len(), 3);
    let mut appender = log.appender().unwrap();
    let route = appender.route("kept", 0).unwrap();
    common::submit(&mut *appender, route, b"x");
    let error = until("the end", || appender.poll(&mut Vec::new()).err());
    let LogError::Denied(why) = &error else { panic!("{error:?}") };
    assert!(why.contains("does not allow") && why.contains("write to a topic"), "{why}");
    // The control topic may be read, and the group may not.
    allowed(&["--operation", "Read", "--topic", "p.control"]);
    let mut lease = until("the lease", || log.lease("p", Errand::Run).ok());
    let trouble = until("the reason", || log.lease_trouble());
    assert!(!lease.held());
    assert!(matches!(&trouble, LogError::Denied(why) if why.contains("group")), "{trouble}");
    // It would ask again, and might be first.
    drop(lease);
    allowed(&["--operation", "Read", "--group", "alluvium.p"]);
    let mut lease = log.lease("p", Errand::Run).unwrap();
    until("the lease", || lease.held().then_some(()));
}

/// The certificate of an authority that has signed nothing.
fn strange_authority(files: &Files) -> PathBuf {
    let folder = files.folder.path();
    let store = folder.join("store.p12");
    let keytool = |given: &[&str]| {
        let output = std::process::Command::new("keytool")
            .args(given)
            .args(["-storepass", "changeit", "-alias", "a", "-keystore"])
            .arg(&store)
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        output.stdout
    };
    keytool(&["-genkeypair", "-keyalg", "EC", "-dname", "CN=stranger", "-ext", "bc:c"]);
    let path = folder.join("stranger.pem");
    fs::write(&path, keytool(&["-exportcert", "-rfc"])).unwrap();
    path
}
