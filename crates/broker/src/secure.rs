//! Certificates and users of a broker that lets in only whom it knows.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{BrokerError, MARK, Mechanism, User, java, run};

/// Guards the key stores, which live as long as the broker and hold nothing else.
const STORE_PASSWORD: &str = "of-no-use-elsewhere";

/// How long the certificates are good for.
const DAYS: &str = "2";

/// Mechanisms whose passwords the broker keeps in its own metadata.
const SALTED: [Mechanism; 2] = [Mechanism::ScramSha256, Mechanism::ScramSha512];

/// Who there is, and the broker's certificate.
#[derive(Debug)]
pub(crate) struct Secrets {
    folder: PathBuf,
    /// May do everything.
    pub(crate) admin: User,
    /// May log in, and nothing else until an access rule says so.
    pub(crate) guest: User,
}

impl Secrets {
    /// Makes the certificates in a folder: an authority, and one it signed for this host.
    pub(crate) fn make(folder: &Path) -> Result<Secrets, BrokerError> {
        let user = |name: &str| User { name: name.into(), password: format!("{name}-{MARK}") };
        let secrets = Secrets { folder: folder.into(), admin: user("admin"), guest: user("guest") };
        fs::create_dir_all(folder)
            .map_err(|source| BrokerError::Io { doing: "making certificates".into(), source })?;
        let both = secrets.path("both.p12");
        let host = secrets.path("host.p12");
        let key = |alias, name, rest: &[&str]| {
            let given = ["-genkeypair", "-alias", alias, "-dname", name, "-keystore", &both];
            let kind = ["-keyalg", "EC", "-groupname", "secp256r1", "-validity", DAYS];
            let password = ["-storepass", STORE_PASSWORD];
            keytool(&[&given[..], &kind, &password, rest].concat())
        };
        key(
            "authority",
            "CN=authority",
            &["-ext", "bc:critical=ca:true", "-ext", "ku=keyCertSign"],
        )?;
        let names = ["-ext", "san=dns:localhost,ip:127.0.0.1", "-ext", "eku=serverAuth"];
        key("host", "CN=localhost", &[&["-signer", "authority"][..], &names].concat())?;
        let authority = secrets.authority();
        let authority = authority.to_string_lossy();
        let given = ["-exportcert", "-rfc", "-alias", "authority", "-file", &authority];
        keytool(&[&given[..], &["-keystore", &both, "-storepass", STORE_PASSWORD]].concat())?;
        // Alone in a store of its own: the broker would choose one of two keys as it likes.
        let given = ["-importkeystore", "-srcalias", "host", "-srckeystore", &both];
        let to = ["-srcstorepass", STORE_PASSWORD, "-destkeystore", &host];
        keytool(&[&given[..], &to, &["-deststorepass", STORE_PASSWORD]].concat())?;
        Ok(secrets)
    }

    fn path(&self, name: &str) -> String {
        self.folder.join(name).display().to_string()
    }

    /// The authority's certificate, in PEM.
    pub(crate) fn authority(&self) -> PathBuf {
        self.folder.join("authority.pem")
    }

    fn users(&self) -> [&User; 2] {
        [&self.admin, &self.guest]
    }

    /// What a node's settings say of them.
    pub(crate) fn settings(&self) -> Vec<(String, String)> {
        let listener = "listener.name.clients";
        let known = self.users().map(|user| format!(" user_{}=\"{}\"", user.name, user.password));
        let plain = format!("{}{};", Mechanism::Plain.module(), known.concat());
        let mut lines = vec![
            ("sasl.enabled.mechanisms".into(), "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512".into()),
            (format!("{listener}.plain.sasl.jaas.config"), plain),
            ("ssl.keystore.location".into(), self.path("host.p12")),
            ("ssl.keystore.password".into(), STORE_PASSWORD.into()),
            ("ssl.key.password".into(), STORE_PASSWORD.into()),
            (
                "authorizer.class.name".into(),
                "org.apache.kafka.metadata.authorizer.StandardAuthorizer".into(),
            ),
            // Who comes without a name came through a listener that is not for clients.
            ("super.users".into(), format!("User:{};User:ANONYMOUS", self.admin.name)),
        ];
        for mechanism in SALTED {
            let name = mechanism.name().to_lowercase();
            let module = format!("{};", mechanism.module());
            lines.push((format!("{listener}.{name}.sasl.jaas.config"), module));
        }
        lines
    }

    /// What the formatting of a node has to be told of them.
    pub(crate) fn format_arguments(&self) -> Vec<String> {
        let add = |user: &User, mechanism: Mechanism| {
            let (name, password) = (&user.name, &user.password);
            let salted = format!("{}=[name={name},password={password}]", mechanism.name());
            ["--add-scram".to_string(), salted]
        };
        let users = self.users();
        users.iter().flat_map(|user| SALTED.map(|by| add(user, by))).flatten().collect()
    }

    /// Writes the file that a Java client reads to log in.
    pub(crate) fn client(&self, user: &User, mechanism: Mechanism) -> Result<PathBuf, BrokerError> {
        let (name, password) = (&user.name, &user.password);
        let module = mechanism.module();
        let lines = [
            "security.protocol=SASL_SSL".to_string(),
            format!("sasl.mechanism={}", mechanism.name()),
            format!("sasl.jaas.config={module} username=\"{name}\" password=\"{password}\";"),
            "ssl.truststore.type=PEM".to_string(),
            format!("ssl.truststore.location={}", self.authority().display()),
        ];
        // By everything that makes a difference, so that no caller changes another one's file.
        let path = self.folder.join(format!("{name}-{password}-{}.client", mechanism.name()));
        fs::write(&path, lines.join("\n")).map_err(|source| BrokerError::Io {
            doing: format!("writing {}", path.display()),
            source,
        })?;
        Ok(path)
    }
}

fn keytool(given: &[&str]) -> Result<(), BrokerError> {
    let mut command = Command::new(java::program("keytool"));
    command.args(given).stdin(Stdio::null());
    run(command, "").map(drop)
}
