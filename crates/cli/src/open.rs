//! A pipeline file, read and understood, and the log it lives in.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
    sync::Arc,
};

use alluvium_flow::{
    Settings,
    spec::{Input, Spec},
};

use crate::{
    args::Named,
    failure::Failure,
    load, plan,
    settings::{self, Places},
    store::{Place, Store},
    typed,
};

/// A pipeline file that has no mistakes.
#[derive(Clone)]
pub struct Opened {
    /// The file.
    pub file: PathBuf,
    /// What it says, under the name it runs by.
    pub spec: Spec,
    /// The same in canonical form.
    pub settings: Arc<Settings>,
    /// Where the log is.
    pub place: Place,
    /// What was said of it beside the file.
    pub named: Named,
}

impl Opened {
    /// Reads a pipeline file, and shows every mistake at its place.
    ///
    /// # Errors
    /// All mistakes at once; or that the file cannot be read.
    pub fn read(file: &Path, named: &Named) -> Result<Opened, Failure> {
        let text = fs::read_to_string(file).map_err(|error| {
            let file = file.display();
            match error.kind() {
                std::io::ErrorKind::NotFound => Failure::Usage(format!(
                    "there is no pipeline file {file}\n\n  \
                     alluvium new SAMPLE        reads a file of data and writes a pipeline file\n  \
                     alluvium run PIPELINE      takes one that lies elsewhere",
                )),
                std::io::ErrorKind::InvalidData => {
                    Failure::Usage(format!("{file} is not UTF-8, as a pipeline file has to be"))
                }
                _ => anyhow::Error::new(error).context(format!("reading {file}")).into(),
            }
        })?;
        Opened::of_text(file, &text, named)
    }

    /// Reads the text of a pipeline file, which need not be there yet.
    ///
    /// # Errors
    /// All mistakes at once.
    pub fn of_text(file: &Path, text: &str, named: &Named) -> Result<Opened, Failure> {
        let shown = file.display().to_string();
        let spec = plan::read(&shown, text, named.name.as_deref(), same_names)
            .map_err(|mistakes| Failure::Mistakes(Box::new(mistakes)))?;
        let beside = file.parent().unwrap_or(Path::new(""));
        let place = Place::of(&spec.log, named.log.as_deref(), beside)?;
        let settings = Arc::new(Settings::of(&spec));
        let (file, named) = (file.into(), named.clone());
        Ok(Opened { file, spec, settings, place, named })
    }

    /// Opens the log, and makes it if it is not there.
    ///
    /// # Errors
    /// When the directory cannot be written, or Kafka's client cannot be made.
    pub fn log(&self) -> Result<Store, Failure> {
        self.place.open()
    }

    /// Opens the log if it is there.
    ///
    /// # Errors
    /// When there is none yet.
    pub fn existing_log(&self) -> Result<Store, Failure> {
        if self.place.is_missing() {
            let (place, run) = (&self.place, self.command("run", ""));
            let why = format!("there is no {place} yet: {run}");
            return Err(Failure::Failed(anyhow::anyhow!(why)));
        }
        self.log()
    }

    /// A command about this pipeline, as it is typed.
    pub fn command(&self, verb: &str, rest: &str) -> String {
        typed::command(verb, &self.file, rest, &self.named)
    }

    /// The command that makes another pipeline of the same file, in the same log.
    pub fn run_as_another(&self) -> String {
        let name = Some(format!("{}-2", self.spec.name));
        let log = self.named.log.clone();
        typed::command("run", &self.file, "", &Named { name, log })
    }

    /// What the pipeline's own topics begin with.
    pub fn prefix(&self) -> String {
        format!("{}.", self.spec.name)
    }

    /// The name of one of the pipeline's own topics.
    pub fn topic(&self, name: &str) -> String {
        format!("{}{name}", self.prefix())
    }

    /// Each input's name and topic.
    pub fn topics(&self) -> Vec<(String, String)> {
        let inputs = self.spec.input.iter();
        inputs.map(|(name, input)| (name.clone(), input.topic(name).to_string())).collect()
    }

    /// Each input that gives examples, and its topic: all but the one that labels come by.
    pub fn examples(&self) -> Vec<(String, String)> {
        let mut inputs = self.topics();
        inputs.retain(|(name, _)| !self.is_of_labels(name));
        inputs
    }

    /// The input of examples a call means: the one it names, or the only one.
    ///
    /// # Errors
    /// As [`Opened::pick_input`]; or the input gives labels.
    pub fn pick_example(&self, name: Option<&str>) -> Result<&str, Failure> {
        let examples = self.examples();
        match (name, examples.as_slice()) {
            (Some(name), _) if self.is_of_labels(name) => {
                Err(Failure::Usage(format!("{name} gives labels: there is nothing to answer")))
            }
            (None, [(only, _)]) => Ok(self.pick_input(Some(only))?.0),
            (name, _) => Ok(self.pick_input(name)?.0),
        }
    }

    fn is_of_labels(&self, input: &str) -> bool {
        let label = self.spec.label.as_ref();
        label.is_some_and(|label| label.input.as_deref() == Some(input))
    }

    /// The input a call means: the one it names, or the only one.
    ///
    /// # Errors
    /// When there is no such input, or several and none is named.
    pub fn pick_input(&self, name: Option<&str>) -> Result<(&str, &Input), Failure> {
        let inputs = &self.spec.input;
        let found = match name {
            Some(name) => inputs.get_key_value(name),
            None if inputs.len() == 1 => inputs.iter().next(),
            None => None,
        };
        found.map(|(name, input)| (name.as_str(), input)).ok_or_else(|| {
            let known: Vec<&str> = inputs.keys().map(String::as_str).collect();
            let known = known.join(", ");
            Failure::Usage(match name {
                Some(name) => format!("there is no input `{name}`: there are {known}"),
                None => format!("say which input: --input NAME, one of {known}"),
            })
        })
    }

    /// Where a path of the file leads: relative ones are beside it.
    pub fn beside(&self, path: &str) -> PathBuf {
        self.file.parent().unwrap_or(Path::new("")).join(path)
    }
}

/// Sources of one input that have the same name: what was loaded of a file is told by its name
/// without the folder, so the second would be taken for the first.
fn same_names(spec: &Spec, places: &Places) -> Vec<settings::Mistake> {
    let mut mistakes = Vec::new();
    for (name, input) in &spec.input {
        let mut seen = BTreeMap::new();
        for (index, address) in input.load.iter().enumerate() {
            let (file, help) = match load::is_stream(address) {
                true => (address.clone(), "each is read by one reader"),
                false => {
                    let help = "what was loaded is told by the name: rename one of them";
                    (load::name_of(address), help)
                }
            };
            if let Some(first) = seen.insert(file.clone(), address) {
                let message = match first == address {
                    true => format!("`{address}` is listed twice"),
                    false => format!("`{first}` and `{address}` have the same name, {file}"),
                };
                let path = format!("input.{name}.load[{index}]");
                mistakes.push(places.mistake(&path, message, help));
            }
        }
    }
    mistakes
}
