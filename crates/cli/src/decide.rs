//! `alluvium decide`: answers a halt.

use alluvium_flow::Decision;

use crate::{
    args::{self, DecideAnswer},
    failure::Failure,
    halted,
    look::Look,
    models::asked,
    run::changes,
    screen::say,
};

/// `alluvium decide`.
///
/// # Errors
/// When the answer does not fit the state, or the log fails.
pub fn run(call: &args::Decide) -> Result<(), Failure> {
    let mut look = Look::open(&call.pipeline.file, &call.pipeline.named)?;
    match call.answer {
        DecideAnswer::Adopt => adopt(&mut look),
        DecideAnswer::Reset => reset(&mut look, call.model.clone()),
    }
}

fn adopt(look: &mut Look) -> Result<(), Failure> {
    let standing = look.standing()?;
    let (file, wanted) = (look.opened.file.display().to_string(), look.opened.settings.clone());
    let pipeline = match &standing.pipeline {
        Some(Ok(pipeline)) => pipeline,
        Some(Err(why)) => {
            return Err(Failure::Failed(anyhow::anyhow!("the state cannot be read: {why}")));
        }
        None => return Err(look.nothing_kept()),
    };
    let current = pipeline.settings();
    if current.learned == wanted.learned && current.kernel == wanted.kernel {
        say(&format!("nothing to adopt: what {file} says is learned is what is learned"));
        return Ok(());
    }
    if let Err(why) = pipeline.could_adopt(&wanted) {
        let text = halted::does_not_fit(current, &wanted, &why, &look.opened);
        return Err(Failure::Usage(format!("{file} cannot be adopted\n\n{text}")));
    }
    if standing.is_asked(&wanted) {
        let run = look.opened.command("run", "");
        say(&format!("it was asked for already, and acts with the next: {run}"));
        return Ok(());
    }
    say(changes(current, &wanted).trim_end());
    let offset = look.ask(Decision::Adopt { settings: wanted })?;
    asked(look, offset, "it goes on with these settings and what was learned")
}

fn reset(look: &mut Look, model: Option<String>) -> Result<(), Failure> {
    if let Some(model) = &model
        && !look.opened.spec.model.contains_key(model)
    {
        let known: Vec<&str> = look.opened.spec.model.keys().map(String::as_str).collect();
        let known = known.join(", ");
        return Err(Failure::Usage(format!("there is no model {model}: there are {known}")));
    }
    let standing = look.standing()?;
    if let Some(stopped) = standing.halted(&look.opened) {
        return Err(halted::not_while_halted(
            &stopped,
            standing.is_unfit(&look.opened),
            &look.opened,
        ));
    }
    let then = match &model {
        Some(model) => format!("{model} has learned nothing"),
        None => "nothing is learned: models, steps and figures begin anew".into(),
    };
    let offset = look.ask(Decision::Reset { model })?;
    asked(look, offset, &then)
}
