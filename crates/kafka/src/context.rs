//! What the clients say: their log lines are kept and never printed, and their last trouble is
//! remembered, so that a question that gets no answer can say why.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rdkafka::{
    client::ClientContext,
    config::RDKafkaLogLevel,
    consumer::{BaseConsumer, Consumer, ConsumerContext, Rebalance},
    error::{KafkaError, RDKafkaErrorCode},
    message::{DeliveryResult, Message},
    producer::ProducerContext,
};

use crate::failure::Refusal;

/// How many lines are kept.
const LINES_MAX: usize = 200;
/// The longest line.
const LINE_BYTES_MAX: usize = 500;
/// A secret shorter than this is not looked for in lines: it would be found everywhere.
const SECRET_BYTES_MIN: usize = 4;

/// The newest lines that the clients have said.
#[derive(Default)]
pub(crate) struct Said {
    lines: Mutex<VecDeque<String>>,
    secrets: Vec<String>,
}

impl Said {
    pub(crate) fn new(secrets: Vec<String>) -> Said {
        let secrets =
            secrets.into_iter().filter(|secret| secret.len() >= SECRET_BYTES_MIN).collect();
        Said { lines: Mutex::default(), secrets }
    }

    pub(crate) fn lines(&self) -> Vec<String> {
        lock(&self.lines).iter().cloned().collect()
    }

    fn say(&self, line: &str) {
        let end = line.floor_char_boundary(LINE_BYTES_MAX);
        let line = self.without_secrets(&line[..end]);
        let mut lines = lock(&self.lines);
        if lines.len() == LINES_MAX {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    /// librdkafka does not print secrets; a server's answer might.
    fn without_secrets(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            text = text.replace(secret, "***");
        }
        text
    }
}

/// What every client's context has.
#[derive(Clone)]
pub(crate) struct Common {
    said: Arc<Said>,
    /// What the client is for.
    who: &'static str,
    trouble: Arc<Mutex<Option<(Instant, Refusal)>>>,
}

impl Common {
    pub(crate) fn new(said: Arc<Said>, who: &'static str) -> Common {
        Common { said, who, trouble: Arc::default() }
    }

    pub(crate) fn log(&self, facility: &str, line: &str) {
        self.said.say(&format!("{}: {facility} {line}", self.who));
        // That a server hangs up is no error to the client; before the first answer it may be the
        // only thing that tells of the wrong kind of connection.
        let at_once = line.contains("Disconnected") && line.contains("APIVERSION_QUERY");
        if at_once || line.contains("security.protocol") {
            let told = line.split_once("]: ").map_or(line, |(_, rest)| rest);
            let error = KafkaError::Global(RDKafkaErrorCode::BrokerTransportFailure);
            self.error(&error, &format!("{told} (security.protocol?)"));
        }
    }

    pub(crate) fn error(&self, error: &KafkaError, reason: &str) {
        let code = error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail);
        self.said.say(&format!("{}: {code}: {reason}", self.who));
        let refusal = Refusal { code, reason: self.said.without_secrets(reason) };
        let mut trouble = lock(&self.trouble);
        // That all brokers are down is said after why each of them is.
        let adds_nothing = code == RDKafkaErrorCode::AllBrokersDown && trouble.is_some();
        if !adds_nothing {
            *trouble = Some((Instant::now(), refusal));
        }
    }

    /// The last trouble, if it is not older than that.
    pub(crate) fn trouble(&self, age_max: Duration) -> Option<Refusal> {
        let trouble = lock(&self.trouble);
        trouble.as_ref().filter(|(at, _)| at.elapsed() <= age_max).map(|(_, why)| why.clone())
    }

    /// The server's refusal to talk to us at all, if it came after that.
    pub(crate) fn turned_away_since(&self, moment: Instant) -> Option<Refusal> {
        let trouble = lock(&self.trouble);
        let found = trouble.as_ref().filter(|(at, why)| *at >= moment && why.is_denial());
        found.map(|(_, why)| why.clone())
    }

    /// All is well again.
    pub(crate) fn forget_trouble(&self) {
        *lock(&self.trouble) = None;
    }
}

/// The context of clients that read and ask.
pub(crate) struct ReadContext(pub(crate) Common);

impl ReadContext {
    /// Takes the news of a client: its lines and errors.
    pub(crate) fn serve(&self, client: &BaseConsumer<ReadContext>) {
        // Records never come this way: they are taken from the partitions' own queues. What does
        // come has been told to this context.
        while client.poll(Duration::ZERO).is_some() {}
    }

    pub(crate) fn turned_away_since(&self, moment: Instant) -> Option<Refusal> {
        self.0.turned_away_since(moment)
    }
}

impl ClientContext for ReadContext {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, line: &str) {
        self.0.log(facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.0.error(&error, reason);
    }
}

impl ConsumerContext for ReadContext {}

/// The context of a client that appends.
pub(crate) struct AppendContext {
    pub(crate) common: Common,
    delivered: Mutex<Vec<Delivered>>,
}

/// What became of a record.
pub(crate) struct Delivered {
    /// What was handed over with it.
    pub(crate) mark: usize,
    /// Its offset.
    pub(crate) offset: Result<u64, RDKafkaErrorCode>,
}

impl AppendContext {
    pub(crate) fn new(common: Common) -> AppendContext {
        AppendContext { common, delivered: Mutex::default() }
    }

    /// Swaps what was delivered with an empty list.
    pub(crate) fn swap_delivered(&self, with: &mut Vec<Delivered>) {
        std::mem::swap(&mut *lock(&self.delivered), with);
    }

    /// How many deliveries wait to be taken.
    pub(crate) fn delivered(&self) -> usize {
        lock(&self.delivered).len()
    }
}

impl ClientContext for AppendContext {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, line: &str) {
        self.common.log(facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.common.error(&error, reason);
    }
}

impl ProducerContext for AppendContext {
    type DeliveryOpaque = usize;

    fn delivery(&self, result: &DeliveryResult<'_>, mark: usize) {
        let offset = match result {
            Ok(message) => {
                u64::try_from(message.offset()).map_err(|_| RDKafkaErrorCode::InvalidRecord)
            }
            Err((error, _)) => Err(error.rdkafka_error_code().unwrap_or(RDKafkaErrorCode::Fail)),
        };
        lock(&self.delivered).push(Delivered { mark, offset });
    }
}

/// The context of a lease.
pub(crate) struct LeaseContext {
    pub(crate) common: Common,
    pub(crate) is_assigned: AtomicBool,
}

impl LeaseContext {
    pub(crate) fn new(common: Common) -> LeaseContext {
        LeaseContext { common, is_assigned: AtomicBool::new(false) }
    }
}

impl ClientContext for LeaseContext {
    fn log(&self, _: RDKafkaLogLevel, facility: &str, line: &str) {
        self.common.log(facility, line);
    }

    fn error(&self, error: KafkaError, reason: &str) {
        self.common.error(&error, reason);
    }
}

impl ConsumerContext for LeaseContext {
    fn pre_rebalance(&self, _: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        match rebalance {
            Rebalance::Assign(partitions) if partitions.count() == 0 => {} // Nothing was added.
            Rebalance::Assign(_) => self.is_assigned.store(true, Ordering::Release),
            Rebalance::Revoke(partitions) if partitions.count() == 0 => {}
            Rebalance::Revoke(_) | Rebalance::Error(_) => {
                self.is_assigned.store(false, Ordering::Release);
            }
        }
    }

    fn post_rebalance(&self, client: &BaseConsumer<Self>, rebalance: &Rebalance<'_>) {
        if let Rebalance::Assign(partitions) = rebalance {
            // Nothing is read; and if it were, it would only be thrown away.
            drop(client.pause(partitions));
        }
    }
}

/// What a lock guards stays whole when its holder panics: each change is one step.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_and_hold_no_secret() {
        let said = Arc::new(Said::new(vec!["canary-secret".to_owned(), "a".to_owned()]));
        let common = Common::new(said.clone(), "reader");
        for n in 0..LINES_MAX + 5 {
            common.log("FAIL", &format!("{n} canary-secret {}", "é".repeat(LINE_BYTES_MAX)));
        }
        let lines = said.lines();
        assert_eq!(lines.len(), LINES_MAX);
        assert!(lines[0].starts_with("reader: FAIL 5 *** é"), "{}", lines[0]);
        assert!(lines.iter().all(|line| line.len() <= LINE_BYTES_MAX));
        let error = KafkaError::Global(RDKafkaErrorCode::Authentication);
        common.error(&error, "wrong: canary-secret");
        let all_down = KafkaError::Global(RDKafkaErrorCode::AllBrokersDown);
        common.error(&all_down, "1/1 brokers are down");
        let trouble = common.trouble(Duration::from_secs(60)).unwrap();
        assert_eq!(trouble.reason, "wrong: ***");
        assert!(common.turned_away_since(Instant::now() - Duration::from_secs(60)).is_some());
        common.forget_trouble();
        assert_eq!(common.trouble(Duration::from_secs(60)), None);
        let closed = "[thrd:a:1/bootstrap]: a:1/bootstrap: Disconnected: connection closed by peer \
                      (after 1ms in state APIVERSION_QUERY)";
        common.log("FAIL", closed);
        let sentence = common.trouble(Duration::MAX).unwrap().sentence("asking", "b:2");
        assert!(sentence.starts_with("asking: a:1 hangs up at once; is `security.protocol`"));
    }
}
