//! What `score --follow` says: lines for people on standard error, or an object a line.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::loaded::Loaded;
use crate::{
    plain,
    screen::{note, say, words},
    tell,
};

/// How often it is said how far it is, and that records were refused.
const EVERY: Duration = Duration::from_secs(5);
/// How often refusals are said at most.
const REFUSED_EVERY: Duration = Duration::from_secs(10);

/// What is told of scoring that goes on for ever.
pub(super) struct Told {
    json: bool,
    pub(super) answered: u64,
    pub(super) refused: u64,
    said_answered: u64,
    said_refused: u64,
    due: Instant,
    refused_due: Instant,
    newest_refusal: Option<(String, String)>,
    waiting: Option<String>,
}

impl Told {
    pub(super) fn new(json: bool) -> Told {
        let now = Instant::now();
        Told {
            json,
            answered: 0,
            refused: 0,
            said_answered: 0,
            said_refused: 0,
            due: now + EVERY,
            refused_due: now,
            newest_refusal: None,
            waiting: None,
        }
    }

    fn tell(&self, event: &Value, line: &str) {
        match self.json {
            true => say(&plain::json(event)),
            false => note(&plain::line(line)),
        }
    }

    /// A version answers from here on.
    pub(super) fn version(&self, loaded: &Loaded, to: &str) {
        let (name, state) = (loaded.name(), tell::digest(&loaded.state_digest));
        let event = json!({
            "event": "version", "model": loaded.model, "version": loaded.version,
            "state_digest": loaded.state_digest, "answered": self.answered,
        });
        let after = match self.answered {
            0 => format!("to {to}"),
            answered => format!("after {}", words::counted(answered, "answer")),
        };
        self.tell(
            &event,
            &format!("version    {name} answers from here on, {after}   state {state}"),
        );
    }

    /// These partitions are read by this process.
    pub(super) fn partitions(&self, places: &[(String, u64)], whose: &str) {
        let named: Vec<Value> =
            places.iter().map(|(place, from)| json!({ "place": place, "from": from })).collect();
        let event = json!({ "event": "partitions", "by": whose, "partitions": named });
        let shown: Vec<String> =
            places.iter().map(|(place, from)| format!("{place} from {from}")).collect();
        let line = match shown.as_slice() {
            [] => format!("partitions none: other processes of {whose} have them all"),
            shown => format!("partitions {}   by {whose}", shown.join(", ")),
        };
        self.tell(&event, &line);
    }

    /// Something that happens seldom, and that people should know.
    pub(super) fn once(&self, event: &str, why: &str) {
        self.tell(&json!({ "event": event, "why": why }), &format!("{event:10} {why}"));
    }

    /// It waits, if that is news.
    pub(super) fn waiting(&mut self, why: &str) {
        if self.waiting.as_deref() != Some(why) {
            self.once("waiting", why);
            self.waiting = Some(why.into());
        }
    }

    /// It waits no more.
    pub(super) fn going_on(&mut self) {
        if self.waiting.take().is_some() && !self.json {
            note("going on");
        }
    }

    /// A record was refused.
    pub(super) fn refused(&mut self, at: impl FnOnce() -> (String, String)) {
        self.refused += 1;
        if self.newest_refusal.is_none() {
            self.newest_refusal = Some(at());
        }
    }

    /// Says how far it is, once in a while.
    pub(super) fn tick(&mut self, lag: Option<u64>) {
        let now = Instant::now();
        if now >= self.refused_due
            && let Some((at, why)) = self.newest_refusal.take()
        {
            let count = self.refused - self.said_refused;
            (self.said_refused, self.refused_due) = (self.refused, now + REFUSED_EVERY);
            let event = json!({
                "event": "refused", "records": count, "at": at, "why": why,
            });
            let count = words::counted(count, "record");
            self.tell(
                &event,
                &format!("refused    {count} without an answer, such as {at}: {why}"),
            );
        }
        if now < self.due || self.answered == self.said_answered {
            return;
        }
        (self.due, self.said_answered) = (now + EVERY, self.answered);
        self.say_progress("answered", lag);
    }

    fn say_progress(&self, name: &str, lag: Option<u64>) {
        let event = json!({
            "event": name, "answered": self.answered, "refused": self.refused, "lag": lag,
        });
        let answered = words::counted(self.answered, "record");
        let behind = lag.map_or(String::new(), |lag| format!(", {} behind", words::count(lag)));
        let refused = words::count(self.refused);
        self.tell(&event, &format!("answered   {answered}, {refused} refused{behind}"));
    }

    /// It has come to its end.
    pub(super) fn finish(&self) {
        self.say_progress("summary", None);
    }
}
