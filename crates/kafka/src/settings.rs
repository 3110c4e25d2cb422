//! How Kafka is reached: the servers, and a `client.properties` of the kind that every Kafka tool
//! takes. What such a file may hold is listed here; all else is refused with its line, because a
//! misspelt setting of security must not be passed over, and because some of the client's settings
//! load code or run commands.

use std::{
    collections::BTreeMap,
    fmt, fs,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::properties::{self, Property};

/// How Kafka is reached. Printing one shows no secret: those are in the file only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where to ask first: `host:port`, several with commas between. May be empty when the file
    /// has `bootstrap.servers`; otherwise it is preferred to that.
    pub servers: String,
    /// A `client.properties`: encryption, users and passwords.
    pub client: Option<PathBuf>,
    /// How long a question waits for its answer. Range: above zero. Default: 5 s. Raised: a slow
    /// cluster is waited for, and a dead one is noticed later.
    pub answer_timeout: Duration,
    /// How long appends may go without any acknowledgement before their session ends. Range: above
    /// zero. Default: 60 s. Raised: longer outages are sat out, and reported later.
    pub append_timeout: Duration,
    /// How long the holder of a lease may be silent before another gets it. Range: what the
    /// brokers allow (6 s to 30 min unless they say otherwise). Default: 10 s. Raised: pauses of a
    /// busy machine are forgiven, and a successor takes over later.
    pub session_timeout: Duration,
    /// How many bytes of records a reader holds that nobody has asked for yet, over all its
    /// partitions. Range: 1 MiB for each partition, or more. Default: 64 MiB.
    pub read_ahead_bytes: usize,
}

impl Settings {
    /// Settings with the defaults.
    pub fn new(servers: impl Into<String>, client: Option<PathBuf>) -> Settings {
        Settings {
            servers: servers.into(),
            client,
            answer_timeout: Duration::from_secs(5),
            append_timeout: Duration::from_secs(60),
            session_timeout: Duration::from_secs(10),
            read_ahead_bytes: 64 << 20,
        }
    }

    /// Reads the file, if there is one, and says what is wrong with it.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> Result<(), Mistake> {
        Properties::load(self).map(|_| ())
    }
}

/// What is wrong with the settings. Never names a value that could be a secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// The file, if it is there.
    pub file: Option<PathBuf>,
    /// The line, from one.
    pub line: Option<usize>,
    /// What is wrong, and what would be right.
    pub what: String,
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(file) = &self.file {
            write!(f, "{}:", file.display())?;
            match self.line {
                Some(line) => write!(f, "{line}: ")?,
                None => write!(f, " ")?,
            }
        }
        f.write_str(&self.what)
    }
}

impl std::error::Error for Mistake {}

/// What becomes of a key of the file.
#[derive(Clone, Copy)]
enum Key {
    /// It is the client's too, or under that name.
    Same(&'static str),
    /// As `Same`, and its value is a secret.
    Secret(&'static str),
    /// Java's way to say something, see [`Properties::java`].
    Java,
}

use Key::{Java, Same, Secret};

/// Every key that is known.
const KEYS: [(&str, Key); 41] = [
    ("bootstrap.servers", Same("bootstrap.servers")),
    ("broker.address.family", Same("broker.address.family")),
    ("client.dns.lookup", Same("client.dns.lookup")),
    ("client.id", Same("client.id")),
    ("client.rack", Same("client.rack")),
    ("compression.codec", Same("compression.codec")),
    ("compression.level", Same("compression.level")),
    ("compression.type", Same("compression.codec")),
    ("connections.max.idle.ms", Same("connections.max.idle.ms")),
    ("metadata.broker.list", Same("bootstrap.servers")),
    ("reconnect.backoff.max.ms", Same("reconnect.backoff.max.ms")),
    ("reconnect.backoff.ms", Same("reconnect.backoff.ms")),
    ("sasl.jaas.config", Java),
    ("sasl.mechanism", Same("sasl.mechanism")),
    ("sasl.mechanisms", Same("sasl.mechanism")),
    ("sasl.password", Secret("sasl.password")),
    ("sasl.username", Same("sasl.username")),
    ("security.protocol", Same("security.protocol")),
    ("socket.connection.setup.timeout.ms", Same("socket.connection.setup.timeout.ms")),
    ("socket.keepalive.enable", Same("socket.keepalive.enable")),
    ("ssl.ca.location", Same("ssl.ca.location")),
    ("ssl.ca.pem", Same("ssl.ca.pem")),
    ("ssl.certificate.location", Same("ssl.certificate.location")),
    ("ssl.certificate.pem", Same("ssl.certificate.pem")),
    ("ssl.cipher.suites", Same("ssl.cipher.suites")),
    ("ssl.crl.location", Same("ssl.crl.location")),
    ("ssl.curves.list", Same("ssl.curves.list")),
    ("ssl.endpoint.identification.algorithm", Java),
    ("ssl.key.location", Same("ssl.key.location")),
    ("ssl.key.password", Secret("ssl.key.password")),
    ("ssl.key.pem", Secret("ssl.key.pem")),
    ("ssl.keystore.certificate.chain", Same("ssl.certificate.pem")),
    ("ssl.keystore.key", Secret("ssl.key.pem")),
    ("ssl.keystore.location", Java),
    ("ssl.keystore.password", Secret("ssl.keystore.password")),
    ("ssl.keystore.type", Java),
    ("ssl.sigalgs.list", Same("ssl.sigalgs.list")),
    ("ssl.truststore.certificates", Same("ssl.ca.pem")),
    ("ssl.truststore.location", Java),
    ("ssl.truststore.password", Java),
    ("ssl.truststore.type", Java),
];

/// The client's settings, from the file and the rest. Never printed with a value.
#[derive(Clone)]
pub(crate) struct Properties {
    pub(crate) values: BTreeMap<&'static str, String>,
    pub(crate) secrets: Vec<String>,
    file: Option<PathBuf>,
}

impl Properties {
    pub(crate) fn load(settings: &Settings) -> Result<Properties, Mistake> {
        let mut found = Properties {
            values: BTreeMap::new(),
            secrets: Vec::new(),
            file: settings.client.clone(),
        };
        if let Some(path) = &settings.client {
            let text = fs::read_to_string(path).map_err(|error| {
                found.mistake(None, format!("reading the client's settings failed: {error}"))
            })?;
            found.take(&properties::parse(&text))?;
            if !found.secrets.is_empty() {
                found.check_mode(path)?;
            }
        }
        let servers = settings.servers.trim();
        if !servers.is_empty() {
            found.values.insert("bootstrap.servers", servers.to_owned());
        }
        if found.values.get("bootstrap.servers").is_none_or(|servers| servers.trim().is_empty()) {
            let what = "nobody says where Kafka is: `servers` has to name host:port";
            return Err(Mistake { file: None, line: None, what: what.to_owned() });
        }
        if found.servers().contains("://") {
            let what = format!("`servers` are host:port, without `://`: {}", found.servers());
            return Err(Mistake { file: None, line: None, what });
        }
        found.complete()?;
        Ok(found)
    }

    /// Whom to ask, for people.
    pub(crate) fn servers(&self) -> &str {
        self.values.get("bootstrap.servers").map_or("", String::as_str)
    }

    fn mistake(&self, line: Option<usize>, what: String) -> Mistake {
        Mistake { file: self.file.clone(), line, what }
    }

    fn take(&mut self, properties: &[Property]) -> Result<(), Mistake> {
        for Property { line, name, value } in properties {
            let Ok(index) = KEYS.binary_search_by_key(&&**name, |(key, _)| key) else {
                return Err(self.mistake(Some(*line), unknown(name)));
            };
            match KEYS[index].1 {
                Same(key) => self.set(*line, name, key, value)?,
                Secret(key) => {
                    self.secrets.push(value.clone());
                    self.set(*line, name, key, value)?;
                }
                Java => self.java(*line, name, value, properties)?,
            }
        }
        Ok(())
    }

    fn set(
        &mut self,
        line: usize,
        name: &str,
        key: &'static str,
        value: &str,
    ) -> Result<(), Mistake> {
        match self.values.insert(key, value.trim().to_owned()) {
            None => Ok(()),
            Some(_) => Err(self.mistake(Some(line), format!("`{name}` was said before"))),
        }
    }

    /// What Java says in its own way.
    fn java(
        &mut self,
        line: usize,
        name: &str,
        value: &str,
        all: &[Property],
    ) -> Result<(), Mistake> {
        let kind = |key: &str| {
            let found = all.iter().find(|property| property.name == key);
            found.map_or("JKS".to_owned(), |property| property.value.trim().to_uppercase())
        };
        let refuse = |properties: &Properties, what: &str| {
            Err(properties.mistake(Some(line), format!("`{name}`: {what}")))
        };
        match name {
            "sasl.jaas.config" => match properties::login(value) {
                Ok((user, password)) => {
                    self.secrets.extend([value.to_owned(), password.clone()]);
                    self.set(line, name, "sasl.username", &user)?;
                    self.set(line, name, "sasl.password", &password)
                }
                Err(why) => refuse(self, why),
            },
            "ssl.endpoint.identification.algorithm" if value.trim() == "https" => Ok(()),
            "ssl.endpoint.identification.algorithm" => refuse(
                self,
                "a server is always held to the name in its certificate; give the certificate the \
                 name that is asked for",
            ),
            "ssl.truststore.location" if kind("ssl.truststore.type") == "PEM" => {
                self.set(line, name, "ssl.ca.location", value)
            }
            "ssl.keystore.location" => match &*kind("ssl.keystore.type") {
                "PEM" => {
                    self.set(line, name, "ssl.certificate.location", value)?;
                    self.set(line, name, "ssl.key.location", value)
                }
                "PKCS12" => self.set(line, name, "ssl.keystore.location", value),
                _ => refuse(self, "Java's JKS is not read here: PEM or PKCS12 is, and its type"),
            },
            "ssl.truststore.location" | "ssl.truststore.password" => refuse(
                self,
                "Java's own stores are not read here; write the authorities as PEM and name them \
                 by `ssl.ca.location`, or by `ssl.truststore.location` with \
                 `ssl.truststore.type=PEM`",
            ),
            _ => Ok(()), // A type, which is asked for above.
        }
    }

    /// A file with secrets is nobody else's to read.
    fn check_mode(&self, path: &Path) -> Result<(), Mistake> {
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let metadata = fs::metadata(path).map_err(|error| {
                self.mistake(None, format!("reading the client's settings failed: {error}"))
            })?;
            let mode = metadata.permissions().mode();
            // A group may read it: that is how secrets are handed to containers.
            if mode & 0o027 != 0 {
                let what = format!(
                    "it holds a password and others may read or change it (mode {:o}): chmod 600",
                    mode & 0o777
                );
                return Err(self.mistake(None, what));
            }
        }
        Ok(())
    }

    /// What belongs together is there together.
    fn complete(&mut self) -> Result<(), Mistake> {
        let protocol = self.values.get("security.protocol").map(|value| value.to_uppercase());
        let protocol = protocol.as_deref().unwrap_or("PLAINTEXT");
        if !["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"].contains(&protocol) {
            let what = "`security.protocol` is one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL";
            return Err(self.mistake(None, what.to_owned()));
        }
        let (is_ssl, is_sasl) = (protocol.ends_with("SSL"), protocol.starts_with("SASL"));
        let needs_sasl = self.values.keys().any(|key| key.starts_with("sasl."));
        let needs_ssl = self.values.keys().any(|key| key.starts_with("ssl."));
        if (needs_sasl && !is_sasl) || (needs_ssl && !is_ssl) {
            let what = format!("the settings need another `security.protocol` than {protocol}");
            return Err(self.mistake(None, what));
        }
        let mechanism = self.values.get("sasl.mechanism").map(String::as_str).unwrap_or_default();
        if is_sasl && !["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"].contains(&mechanism) {
            let what = "`sasl.mechanism` is one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512";
            return Err(self.mistake(None, what.to_owned()));
        }
        if is_sasl && !self.values.contains_key("sasl.password") {
            let what = "there is no user and password: `sasl.jaas.config`, or `sasl.username` and \
                        `sasl.password`";
            return Err(self.mistake(None, what.to_owned()));
        }
        if is_ssl
            && !["ssl.ca.location", "ssl.ca.pem"].iter().any(|ca| self.values.contains_key(ca))
        {
            // Our OpenSSL was built elsewhere: the system's authorities have to be looked for.
            self.values.insert("ssl.ca.location", "probe".to_owned());
        }
        Ok(())
    }
}

/// What is said of a key that is not known.
fn unknown(name: &str) -> String {
    let distance = |key: &str| strsim::damerau_levenshtein(key, name);
    let nearest = KEYS.iter().map(|(key, _)| *key).min_by_key(|key| distance(key));
    let near = nearest.filter(|key| distance(key) <= name.len().max(key.len()) / 3);
    let shown: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
    match near {
        Some(near) => format!("`{shown}` is not known here; did you mean `{near}`?"),
        None => format!(
            "`{shown}` is not known here: only how Kafka is reached is, such as \
             `security.protocol`, `sasl.jaas.config` or `ssl.ca.location`"
        ),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn load(servers: &str, text: &str) -> Result<Properties, Mistake> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        Properties::load(&Settings::new(servers, Some(file.path().to_owned())))
    }

    fn refused(text: &str) -> Mistake {
        load("a:1", text).err().unwrap_or_else(|| panic!("not refused: {text}"))
    }

    #[test]
    fn the_keys_are_in_order() {
        assert!(KEYS.is_sorted_by(|a, b| a.0 < b.0));
    }

    #[test]
    fn what_java_says_is_understood() {
        let text = "bootstrap.servers=b:2\nsecurity.protocol=SASL_SSL\n\
                    sasl.mechanism=SCRAM-SHA-512\nssl.truststore.type=PEM\n\
                    ssl.truststore.location=/ca.pem\nssl.keystore.type=pem\n\
                    ssl.keystore.location=/me.pem\n\
                    sasl.jaas.config=x.ScramLoginModule required username=\"u\" password=\"pass\";\n";
        let found = load("", text).unwrap();
        assert_eq!(found.servers(), "b:2");
        let expected = [
            ("bootstrap.servers", "b:2"),
            ("sasl.mechanism", "SCRAM-SHA-512"),
            ("sasl.password", "pass"),
            ("sasl.username", "u"),
            ("security.protocol", "SASL_SSL"),
            ("ssl.ca.location", "/ca.pem"),
            ("ssl.certificate.location", "/me.pem"),
            ("ssl.key.location", "/me.pem"),
        ];
        let found_values: Vec<(&str, &str)> =
            found.values.iter().map(|(key, value)| (*key, &**value)).collect();
        assert_eq!(found_values, expected);
        assert!(found.secrets.contains(&"pass".to_owned()));
        assert_eq!(load("a:1", text).unwrap().servers(), "a:1");
    }

    #[test]
    fn what_is_not_on_the_list_is_refused_with_its_line() {
        for key in [
            "plugin.library.paths",
            "ssl.engine.location",
            "ssl.providers",
            "sasl.kerberos.kinit.cmd",
            "sasl.oauthbearer.config",
            "debug",
            "enable.ssl.certificate.verification",
            "isolation.level",
            "group.id",
            "interceptor.classes",
        ] {
            let mistake = refused(&format!("# first\n{key}=canary\n"));
            assert_eq!(mistake.line, Some(2), "{mistake}");
            assert!(mistake.what.contains(key), "{mistake}");
            assert!(!mistake.to_string().contains("canary"), "{mistake}");
        }
        let near = refused("security.protocoll=SSL\n");
        assert!(near.what.contains("did you mean `security.protocol`?"), "{near}");
    }

    #[test]
    fn what_does_not_belong_together_is_refused() {
        for (text, word) in [
            ("sasl.username=a\nsasl.password=canary\n", "security.protocol"),
            ("ssl.ca.location=/ca\n", "security.protocol"),
            ("security.protocol=TLS\n", "SASL_SSL"),
            ("security.protocol=SASL_SSL\n", "sasl.mechanism"),
            ("security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\n", "password"),
            ("security.protocol=SSL\nssl.endpoint.identification.algorithm=\n", "certificate"),
            ("security.protocol=SSL\nssl.truststore.location=a.jks\n", "PEM"),
            ("security.protocol=SSL\nssl.keystore.location=a.jks\n", "PEM"),
            ("client.id=a\nclient.id=b\n", "before"),
            ("sasl.jaas.config=x.PlainLoginModule canary\n", "username"),
        ] {
            let mistake = refused(text).to_string();
            assert!(mistake.contains(word) && !mistake.contains("canary"), "{text}: {mistake}");
        }
        assert!(Settings::new(" ", None).check().is_err(), "no servers");
        let missing = Settings::new("a:1", Some("/does/not/exist".into())).check();
        assert!(missing.unwrap_err().to_string().starts_with("/does/not/exist: "));
    }

    #[test]
    fn authorities_are_looked_for_when_none_are_named() {
        let found = load("a:1", "security.protocol=SSL\n").unwrap();
        assert_eq!(found.values["ssl.ca.location"], "probe");
    }

    #[cfg(unix)]
    #[test]
    fn a_file_with_a_password_is_nobody_elses() {
        use std::os::unix::fs::PermissionsExt;
        let text = "security.protocol=SASL_SSL\nsasl.mechanism=PLAIN\nsasl.username=a\n\
                    sasl.password=canary\n";
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(text.as_bytes()).unwrap();
        let settings = Settings::new("a:1", Some(file.path().to_owned()));
        for (mode, is_fine) in [(0o600, true), (0o440, true), (0o644, false), (0o660, false)] {
            fs::set_permissions(file.path(), fs::Permissions::from_mode(mode)).unwrap();
            assert_eq!(settings.check().is_ok(), is_fine, "{mode:o}");
        }
        assert!(!format!("{settings:?}").contains("canary"));
    }
}
