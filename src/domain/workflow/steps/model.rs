//! Step 5: the model, and how it is served.

use serde_json::Value;
use strum::VariantArray as _;
use uuid::Uuid;

use super::load;
use crate::domain::benchmark::Serving;
use crate::domain::engine::{EngineAvailability, EngineKind};
use crate::domain::inventory::{ClusterKind, Model, ModelFormat, ModelSource};
use crate::domain::problem::FieldError;
use crate::domain::provider::ProviderId;
use crate::domain::workflow::facts::Facts;
use crate::domain::workflow::reader::{Patch, Reader};
use crate::domain::workflow::state::Draft;
use crate::domain::workflow::values::{self, TextError};

const STEP: u8 = 5;
/// Most devices, stages or copies.
const MOST_PARALLEL: u32 = 1_024;
/// Most memory that an engine's container is limited to, MiB: 16 TiB.
const MOST_MEMORY_MIB: u32 = 16 << 20;

/// Why an entry of step 5 is refused.
#[derive(Debug, thiserror::Error)]
enum ServingError {
    #[error(transparent)]
    Text(#[from] TextError),
    #[error("Engine image must be a container image's name without spaces.")]
    NoImageName,
    #[error("Engine must be one of {}.", EngineKind::VARIANTS.iter().map(EngineKind::into_str).collect::<Vec<_>>().join(", "))]
    UnknownEngine,
    #[error("Engine arguments must be a list of texts.")]
    NoArgumentList,
}

/// The changes of a body to step 5.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ModelPatch {
    pub model_id: Patch<Uuid>,
    pub engine: Patch<EngineKind>,
    /// Devices that hold one copy together.
    pub tensor_parallel: Patch<u32>,
    /// Stages that a copy is cut into.
    pub pipeline_parallel: Patch<u32>,
    /// Copies on each node.
    pub replicas: Patch<u32>,
    /// Arguments of the engine.
    pub engine_args: Patch<Vec<String>>,
    pub engine_image: Patch<String>,
    pub engine_memory_limit_mib: Patch<u32>,
}

pub fn read(reader: &mut Reader<'_>) -> ModelPatch {
    ModelPatch {
        model_id: reader.id("model_id", STEP),
        engine: reader.field("engine", STEP, engine),
        tensor_parallel: reader.whole32("tensor_parallel", STEP, 1, MOST_PARALLEL),
        pipeline_parallel: reader.whole32("pipeline_parallel", STEP, 1, MOST_PARALLEL),
        replicas: reader.whole32("replicas", STEP, 1, MOST_PARALLEL),
        engine_args: reader.field("engine_args", STEP, args),
        engine_image: reader.field("engine_image", STEP, |value| {
            let image = values::text(value, "Engine image", 500)?;
            let odd = image.is_empty() || image.chars().any(|letter| letter.is_whitespace() || letter.is_control());
            if odd { Err(ServingError::NoImageName) } else { Ok(image) }
        }),
        engine_memory_limit_mib: reader.whole32("engine_memory_limit_mib", STEP, 16, MOST_MEMORY_MIB),
    }
}

fn engine(value: &Value) -> Result<EngineKind, ServingError> {
    value.as_str().and_then(|name| name.parse().ok()).ok_or(ServingError::UnknownEngine)
}

fn args(value: &Value) -> Result<Vec<String>, ServingError> {
    let items = value.as_array().ok_or(ServingError::NoArgumentList)?;
    items.iter().map(|item| item.as_str().map(str::to_owned).ok_or(ServingError::NoArgumentList)).collect()
}

/// The format of a model that is deployed. A hub repository is a Hugging Face folder; a file without facts goes by its name.
fn format_of(model: &Model) -> ModelFormat {
    if let Some(facts) = &model.facts {
        return facts.format;
    }
    match &model.source {
        ModelSource::File { path, .. } if path.to_ascii_lowercase().ends_with(".gguf") => ModelFormat::Gguf,
        _ => ModelFormat::HuggingFace,
    }
}

/// The engine that serves a model when none was chosen; absent for a cloud model.
pub fn default_engine(model: &Model) -> Option<EngineKind> {
    if model.is_cloud() {
        return None;
    }
    Some(match format_of(model) {
        ModelFormat::Gguf => EngineKind::LlamaCpp,
        ModelFormat::HuggingFace => EngineKind::Vllm,
    })
}

/// Why an engine can't read a model; `None` if it can.
fn unreadable(engine: EngineKind, model: &Model) -> Option<String> {
    let format = format_of(model);
    if engine.formats().contains(&format) {
        return None;
    }
    Some(match format {
        ModelFormat::HuggingFace => format!(
            "{} reads GGUF files; {} is not one. Choose vLLM, SGLang or Text Generation Inference.",
            engine.title(),
            model.name
        ),
        ModelFormat::Gguf => {
            format!("{} reads Hugging Face models; {} is a GGUF file. Choose llama.cpp.", engine.title(), model.name)
        }
    })
}

fn provider_of(model: &Model) -> Option<ProviderId> {
    match &model.source {
        ModelSource::Cloud { provider, .. } => Some(*provider),
        ModelSource::File { .. } | ModelSource::Hub { .. } => None,
    }
}

/// Applies step 5. Another model drops the credential, and an engine that can't read it; a missing engine is accepted with a
/// warning.
pub fn apply(draft: &mut Draft, patch: &ModelPatch, facts: &Facts, errors: &mut Vec<FieldError>, warnings: &mut Vec<FieldError>) {
    let chosen = match &patch.model_id {
        Patch::Set(id) => Some(*id),
        Patch::Keep => draft.steps.model_id,
        Patch::Clear => None,
    };
    let Some(chosen) = chosen else {
        errors.push(FieldError::at(STEP, "model_id", "Choose a model."));
        return;
    };
    let model = match usable(facts) {
        Ok(model) => model,
        Err(error) => {
            errors.push(error);
            return;
        }
    };
    if draft.steps.model_id != Some(chosen) {
        draft.steps.credential_id = None;
        draft.credential_skipped = false;
        let serving = &mut draft.steps.serving;
        if model.is_cloud() {
            *serving = Serving::default();
        } else if serving.engine.is_some_and(|engine| unreadable(engine, model).is_some()) {
            serving.engine = None;
            serving.engine_args.clear();
        }
    }
    draft.steps.model_id = Some(chosen);
    draft.provider = provider_of(model);

    let serving = &mut draft.steps.serving;
    patch.engine.clone().apply(&mut serving.engine);
    patch.tensor_parallel.clone().apply(&mut serving.tensor_parallel);
    patch.pipeline_parallel.clone().apply(&mut serving.pipeline_parallel);
    patch.replicas.clone().apply(&mut serving.replicas);
    match &patch.engine_args {
        Patch::Keep => {}
        Patch::Clear => serving.engine_args.clear(),
        Patch::Set(args) => serving.engine_args.clone_from(args),
    }
    patch.engine_image.clone().apply(&mut serving.engine_image);
    patch.engine_memory_limit_mib.clone().apply(&mut serving.engine_memory_limit_mib);

    check_serving(&draft.steps.serving, model, draft.cluster_kind, facts, errors);
    let engine = draft.steps.serving.engine.or_else(|| default_engine(model));
    if let Some(engine) = engine.filter(|_| !model.is_cloud()) {
        warnings.extend(unavailable(engine, facts));
    }
    load::check_model(&draft.steps.load, facts, errors);
}

/// The model that was looked up, if it can be used.
pub fn usable(facts: &Facts) -> Result<&Model, FieldError> {
    match &facts.model {
        None => Err(FieldError::at(STEP, "model_id", "There is no such model.")),
        Some(model) if model.archived => {
            Err(FieldError::at(STEP, "model_id", format!("{} is archived. Choose another model.", model.name)))
        }
        Some(model) => Ok(model),
    }
}

/// Checks the serving options against model, cluster and person.
pub fn check_serving(
    serving: &Serving,
    model: &Model,
    cluster: Option<ClusterKind>,
    facts: &Facts,
    errors: &mut Vec<FieldError>,
) {
    let mut refuse = |field: &str, message: String| errors.push(FieldError::at(STEP, field, message));
    let Some(engine) = serving.engine.or_else(|| default_engine(model)).filter(|_| !model.is_cloud()) else {
        let set = [
            ("engine", serving.engine.is_some()),
            ("tensor_parallel", serving.tensor_parallel.is_some()),
            ("pipeline_parallel", serving.pipeline_parallel.is_some()),
            ("replicas", serving.replicas.is_some()),
            ("engine_args", !serving.engine_args.is_empty()),
            ("engine_image", serving.engine_image.is_some()),
            ("engine_memory_limit_mib", serving.engine_memory_limit_mib.is_some()),
        ];
        for (field, _) in set.into_iter().filter(|(_, is_set)| *is_set) {
            refuse(field, "A cloud model is served by its provider; leave this out.".to_owned());
        }
        return;
    };
    if let Some(message) = unreadable(engine, model) {
        refuse("engine", message);
    }
    if engine == EngineKind::Custom && !facts.administrator {
        refuse("engine", "Only administrators may run an own command.".to_owned());
    } else if let Err(message) = (facts.check_args)(engine, &serving.engine_args, facts.administrator) {
        refuse("engine_args", message);
    }
    if serving.engine_image.is_some() && cluster == Some(ClusterKind::Local) {
        refuse("engine_image", "The local cluster runs no containers; leave the image out.".to_owned());
    }
    if serving.engine_memory_limit_mib.is_some() && cluster == Some(ClusterKind::Local) {
        refuse("engine_memory_limit_mib", "The local cluster runs no containers; leave the limit out.".to_owned());
    }
}

/// Why the engine can't be started on the cluster; it does not prevent a simulation.
pub fn unavailable(engine: EngineKind, facts: &Facts) -> Option<FieldError> {
    missing_engine(engine, &facts.engines).map(|message| FieldError::at(STEP, "engine", message))
}

/// Why an engine can't be started, and how to get it; `None` if it can.
pub fn missing_engine(engine: EngineKind, engines: &[EngineAvailability]) -> Option<String> {
    let message = match engines.iter().find(|found| found.kind == engine) {
        Some(found) if found.available => return None,
        Some(found) => format!("{} is not installed. {}", engine.title(), found.how_to_get),
        None => format!("{} can't be started on this cluster.", engine.title()),
    };
    Some(message.trim_end().to_owned())
}

/// Whether an engine reads a model that is deployed.
pub fn reads(engine: EngineKind, model: &Model) -> bool {
    !model.is_cloud() && unreadable(engine, model).is_none()
}
