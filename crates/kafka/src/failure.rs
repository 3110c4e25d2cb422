//! What went wrong, in words: the client's codes become sentences that name the server or topic,
//! and are worth another try or not.

use alluvium_ledger::log::LogError;
use rdkafka::error::{KafkaError, RDKafkaErrorCode as Code};

/// What the client or the broker said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    /// The code.
    pub(crate) code: Code,
    /// The words, if there were any.
    pub(crate) reason: String,
}

impl Refusal {
    pub(crate) fn invalid(what: &str) -> Refusal {
        Refusal { code: Code::InvalidArgument, reason: what.to_owned() }
    }

    /// What the binding said. Its own texts are not used: they can hold values of settings.
    pub(crate) fn of(error: &KafkaError) -> Refusal {
        if let KafkaError::ClientConfig(_, why, key, _) = error {
            return Refusal::invalid(&format!("the setting `{key}`: {why}"));
        }
        if let KafkaError::ClientCreation(why) = error {
            return Refusal::invalid(why);
        }
        let code = error.rdkafka_error_code().unwrap_or(Code::Fail);
        Refusal { code, reason: String::new() }
    }

    /// Whether there is no such topic.
    pub(crate) fn is_no_topic(&self) -> bool {
        matches!(
            self.code,
            Code::UnknownTopicOrPartition
                | Code::UnknownTopic
                | Code::UnknownPartition
                | Code::UnknownTopicId
                | Code::InvalidTopic
        )
    }

    /// Whether another try cannot help until somebody changes something.
    pub(crate) fn is_denial(&self) -> bool {
        let is_certificate = self.code == Code::SSL
            && ["certificate", "verify", "unknown ca", "bad cert"]
                .iter()
                .any(|word| self.reason.to_lowercase().contains(word));
        is_certificate
            || matches!(
                self.code,
                Code::Authentication
                    | Code::SaslAuthenticationFailed
                    | Code::UnsupportedSASLMechanism
                    | Code::TopicAuthorizationFailed
                    | Code::GroupAuthorizationFailed
                    | Code::ClusterAuthorizationFailed
                    | Code::PolicyViolation
                    | Code::InvalidConfig
                    | Code::InvalidReplicationFactor
                    | Code::InvalidArgument
            )
    }

    /// The sentence for people. `servers` is whom the client was told to ask.
    pub(crate) fn sentence(&self, doing: &str, servers: &str) -> String {
        let who = self.server().unwrap_or(servers);
        let told = self.told();
        let reason = self.reason.to_lowercase();
        let what = match self.code {
            Code::Authentication | Code::SaslAuthenticationFailed => {
                format!("{who} does not accept this user and password ({told})")
            }
            Code::UnsupportedSASLMechanism => {
                format!("{who} does not offer this sasl.mechanism ({told})")
            }
            Code::SSL if self.is_denial() => format!(
                "the TLS certificate of {who}, or ours, is refused ({told}); ssl.ca.location in \
                 client.properties names the authorities to trust"
            ),
            Code::TopicAuthorizationFailed => {
                format!("{who} does not allow this user to do that with the topic")
            }
            Code::GroupAuthorizationFailed => {
                format!("{who} does not allow this user to do that with the consumer group")
            }
            Code::ClusterAuthorizationFailed => {
                format!("{who} does not allow this user to do that with the cluster")
            }
            Code::Resolve => format!("the name in {who} is unknown ({told})"),
            Code::BrokerTransportFailure | Code::AllBrokersDown
                if reason.contains("connection refused") =>
            {
                format!("{who} refuses connections: is Kafka running there?")
            }
            Code::BrokerTransportFailure if reason.contains("security.protocol") => format!(
                "{who} hangs up at once; is `security.protocol` right, and does it speak TLS or \
                 want a password?"
            ),
            Code::MessageSizeTooLarge => {
                format!("{who}: a record is larger than the topic's max.message.bytes")
            }
            Code::OperationTimedOut | Code::RequestTimedOut | Code::MessageTimedOut => {
                format!("no answer from {who} in time")
            }
            _ if told.is_empty() => format!("{who}: {}", self.code),
            _ => format!("{who}: {told}"),
        };
        format!("{doing}: {what}")
    }

    /// The error for it.
    pub(crate) fn error(&self, doing: &str, servers: &str) -> LogError {
        let sentence = self.sentence(doing, servers);
        match self.is_denial() {
            true => LogError::Denied(sentence),
            false => LogError::Unavailable(sentence),
        }
    }

    /// The server that the client's words begin with: `sasl_ssl://host:9092/1: ...`.
    fn server(&self) -> Option<&str> {
        let (first, _) = self.reason.split_once(": ")?;
        let first = first.split_once("://").map_or(first, |(_, rest)| rest);
        let (server, _) = first.split_once('/')?;
        (server.contains(':') && !server.contains(' ')).then_some(server)
    }

    /// The client's words, without the server before and the moment behind them.
    fn told(&self) -> &str {
        let told = match self.server() {
            Some(_) => self.reason.split_once(": ").map_or(&*self.reason, |(_, rest)| rest),
            None => &self.reason,
        };
        told.split(" (after ").next().unwrap_or(told).trim_end_matches([':', ' ', '.'])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn error(code: Code, reason: &str) -> LogError {
        Refusal { code, reason: reason.to_owned() }.error("asking for topic `a`", "one:9092")
    }

    #[test]
    fn a_refused_connection_is_worth_another_try() {
        let said = "127.0.0.1:1/bootstrap: Connect to ipv4#127.0.0.1:1 failed: Connection refused \
                    (after 0ms in state CONNECT)";
        let expected = "asking for topic `a`: 127.0.0.1:1 refuses connections: is Kafka running \
                        there?";
        let found = error(Code::BrokerTransportFailure, said);
        assert_eq!(found, LogError::Unavailable(expected.to_owned()));
    }

    #[test]
    fn a_wrong_password_is_a_denial() {
        let said = "sasl_plaintext://two:9093/bootstrap: SASL authentication error: Authentication \
                    failed (after 3ms in state AUTH_REQ)";
        let expected = "asking for topic `a`: two:9093 does not accept this user and password \
                        (SASL authentication error: Authentication failed)";
        assert_eq!(error(Code::Authentication, said), LogError::Denied(expected.to_owned()));
    }

    #[test]
    fn a_certificate_is_a_denial_and_a_broken_handshake_is_not() {
        let refused =
            error(Code::SSL, "ssl://a:1/1: SSL handshake failed: certificate verify failed");
        assert!(matches!(refused, LogError::Denied(_)), "{refused}");
        let broken = error(Code::SSL, "ssl://a:1/1: SSL handshake failed: connection reset");
        assert!(matches!(broken, LogError::Unavailable(_)), "{broken}");
    }

    #[test]
    fn a_setting_that_the_client_refuses_is_named_without_its_value() {
        use rdkafka::{ClientConfig, config::RDKafkaLogLevel};
        let mut config = ClientConfig::new();
        config.set_log_level(RDKafkaLogLevel::Error).set("sasl.password", "canary\0secret");
        let refused = config.create_native_config().err().map(|error| Refusal::of(&error));
        assert!(!format!("{refused:?}").contains("canary"), "{refused:?}");
        config.set("sasl.password", "canary").set("security.protocol", "canary");
        let refused = config.create_native_config().err().map(|error| Refusal::of(&error)).unwrap();
        let sentence = refused.sentence("opening", "one:9092");
        assert!(sentence.contains("security.protocol"), "{sentence}");
    }
}
