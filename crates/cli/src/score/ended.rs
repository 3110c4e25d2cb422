//! What `score --follow` says when it ends by itself, and what can be typed then.

use alluvium_ledger::log::LogError;
use anyhow::anyhow;

use super::share::Share;
use crate::{args, failure::Failure, open::Opened, typed};

/// The end that nothing but a decision undoes.
pub(super) fn ended(
    error: anyhow::Error,
    opened: &Opened,
    call: &args::Score,
    share: &Share,
) -> Failure {
    let again = |from: &str| {
        let model = call.model.iter().map(|model| format!(" --model {model}"));
        let input = call.input.iter().map(|input| format!(" --input {input}"));
        let rest: String = model.chain(input).collect();
        opened.command("score", &format!("--follow{rest}{from}"))
    };
    let beginning = again(" --from beginning");
    match error.downcast_ref::<LogError>() {
        Some(LogError::OutOfRange { offset, .. }) => Failure::Halted(format!(
            "halted: {error}\n\nit expired or was deleted, and so was what no process has \
             answered from offset {offset} on. Say where to go on:\n\n{}",
            typed::listed(&[
                (beginning, "with the first record that is left"),
                (again(" --from end"), "with what comes from now on"),
            ])
        )),
        Some(LogError::NoTopic { topic }) => Failure::Failed(anyhow!(
            "the topic {topic} was deleted, or made again: what is there now is another topic\
             \n\n{}",
            typed::listed(&[
                (beginning, "answers it from its beginning"),
                (again(""), "answers what comes"),
            ])
        )),
        Some(LogError::Damaged { .. } | LogError::Corrupt(_)) => Failure::Halted(format!(
            "halted: {error}\n\nno process can answer them, and none steps over them by \
             itself. {}",
            way_round(opened, share)
        )),
        _ => Failure::Failed(error),
    }
}

/// How to step over what cannot be read.
fn way_round(opened: &Opened, share: &Share) -> String {
    match share {
        Share::Group { group, .. } => format!(
            "Stop all of them, and move the group behind the damage ({}):\n\n  \
             kafka-consumer-groups.sh --bootstrap-server HOST:PORT --group {} \
             --topic TOPIC:PARTITION --reset-offsets --to-offset OFFSET --execute",
            opened.place,
            group.name(),
        ),
        Share::Alone { .. } => "The log of this machine is damaged: restore it".into(),
    }
}
