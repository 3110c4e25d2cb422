//! What somebody types into Kafka's own tools so that a pipeline finds what it needs: topics,
//! their settings, and the rights of its user. Nothing here asks anybody.

use std::fmt;

use alluvium_ledger::log::Policy;

use crate::settings::{Mistake, Properties, Settings};

/// What a user may do with a topic or a group.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Right {
    /// Read records; members of a group need it, too. Implies `Describe`.
    Read,
    /// Append records, on brokers since 2.8 idempotently, too. Implies `Describe`.
    Write,
    /// Make the topic.
    Create,
    /// Know that it is there.
    Describe,
    /// See how it is kept.
    DescribeConfigs,
}

/// As Kafka's tools spell it.
impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Right::Read => "Read",
            Right::Write => "Write",
            Right::Create => "Create",
            Right::Describe => "Describe",
            Right::DescribeConfigs => "DescribeConfigs",
        })
    }
}

/// What a right is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource<'a> {
    /// A topic.
    Topic(&'a str),
    /// A consumer group.
    Group(&'a str),
}

/// The command lines, for one cluster and one user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tools {
    servers: String,
    is_secured: bool,
    user: Option<String>,
}

/// The file that the commands name where the cluster asks who is there: not the pipeline's own,
/// because whoever may make topics and give rights is somebody else, and because Java's tools do
/// not know every key of it.
pub const ADMIN_FILE: &str = "admin.properties";

impl Tools {
    /// The command lines for a cluster and the user that the settings name.
    ///
    /// # Errors
    /// When the settings are wrong.
    pub fn of(settings: &Settings) -> Result<Tools, Mistake> {
        let properties = Properties::load(settings)?;
        let protocol = properties.values.get("security.protocol");
        Ok(Tools {
            servers: properties.servers().to_owned(),
            is_secured: protocol.is_some_and(|name| !name.eq_ignore_ascii_case("PLAINTEXT")),
            user: properties.values.get("sasl.username").cloned(),
        })
    }

    /// Whether the cluster asks who is there: the commands then name [`ADMIN_FILE`].
    pub fn is_secured(&self) -> bool {
        self.is_secured
    }

    /// Whether it is known whose rights are given. The holder of a certificate is called what the
    /// brokers make of it, so the commands say `NAME`.
    pub fn knows_user(&self) -> bool {
        self.user.is_some()
    }

    /// Makes a topic, as this program would.
    pub fn create(&self, topic: &str, partitions: u32, policy: Policy) -> String {
        let mut line = format!(
            "{} --create --topic {} --partitions {partitions}",
            self.begin("kafka-topics.sh"),
            word(topic)
        );
        for (name, value) in settings_of(policy) {
            line.push_str(&format!(" --config {name}={value}"));
        }
        line
    }

    /// Changes settings of a topic.
    pub fn alter(&self, topic: &str, settings: &[(&str, &str)]) -> String {
        let settings: Vec<String> =
            settings.iter().map(|(name, value)| format!("{name}={value}")).collect();
        format!(
            "{} --alter --entity-type topics --entity-name {} --add-config {}",
            self.begin("kafka-configs.sh"),
            word(topic),
            settings.join(",")
        )
    }

    /// Gives the user rights to topics and groups.
    pub fn allow(&self, rights: &[Right], resources: &[Resource<'_>]) -> String {
        let user = self.user.as_deref().unwrap_or("NAME");
        let mut line = format!(
            "{} --add --allow-principal {}",
            self.begin("kafka-acls.sh"),
            word(&format!("User:{user}"))
        );
        for right in rights {
            line.push_str(&format!(" --operation {right}"));
        }
        for resource in resources {
            match resource {
                Resource::Topic(topic) => line.push_str(&format!(" --topic {}", word(topic))),
                Resource::Group(group) => line.push_str(&format!(" --group {}", word(group))),
            }
        }
        line
    }

    fn begin(&self, tool: &str) -> String {
        let mut line = format!("{tool} --bootstrap-server {}", word(&self.servers));
        if self.is_secured {
            line.push_str(&format!(" --command-config {ADMIN_FILE}"));
        }
        line
    }
}

/// The settings of a topic that is made for a policy; those that every broker knows.
pub(crate) fn settings_of(policy: Policy) -> Vec<(&'static str, String)> {
    let mut settings = match policy {
        Policy::Compact => vec![("cleanup.policy", "compact".to_owned())],
        Policy::Delete { retention_ms } => vec![
            ("cleanup.policy", "delete".to_owned()),
            ("retention.ms", retention_ms.map_or("-1".to_owned(), |ms| ms.to_string())),
            ("retention.bytes", "-1".to_owned()),
        ],
    };
    settings.push(("compression.type", "zstd".to_owned()));
    // Event times that are loaded, and the places of our own records, are told by their writer.
    settings.push(("message.timestamp.type", "CreateTime".to_owned()));
    settings
}

/// A word as a shell takes it.
fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "._-/:@+=,".contains(c);
    match !text.is_empty() && text.chars().all(is_plain) {
        true => text.to_owned(),
        false => format!("'{}'", text.replace('\'', r"'\''")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_are_what_kafkas_tools_take() {
        let tools = Tools::of(&Settings::new("a:1,b:2", None)).unwrap();
        assert_eq!(
            tools.create("p.state", 1, Policy::Compact),
            "kafka-topics.sh --bootstrap-server a:1,b:2 --create --topic p.state --partitions 1 \
             --config cleanup.policy=compact --config compression.type=zstd --config message.timestamp.type=CreateTime"
        );
        let keep = tools.create("x", 3, Policy::Delete { retention_ms: None });
        assert!(keep.ends_with(
            "--partitions 3 --config cleanup.policy=delete --config retention.ms=-1 --config \
             retention.bytes=-1 --config compression.type=zstd --config \
             message.timestamp.type=CreateTime"
        ));
        assert_eq!(
            tools.alter("p.control", &[("retention.ms", "-1"), ("retention.bytes", "-1")]),
            "kafka-configs.sh --bootstrap-server a:1,b:2 --alter --entity-type topics \
             --entity-name p.control --add-config retention.ms=-1,retention.bytes=-1"
        );
    }

    #[test]
    fn rights_name_the_user_and_nothing_secret() {
        let tools =
            Tools { servers: "a:1".into(), is_secured: true, user: Some("o'neil".to_owned()) };
        assert_eq!(
            tools.allow(&[Right::Read], &[Resource::Group("alluvium.p")]),
            "kafka-acls.sh --bootstrap-server a:1 --command-config admin.properties --add \
             --allow-principal 'User:o'\\''neil' --operation Read --group alluvium.p"
        );
        let rights = [Right::Read, Right::Write];
        let topics = [Resource::Topic("x"), Resource::Topic("y")];
        let line = Tools { user: None, ..tools }.allow(&rights, &topics);
        let end =
            "--allow-principal User:NAME --operation Read --operation Write --topic x --topic y";
        assert!(line.ends_with(end), "{line}");
    }
}
