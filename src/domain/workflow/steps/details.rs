//! Step 1, which every later call may carry, too.

use serde_json::Value;

use crate::domain::benchmark::{Serving, Tag};
use crate::domain::problem::FieldError;
use crate::domain::workflow::reader::{Patch, Reader};
use crate::domain::workflow::state::WorkflowSteps;
use crate::domain::workflow::values::{self, TextError};
use dyno_measure::load::values::MOST_CONCURRENT;
use dyno_measure::load::{EvalWith, LoadSpec};
use dyno_measure::words::{is_blank, is_invisible};

const STEP: u8 = 1;
const MOST_TAGS: usize = 20;

const NO_NAME: &str = "Enter a name.";
const NO_CONCURRENCY: &str = "Enter how many requests are in flight at once.";
const NO_METHOD: &str = "Choose configuration or dataset.";

/// Why an entry of step 1 is refused.
#[derive(Debug, thiserror::Error)]
enum DetailsError {
    #[error(transparent)]
    Text(#[from] TextError),
    #[error("{NO_NAME}")]
    NoName,
    #[error("{NO_METHOD}")]
    NoMethod,
    #[error("{0} must have no invisible characters.")]
    Invisible(&'static str),
    #[error("Description must have no control characters but line breaks and tabs.")]
    Control,
    #[error("Tags must be a list.")]
    NoList,
    #[error("At most {MOST_TAGS} tags; these are {0}.")]
    TooManyTags(usize),
    #[error("A tag has a name and a color; {0} is not known.")]
    UnknownTagField(String),
    #[error("A tag needs a name.")]
    NoTagName,
    #[error("The color of tag {0} must look like #1F55CF.")]
    NoColor(String),
}

/// The changes of a body to step 1.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DetailsPatch {
    /// Trimmed.
    pub name: Patch<String>,
    /// Without repetitions.
    pub tags: Patch<Vec<Tag>>,
    /// Trimmed.
    pub description: Patch<String>,
    pub concurrent_requests: Patch<u32>,
    /// Always [`Patch::Keep`] after step 2.
    pub eval_with: Patch<EvalWith>,
}

pub fn read(reader: &mut Reader<'_>, step: u8) -> DetailsPatch {
    DetailsPatch {
        name: reader.field("name", STEP, |value| {
            let name = visible(values::text(value, "Name", 50)?, "Name")?;
            if is_blank(&name) { Err(DetailsError::NoName) } else { Ok(name) }
        }),
        tags: reader.field("tags", STEP, tags),
        description: reader.field("description", STEP, description),
        concurrent_requests: reader.whole32("concurrent_requests", STEP, 1, MOST_CONCURRENT),
        // The specification's examples always say `configuration` in later bodies, for dataset benchmarks, too.
        eval_with: if step <= 2 { reader.field("eval_with", STEP, eval_with) } else { Patch::Keep },
    }
}

/// A text of several lines.
fn description(value: &Value) -> Result<String, DetailsError> {
    let text = values::text(value, "Description", 2_000)?;
    // browsers end a line with both
    let text = text.replace("\r\n", "\n");
    if text.chars().any(|letter| letter.is_control() && !matches!(letter, '\n' | '\t')) {
        return Err(DetailsError::Control);
    }
    Ok(text)
}

fn eval_with(value: &Value) -> Result<EvalWith, DetailsError> {
    match value.as_str() {
        Some("configuration") => Ok(EvalWith::Configuration),
        Some("dataset") => Ok(EvalWith::Dataset),
        _ => Err(DetailsError::NoMethod),
    }
}

fn tags(value: &Value) -> Result<Vec<Tag>, DetailsError> {
    let Value::Array(items) = value else { return Err(DetailsError::NoList) };
    if items.len() > MOST_TAGS {
        return Err(DetailsError::TooManyTags(items.len()));
    }
    let mut tags: Vec<Tag> = Vec::with_capacity(items.len());
    for item in items {
        let tag = tag(item)?;
        // duplicate tags are dropped
        if tags.iter().all(|other| other.name != tag.name) {
            tags.push(tag);
        }
    }
    Ok(tags)
}

fn tag(value: &Value) -> Result<Tag, DetailsError> {
    let (name, color) = match value {
        Value::Object(fields) => {
            if let Some(unknown) = fields.keys().find(|key| !matches!(key.as_str(), "name" | "color")) {
                return Err(DetailsError::UnknownTagField(unknown.chars().take(50).collect()));
            }
            (fields.get("name").unwrap_or(&Value::Null), fields.get("color"))
        }
        other => (other, None),
    };
    let name = visible(values::text(name, "A tag", 50)?, "A tag")?;
    if is_blank(&name) {
        return Err(DetailsError::NoTagName);
    }
    let color = match color {
        None | Some(Value::Null) => None,
        Some(color) => Some(
            color
                .as_str()
                .filter(|color| is_color(color))
                .map(str::to_owned)
                .ok_or_else(|| DetailsError::NoColor(name.clone()))?,
        ),
    };
    Ok(Tag { name, color })
}

/// Refuses invisible characters, which make names in lists look alike.
fn visible(text: String, title: &'static str) -> Result<String, DetailsError> {
    if text.chars().any(is_invisible) {
        return Err(DetailsError::Invisible(title));
    }
    Ok(text)
}

fn is_color(text: &str) -> bool {
    text.len() == 7 && text.starts_with('#') && text.bytes().skip(1).all(|byte| byte.is_ascii_hexdigit())
}

/// The steps of a new draft.
pub fn create(patch: &DetailsPatch, errors: &mut Vec<FieldError>) -> Option<WorkflowSteps> {
    let mut missing = |field: &str, message: &str| errors.push(FieldError::at(STEP, field, message));
    let name = patch.name.set();
    let concurrent_requests = patch.concurrent_requests.set();
    let eval_with = patch.eval_with.set();
    if name.is_none() {
        missing("name", NO_NAME);
    }
    if concurrent_requests.is_none() {
        missing("concurrent_requests", NO_CONCURRENCY);
    }
    if eval_with.is_none() {
        missing("eval_with", NO_METHOD);
    }
    Some(WorkflowSteps {
        name: name?.clone(),
        tags: patch.tags.set().cloned().unwrap_or_default(),
        description: patch.description.set().cloned().unwrap_or_default(),
        load: LoadSpec::new(*concurrent_requests?, *eval_with?),
        cluster_id: None,
        nodes: Vec::new(),
        load_node: None,
        load_pods: None,
        load_cpu_millicores: None,
        model_id: None,
        serving: Serving::default(),
        credential_id: None,
        user_confirmation: false,
        run_as_simulation: None,
    })
}

/// Applies step 1. A changed evaluation method drops step 2.
pub fn apply(steps: &mut WorkflowSteps, patch: &DetailsPatch, errors: &mut Vec<FieldError>) {
    match &patch.name {
        Patch::Keep => {}
        Patch::Clear => errors.push(FieldError::at(STEP, "name", NO_NAME)),
        Patch::Set(name) => steps.name.clone_from(name),
    }
    match &patch.tags {
        Patch::Keep => {}
        Patch::Clear => steps.tags.clear(),
        Patch::Set(tags) => steps.tags.clone_from(tags),
    }
    match &patch.description {
        Patch::Keep => {}
        Patch::Clear => steps.description.clear(),
        Patch::Set(description) => steps.description.clone_from(description),
    }
    match &patch.concurrent_requests {
        Patch::Keep => {}
        Patch::Clear => errors.push(FieldError::at(STEP, "concurrent_requests", NO_CONCURRENCY)),
        Patch::Set(number) => steps.load.concurrent_requests = *number,
    }
    match &patch.eval_with {
        Patch::Clear => errors.push(FieldError::at(STEP, "eval_with", NO_METHOD)),
        Patch::Set(method) if *method != steps.load.eval_with => steps.restart_load(*method),
        Patch::Keep | Patch::Set(_) => {}
    }
}
