//! `alluvium decide`: answers a halt.

use alluvium_flow::Decision;

use crate::{
    args::{self, DecideAnswer},
    failure::Failure,
    halted,
    look::{Change, Look},
    models::asked,
    plain,
    run::changes,
    screen::say,
    skip,
};

/// `alluvium decide`.
///
/// # Errors
/// When the answer does not fit the state, or the log fails.
pub fn run(call: &args::Decide) -> Result<(), Failure> {
    let mut look = Look::open(&call.pipeline.file, &call.pipeline.named)?;
    match call.answer {
        DecideAnswer::Adopt if call.from_here => begin(&mut look, call.json),
        DecideAnswer::Adopt => adopt(&mut look, call.json),
        DecideAnswer::Reset => reset(&mut look, call.model.clone(), call.json),
        DecideAnswer::Skip => skip::run(&mut look, call.span.as_deref(), call.json),
    }
}

fn adopt(look: &mut Look, json: bool) -> Result<(), Failure> {
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
    let run = look.opened.command("run", "");
    let adopts = match standing.change(&look.opened) {
        Change::Nothing => {
            let why = format!("nothing to adopt: what {file} says is learned is what is learned");
            return unasked(&why, json);
        }
        Change::Joins(joins) => {
            let why = format!(
                "nothing to adopt: {} learns the past and joins, with the next: {run}",
                joins.names().join(", ")
            );
            return unasked(&why, json);
        }
        Change::Unfit(why) => {
            let answers = halted::answers("changed", standing.fit(&look.opened), &look.opened);
            let text = halted::does_not_fit(current, &wanted, &why, &answers);
            return Err(Failure::Usage(format!("{file} cannot be adopted\n\n{text}")));
        }
        Change::Adopts(settings) => settings,
    };
    if standing.is_asked(&wanted) {
        let why = format!("it was asked for already, and acts with the next: {run}");
        return unasked(&why, json);
    }
    if !json {
        say(changes(current, &wanted).trim_end());
    }
    let offset = look.ask(Decision::Adopt { settings: adopts })?;
    asked(look, offset, "it goes on with these settings and what was learned", json)
}

/// What the file names more is to begin here, with nothing learned: its past cannot be learned, or
/// is not wanted.
fn begin(look: &mut Look, json: bool) -> Result<(), Failure> {
    let standing = look.standing()?;
    let (file, wanted) = (look.opened.file.display().to_string(), look.opened.settings.clone());
    let Some(pipeline) = standing.pipeline() else { return Err(look.nothing_kept()) };
    let current = pipeline.settings();
    if current.learned == wanted.learned && current.kernel == wanted.kernel {
        let why = format!("nothing to adopt: what {file} says is learned is what is learned");
        return unasked(&why, json);
    }
    if let Err(why) = pipeline.could_begin(&wanted) {
        let answers = halted::answers("changed", standing.fit(&look.opened), &look.opened);
        let text = halted::does_not_fit(current, &wanted, &why, &answers);
        return Err(Failure::Usage(format!("{file} cannot be adopted\n\n{text}")));
    }
    if !json {
        say(changes(current, &wanted).trim_end());
    }
    let offset = look.ask(Decision::Begin { settings: wanted })?;
    asked(look, offset, "it goes on with these settings, and what is new begins there", json)
}

fn reset(look: &mut Look, model: Option<String>, json: bool) -> Result<(), Failure> {
    if let Some(model) = &model
        && !look.opened.spec.model.contains_key(model)
    {
        return Err(Failure::unknown_model(model, look.opened.spec.model.keys()));
    }
    let standing = look.standing()?;
    if let Some(stopped) = standing.halted(&look.opened) {
        return Err(halted::not_while_halted(&stopped, standing.fit(&look.opened), &look.opened));
    }
    let then = match &model {
        Some(model) => format!("{model} has learned nothing"),
        None => "nothing is learned: models, steps and figures begin anew".into(),
    };
    let offset = look.ask(Decision::Reset { model })?;
    asked(look, offset, &then, json)
}

/// Says why nothing was asked for.
fn unasked(why: &str, json: bool) -> Result<(), Failure> {
    say(&match json {
        true => plain::json(&serde_json::json!({ "event": "unasked", "why": why })),
        false => why.to_string(),
    });
    Ok(())
}
