//! What the file says of labels that come by an input of their own, and what is wrong with it.

use alluvium_learn::{Bytes, Place};

use super::{
    Mistake, Model,
    dictionary::Dictionary,
    label_join::{LabelJoin, learns_by_label},
    paths,
    plan::{Parts, Planner},
    waiting::Waiting,
};
use crate::spec::{Absent, Field, Label, LabelKind, Late};

/// The least memory for what waits.
const PENDING_MIN: u64 = 1 << 20;

/// The most for the rows of all models and the ids: more pages than that a manifest cannot name.
const PENDING_ALL: u64 = 1 << 30;

impl Planner<'_> {
    /// The join, if labels come by an input of their own.
    pub(super) fn label_join(&mut self, parts: &Parts, models: &[Model]) -> Option<Box<LabelJoin>> {
        let label = self.spec.label.as_ref()?;
        let Some(input) = &label.input else {
            self.without_input(label);
            return None;
        };
        self.label_input(input);
        self.wait(label);
        let absent = self.absent(label);
        let key = self.matched(label, parts)?;
        let by_label = |(_, model): &(usize, &Model)| learns_by_label(model.judged.task);
        let (models, names): (Vec<usize>, Vec<String>) = models
            .iter()
            .enumerate()
            .filter(by_label)
            .map(|(index, model)| (index, model.judged.name.to_string()))
            .unzip();
        self.room(label, names.len() as u64);
        let waiting = Waiting::new(label, names.into_iter())?;
        Some(Box::new(LabelJoin { waiting, key, models, absent, watched: None }))
    }

    fn wrong(&mut self, path: &str, message: impl Into<String>, help: impl Into<String>) {
        self.mistakes.push(Mistake::new(path, message.into()).help(help));
    }

    /// Settings that mean nothing where the label lies in its record.
    fn without_input(&mut self, label: &Label) {
        let said = [
            ("match", label.matches.is_some()),
            ("wait", label.wait.is_some()),
            ("absent", label.absent.is_some()),
        ];
        for (name, _) in said.into_iter().filter(|(_, is_said)| *is_said) {
            let message = format!("the label lies in its record, so `{name}` says nothing");
            let help = "name the input that labels come by: [label] input = \"...\"";
            self.wrong(&format!("label.{name}"), message, help);
        }
    }

    fn label_input(&mut self, input: &str) {
        let inputs = &self.spec.input;
        if !inputs.contains_key(input) {
            let known = inputs.keys().map(String::as_str);
            let names: Vec<&str> = known.clone().collect();
            let help = paths::nearest(input, known);
            let help = help.unwrap_or_else(|| format!("the inputs are {}", names.join(", ")));
            self.wrong("label.input", format!("there is no input `{input}`"), help);
        } else if inputs.len() == 1 {
            let message = format!("`{input}` is the only input, and would give labels alone");
            let help = "add the input that examples come by, or leave `input` out: then the label \
                        lies in its record";
            self.wrong("label.input", message, help);
        }
    }

    fn wait(&mut self, label: &Label) {
        match label.wait {
            None => {
                let message = "it is not said how long an example waits for its label";
                self.wrong("label", message, "for example: wait = \"45 d\"");
            }
            Some(wait) if wait.0 == 0 || i64::try_from(wait.0).is_err() => {
                self.wrong("label.wait", "that is no wait", "1 ms and more");
            }
            Some(_) => {}
        }
        if label.pending_max.0 < PENDING_MIN {
            self.wrong("label.pending_max", "too little for anything to wait", "1 MiB and more");
        }
        if let Late::Correct(correct) = &label.late {
            if correct.within.0 == 0 {
                self.wrong(
                    "label.late.correct.within",
                    "nothing could be corrected",
                    "1 ms and more",
                );
            }
            if !(0.0..=1e6).contains(&correct.weight) {
                let message = format!("the weight is {}", correct.weight);
                self.wrong("label.late.correct.weight", message, "from 0 to 1e6");
            }
        }
    }

    fn room(&mut self, label: &Label, models: u64) {
        let all = label.pending_max.0.saturating_mul(models + 1);
        if all > PENDING_ALL {
            let shares = match models {
                1 => "the examples of one model and the ids".to_string(),
                models => format!("the examples of {models} models and the ids"),
            };
            let message = format!("{shares} may come to {}, and 1 GiB can be kept", Bytes(all));
            let most = Bytes((PENDING_ALL / (models + 1)) >> 20 << 20);
            self.wrong("label.pending_max", message, format!("at most {most}"));
        }
    }

    /// The label of what has waited in vain, as a number.
    fn absent(&mut self, label: &Label) -> Option<f64> {
        let path = "label.absent";
        match (label.absent.as_ref()?, &label.kind) {
            (Absent::Class(class), LabelKind::Class(kind)) => {
                let dictionary = Dictionary::new(&kind.values, kind.values_max);
                if let Some(code) = dictionary.code(class) {
                    return Some(f64::from(code));
                }
                let known: Vec<&str> = dictionary.names().collect();
                let help = match known.as_slice() {
                    [] => "list the classes: [label] type.class = [\"no\", \"yes\"]".into(),
                    known => format!("the classes are {}", known.join(", ")),
                };
                self.wrong(path, format!("there is no class `{class}`"), help);
            }
            (Absent::Number(value), LabelKind::Number(_)) if value.is_finite() => {
                return Some(*value);
            }
            (Absent::Class(_), LabelKind::Number(_)) => {
                self.wrong(path, "the label is a number", "write a number: absent = 0.0");
            }
            (Absent::Number(_), _) => {
                let help = "write a class's name in quotes, or a finite number for a number";
                self.wrong(path, "the label is no such number", help);
            }
        }
        None
    }

    /// Which of an example's identities its label has as well.
    fn matched(&mut self, label: &Label, parts: &Parts) -> Option<usize> {
        let ids = self.spec.fields.iter().filter(|(_, field)| matches!(field, Field::Id(_)));
        let ids: Vec<&str> = ids.map(|(name, _)| name.as_str()).collect();
        let help = match ids.as_slice() {
            [] => "name the id that both have: [fields] payment_id = \"id\", \
                   [label] match = \"payment_id\""
                .to_string(),
            ids => format!("the ids are {}", ids.join(", ")),
        };
        let Some(name) = &label.matches else {
            let message = "it is not said by which id a label finds its example";
            self.wrong("label", message, format!("write `match = ...`: {help}"));
            return None;
        };
        let place = parts.layout.find(name).map(|column| column.place).next();
        match place {
            Some(Place::Id(index)) => Some(index),
            Some(_) => {
                self.wrong("label.match", format!("`{name}` is not an id"), help);
                None
            }
            None => {
                self.wrong("label.match", format!("there is no field `{name}`"), help);
                None
            }
        }
    }
}
