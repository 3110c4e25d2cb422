//! A Kafka that lets in only whom it knows: what a wrong password, a certificate that is not
//! trusted and a missing right end in, and that no password is ever said, written or kept.

#![allow(clippy::unwrap_used)]

#[path = "support/records.rs"]
mod records;

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use alluvium_broker::{Broker, MARK, Options, Security, User};
use alluvium_embedded::Embedded;
use alluvium_kafka::{KafkaLog, Settings};
use alluvium_ledger::log::Log;
use records::each_record;

/// How long anything may take before the test gives up.
const PATIENCE: Duration = Duration::from_secs(90);
const RULES: &str = "org.apache.kafka.tools.AclCommand";

struct Bench {
    folder: tempfile::TempDir,
    broker: Broker,
    /// All that was ever printed.
    said: Vec<u8>,
}

impl Bench {
    fn new() -> Bench {
        let options = Options { security: Security::TlsSasl, ..Options::default() };
        let folder = tempfile::tempdir().unwrap();
        let rows: String =
            (0..60).map(|n| format!("{},{},{}\n", n % 7, n % 3, ["no", "yes"][n % 2])).collect();
        fs::write(folder.path().join("rows.csv"), rows).unwrap();
        fs::write(folder.path().join("bad.csv"), "nothing,1,no\n").unwrap();
        Bench { folder, broker: Broker::start(options).unwrap(), said: Vec::new() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A pipeline file that goes in by such a `client.properties`.
    fn pipeline(&self, name: &str, client: &str) {
        let (servers, properties) = (self.broker.servers(), format!("{name}.properties"));
        let text = format!(
            r#"
name = "p"
[input.x]
load = "rows.csv"
format.csv = ["a", "b", "class"]
[fields]
a = "number"
b = "number"
[label]
field = "class"
type.class = ["no", "yes"]
[model.linear]
use = ["a", "b"]
learner = "logistic_regression"
[versions]
every = "20 records"
[log.kafka]
servers = "{servers}"
client = "{properties}"
"#
        );
        fs::write(self.path(&format!("{name}.toml")), text).unwrap();
        fs::write(self.path(&properties), client).unwrap();
        fs::set_permissions(self.path(&properties), fs::Permissions::from_mode(0o600)).unwrap();
    }

    fn client(&self, user: &User, authority: &Path) -> String {
        format!(
            "security.protocol=SASL_SSL\nsasl.mechanism=SCRAM-SHA-256\nsasl.username={}\n\
             sasl.password={}\nssl.ca.location={}\n",
            user.name,
            user.password,
            authority.display()
        )
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_alluvium"));
        command.args(line.split(' ')).current_dir(self.folder.path());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    /// Calls it, and keeps what it says.
    fn call(&mut self, line: &str) -> Output {
        let child = self.command(line).spawn().unwrap();
        self.ended(child, line)
    }

    /// Waits for the end of a process, which must come by itself.
    #[track_caller]
    fn ended(&mut self, mut child: Child, what: &str) -> Output {
        let since = Instant::now();
        while child.try_wait().unwrap().is_none() {
            if since.elapsed() > PATIENCE {
                child.kill().unwrap();
                let output = child.wait_with_output().unwrap();
                panic!("{what} sits there: {}{}", out(&output), errors(&output));
            }
            thread::sleep(Duration::from_millis(20));
        }
        let output = child.wait_with_output().unwrap();
        self.said.extend_from_slice(&output.stdout);
        self.said.extend_from_slice(&output.stderr);
        let said = out(&output) + &errors(&output);
        assert!(!said.contains(MARK), "{what}: {said}");
        output
    }

    /// A call that goes well.
    #[track_caller]
    fn goes_well(&mut self, line: &str) -> String {
        let output = self.call(line);
        assert!(output.status.success(), "{line}: {}", errors(&output));
        out(&output)
    }

    /// A call that fails, in such words.
    #[track_caller]
    fn fails(&mut self, code: i32, line: &str, words: &[&str]) {
        let output = self.call(line);
        let said = errors(&output);
        eprintln!("{line}: {said}");
        assert_eq!(output.status.code(), Some(code), "{line}: {said}");
        for word in words {
            assert!(said.contains(word), "{line}: `{word}` in: {said}");
        }
    }

    fn allow(&self, given: &[&str]) {
        let who = format!("User:{}", self.broker.guest().unwrap().name);
        let allow = ["--add", "--allow-principal", &who];
        self.broker.call(RULES, &[&allow[..], given].concat(), "").unwrap();
    }

    fn log(&self) -> KafkaLog {
        let client = Some(self.path("right.properties"));
        KafkaLog::open(&Settings::new(self.broker.servers(), client)).unwrap()
    }
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn errors(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[track_caller]
fn until<T>(what: &str, mut tried: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(found) = tried() {
            return found;
        }
        assert!(since.elapsed() < PATIENCE, "waiting for {what}");
        thread::sleep(Duration::from_millis(50));
    }
}

/// Every verb that asks a log something, of the pipeline in a file.
fn verbs(file: &str) -> Vec<String> {
    let verbs = [
        "check FILE",
        "check FILE --json",
        "run FILE",
        "run FILE --json",
        "status FILE",
        "status FILE --json",
        "load FILE bad.csv",
        "load FILE bad.csv --json",
        "score FILE rows.csv",
        "score FILE",
        "show FILE predictions",
        "show FILE dead-letters",
        "show FILE predictions --json",
        "show FILE x:0:1",
        "show FILE x:0:1 --json",
        "models list FILE",
        "models list FILE --json",
        "models show FILE linear",
        "models show FILE linear --json",
        "models at FILE 9000000000000",
        "verify FILE --all",
        "verify FILE --all --json",
        "models promote FILE linear",
        "models rollback FILE",
        "decide adopt FILE",
        "decide reset FILE",
    ];
    verbs.iter().map(|verb| verb.replace("FILE", file)).collect()
}

#[test]
fn whoever_is_turned_away_hears_why_and_no_password_is_said() {
    let mut bench = Bench::new();
    let authority = bench.broker.authority().unwrap();
    let admin = bench.broker.admin().unwrap().clone();
    let guest = bench.broker.guest().unwrap().clone();
    assert!(admin.password.contains(MARK) && guest.password.contains(MARK));
    bench.pipeline("right", &bench.client(&admin, &authority));

    bench.goes_well("run right.toml");
    for line in verbs("right.toml") {
        // Some have nothing to do, and say so.
        bench.call(&line);
    }
    follows(&mut bench);
    turned_away(&mut bench, &admin, &authority);
    rights_are_missing(&mut bench, &guest, &authority);
    nothing_holds_the_mark(&mut bench);
}

/// What goes on for ever is asked to finish.
fn follows(bench: &mut Bench) {
    for line in [
        "run right.toml --follow",
        "run right.toml --follow --json",
        "score right.toml --follow",
        "score right.toml --follow --json",
    ] {
        let child = bench.command(line).spawn().unwrap();
        thread::sleep(Duration::from_secs(3));
        let pid = child.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let output = bench.ended(child, line);
        assert!(output.status.success(), "{line}: {}", errors(&output));
    }
}

/// A wrong password and a certificate that nobody trusts: every verb ends, and says which server.
fn turned_away(bench: &mut Bench, admin: &User, authority: &Path) {
    let wrong = User { password: format!("wrong-{MARK}"), ..admin.clone() };
    bench.pipeline("wrong", &bench.client(&wrong, authority));
    let strange = strange_authority(bench.folder.path());
    bench.pipeline("strange", &bench.client(admin, &strange));
    let servers = bench.broker.servers();
    let follow = ["run FILE --follow", "score FILE --follow", "score FILE --follow --json"];
    for (file, word) in
        [("wrong.toml", "does not accept this user and password"), ("strange.toml", "certificate")]
    {
        let follow = follow.iter().map(|line| line.replace("FILE", file));
        for line in verbs(file).into_iter().chain(follow) {
            if line.starts_with("check") {
                bench.call(&line);
                continue;
            }
            bench.fails(1, &line, &[word, &servers]);
        }
    }
    // What is wrong with the file is told without what stands in it.
    for line in ["sasl.passwort=", "sasl.jaas.config=x required password=", "debug="] {
        let client = bench.client(admin, authority) + line + MARK + "\n";
        bench.pipeline("mistake", &client);
        bench.fails(2, "run mistake.toml", &["mistake.properties"]);
        bench.fails(2, "score mistake.toml --follow", &["mistake.properties"]);
    }
}

/// What a guest may not do ends in words that name it; what may be mended is told by `status`.
fn rights_are_missing(bench: &mut Bench, guest: &User, authority: &Path) {
    bench.pipeline("guest", &bench.client(guest, authority));
    let denied = "does not allow this user";
    bench.fails(1, "run guest.toml --follow", &["topic `x`", denied]);
    bench.fails(1, "score guest.toml --follow", &["topic `x`", denied]);
    bench.fails(1, "status guest.toml", &["p.", denied]);
    bench.allow(&["--operation", "Read", "--topic", "x"]);
    bench.allow(&["--operation", "Create", "--topic", "x"]);
    bench.allow(&["--operation", "Read", "--topic", "p.", "--resource-pattern-type", "prefixed"]);
    // The group may not be joined: nobody stands by for ever.
    until("the right", || {
        let output = bench.call("run guest.toml --follow");
        errors(&output).contains("group").then(|| assert_eq!(output.status.code(), Some(1)))
    });
    bench.fails(1, "score guest.toml --follow", &["group", denied]);
    bench.allow(&[
        "--operation",
        "Read",
        "--group",
        "alluvium.p",
        "--resource-pattern-type",
        "prefixed",
    ]);
    for topic in ["p.control", "p.state", "p.models"] {
        bench.allow(&["--operation", "Write", "--topic", topic]);
    }
    bench.goes_well("load right.toml rows.csv --input x");
    fs::copy(bench.path("rows.csv"), bench.path("more.csv")).unwrap();
    bench.goes_well("load right.toml more.csv");
    // What it learns it may not say: it is tried for a while.
    let words = ["p.predictions:0", denied];
    bench.fails(3, "run guest.toml --follow", &words);
    let shown = until("the halt in status", || {
        let shown = bench.goes_well("status right.toml");
        shown.contains("halted").then_some(shown)
    });
    assert!(words.iter().all(|word| shown.contains(word)), "{shown}");
    assert!(shown.contains("alluvium run right.toml"), "{shown}");
    bench.fails(1, "score guest.toml --follow", &["p.scores", denied]);
    // Whoever may goes on.
    bench.goes_well("run right.toml");
}

/// The certificate of an authority that has signed nothing.
fn strange_authority(folder: &Path) -> PathBuf {
    let store = folder.join("store.p12");
    let keytool = |given: &[&str]| {
        let mut command = Command::new("keytool");
        command
            .args(given)
            .args(["-storepass", "changeit", "-alias", "a", "-keystore"])
            .arg(&store);
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
        output.stdout
    };
    keytool(&["-genkeypair", "-keyalg", "EC", "-dname", "CN=stranger", "-ext", "bc:c"]);
    let path = folder.join("stranger.pem");
    fs::write(&path, keytool(&["-exportcert", "-rfc"])).unwrap();
    path
}

/// No topic, no directory and no line of all that was said holds it.
fn nothing_holds_the_mark(bench: &mut Bench) {
    let holds = |bytes: &[u8]| bytes.windows(MARK.len()).any(|window| window == MARK.as_bytes());
    assert!(bench.said.len() > 10_000 && !holds(&bench.said));
    let topics = [
        "x",
        "p.control",
        "p.state",
        "p.models",
        "p.predictions",
        "p.alarms",
        "p.dead-letters",
        "p.scores",
    ];
    let mut seen = 0;
    let mut look = |log: &mut dyn Log, topics: &[&str]| {
        for topic in topics {
            each_record(log, topic, |_, record| {
                let parts = [record.key, record.value, Some(record.headers.bytes())];
                assert!(
                    !parts.iter().flatten().any(|part| holds(part)),
                    "{topic}:{}",
                    record.offset
                );
                seen += 1;
            });
        }
    };
    look(&mut bench.log(), &topics);
    // The same file in a directory, beside which its `client.properties` lies.
    let line = format!("run right.toml --log {}", bench.path("here").display());
    bench.goes_well(&line);
    look(&mut Embedded::open(bench.path("here")).unwrap(), &topics[..topics.len() - 1]);
    assert!(seen > 400, "{seen}");
    let mut kept = Vec::new();
    files(bench.folder.path(), &mut kept);
    let is_data = |path: &PathBuf| path.ends_with("here/data.mdb");
    assert!(kept.iter().any(is_data), "{kept:?}");
    for path in &kept {
        let is_client = path.extension().is_some_and(|extension| extension == "properties");
        assert!(is_client || !holds(&fs::read(path).unwrap()), "{}", path.display());
    }
}

/// Every file of a folder and of those in it.
fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, into);
        } else {
            into.push(path);
        }
    }
}
