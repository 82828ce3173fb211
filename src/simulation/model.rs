//! The simulator's descriptor of a registered model: from its files, from the catalogue by name, or from its stored facts.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use dyno_simulate::model::{self, MetadataValue, catalogue, from_config_json, from_gguf};
use dyno_simulate::{ModelDescriptor, Precision};
use serde_json::json;

use crate::domain::inventory::{FileLocation, Model, ModelFacts, ModelFormat, ModelSource};
use crate::models::{self, Description, GgufValue, Roots, hub};

/// Architectures with identical dense layers, so that the width of the feed-forward network follows from the number of
/// parameters.
const DENSE: [&str; 13] = [
    "llama",
    "mistral",
    "qwen2",
    "qwen3",
    "gemma",
    "gemma2",
    "gemma3",
    "phi3",
    "glm4",
    "granite",
    "olmo2",
    "internlm2",
    "exaone",
];

/// Why a model can't be simulated; a sentence for people.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ModelFailure {
    #[error("{name} can't be simulated: {error}.")]
    Described { name: String, error: model::ModelError },
    #[error(
        "{0} can't be simulated: nothing is known of its architecture. Its files can't be read here, and no common model has its name."
    )]
    Unknown(String),
}

/// The descriptor, and a sentence about where it comes from.
pub(super) fn descriptor(model: &Model, roots: &Roots, data_dir: &Path) -> Result<(ModelDescriptor, String), ModelFailure> {
    let name = &model.name;
    let failed = |error| ModelFailure::Described { name: name.clone(), error };
    if let Some(description) = files(model, roots, data_dir).and_then(|path| models::describe(&path, roots).ok()) {
        return match description {
            Description::Config(config) => {
                let found = from_config_json(name, &config).map_err(failed)?;
                Ok((found, "as its config.json describes it".to_owned()))
            }
            Description::Gguf { values, weight_bytes } => {
                let found = from_gguf(&metadata(values), Some(weight_bytes as f64)).map_err(failed)?;
                Ok((ModelDescriptor { name: name.clone(), ..found }, "as its GGUF file describes it".to_owned()))
            }
        };
    }
    if let Some(found) = by_name(model) {
        return Ok((found, "as the catalogue of common models has it, by its name".to_owned()));
    }
    match &model.facts {
        Some(facts) => {
            let found = from_facts(name, facts)
                .ok_or_else(|| failed(model::ModelError::UnknownArchitecture(facts.architecture.clone())))??;
            Ok((
                found,
                "as was noted when it was added; the width of its feed-forward network follows from its parameters".to_owned(),
            ))
        }
        None => Err(ModelFailure::Unknown(name.clone())),
    }
}

/// From the catalogue of common models.
fn by_name(model: &Model) -> Option<ModelDescriptor> {
    let published = match &model.source {
        ModelSource::Hub { repository, .. } => repository.as_str(),
        ModelSource::File { path, .. } => path.rsplit('/').next().unwrap_or(path),
        ModelSource::Cloud { model, .. } => model,
    };
    [published, &model.name].into_iter().find_map(|name| catalogue::find(name).ok())
}

/// Whether a model can be simulated although nothing of its files is known.
pub fn is_known_by_name(model: &Model) -> bool {
    by_name(model).is_some()
}

/// The path of the model's files, if they are on this machine.
fn files(model: &Model, roots: &Roots, data_dir: &Path) -> Option<PathBuf> {
    match &model.source {
        ModelSource::File { path, location: FileLocation::Portal } => roots.locate(path).ok(),
        ModelSource::Hub { repository, revision } => hub::fetched(&data_dir.join("models"), repository, revision),
        ModelSource::File { .. } | ModelSource::Cloud { .. } => None,
    }
}

fn metadata(values: BTreeMap<String, GgufValue>) -> BTreeMap<String, MetadataValue> {
    let of = |value| match value {
        GgufValue::Number(number) => Some(MetadataValue::Number(number)),
        GgufValue::Text(text) => Some(MetadataValue::Text(text)),
        GgufValue::Array { entries, largest } => Some(MetadataValue::Array { entries, largest }),
        GgufValue::Other => None,
    };
    values.into_iter().filter_map(|(key, value)| Some((key, of(value)?))).collect()
}

/// From the stored facts of a dense model; `None` where they do not suffice.
fn from_facts(name: &str, facts: &ModelFacts) -> Option<Result<ModelDescriptor, ModelFailure>> {
    if !DENSE.contains(&facts.architecture.as_str()) {
        return None;
    }
    let (layers, hidden, vocabulary) = (facts.layers?, facts.hidden_size?, facts.vocabulary?);
    let (heads, kv_heads, head_width) = (facts.heads?, facts.kv_heads?, facts.head_dim?);
    let parameters = facts.parameters as f64;
    let of_layers = |embeddings: f64| {
        let attention = f64::from(hidden) * f64::from(head_width) * f64::from(2 * heads + 2 * kv_heads);
        let rest = parameters - embeddings * f64::from(vocabulary) * f64::from(hidden) - f64::from(layers) * attention;
        (rest / (3.0 * f64::from(hidden) * f64::from(layers))).round()
    };
    // if two embeddings leave nothing for the layers, output head and embedding are the same
    let (feed_forward, tied) = if of_layers(2.0) >= 1.0 { (of_layers(2.0), false) } else { (of_layers(1.0), true) };
    let config = json!({
        "model_type": facts.architecture, "num_hidden_layers": layers, "hidden_size": hidden, "vocab_size": vocabulary,
        "num_attention_heads": heads, "num_key_value_heads": kv_heads, "head_dim": head_width, "tie_word_embeddings": tied,
        "intermediate_size": feed_forward as u32, "max_position_embeddings": facts.context_length, "torch_dtype": "bfloat16",
    });
    let failed = |error| ModelFailure::Described { name: name.to_owned(), error };
    let bits = 8.0 * facts.weight_bytes as f64 / parameters.max(1.0);
    let precision = match bits {
        bits if bits > 24.0 => Precision::Fp32,
        bits if bits > 15.0 => Precision::Bf16,
        bits if facts.format == ModelFormat::HuggingFace && bits > 7.5 => Precision::Fp8,
        bits => Precision::Quantized { bits },
    };
    Some(
        from_config_json(name, &config.to_string())
            .map(|found| ModelDescriptor { precision, weight_bytes: Some(facts.weight_bytes as f64), ..found })
            .map_err(failed),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts(architecture: &str) -> ModelFacts {
        ModelFacts {
            format: ModelFormat::Gguf,
            architecture: architecture.to_owned(),
            // Llama-3.1-8B in 4.5 bits.
            parameters: 8_030_261_248,
            weight_bytes: 4_517_021_952,
            layers: Some(32),
            context_length: Some(131_072),
            hidden_size: Some(4096),
            heads: Some(32),
            kv_heads: Some(8),
            head_dim: Some(128),
            vocabulary: Some(128_256),
            precision: "Q4_0".to_owned(),
            chat_template: true,
            chat_template_error: None,
            sha256: None,
        }
    }

    fn model(name: &str, facts: Option<ModelFacts>) -> Model {
        let source = ModelSource::File { path: format!("/models/{name}"), location: FileLocation::Node };
        let created_at = jiff::Timestamp::UNIX_EPOCH;
        Model { id: uuid::Uuid::nil(), name: name.to_owned(), source, facts, owner: None, archived: false, created_at }
    }

    fn described(model: &Model) -> Result<(ModelDescriptor, String), ModelFailure> {
        descriptor(model, &Roots::default(), Path::new("/nowhere"))
    }

    #[test]
    fn the_width_of_the_feed_forward_network_follows_from_the_parameters() {
        let (found, _) = described(&model("mine", Some(facts("llama")))).unwrap();
        assert!(found.feed_forward.abs_diff(14_336) <= 1, "{}", found.feed_forward);
        assert_eq!(found.weight_bytes, Some(4_517_021_952.0));
        assert!(matches!(found.precision, Precision::Quantized { bits } if (4.4..4.6).contains(&bits)));
    }

    #[test]
    fn common_models_are_found_by_name_and_unknown_ones_are_said_to_be() {
        let (found, source) = described(&model("Llama-3.1-8B-Instruct", None)).unwrap();
        assert_eq!((found.layers, source.contains("catalogue")), (32, true));
        assert_eq!(described(&model("mine", None)), Err(ModelFailure::Unknown("mine".to_owned())));
        let unknown = described(&model("mine", Some(facts("mamba")))).unwrap_err();
        assert!(unknown.to_string().contains("\"mamba\""), "{unknown}");
    }

    #[test]
    fn the_files_themselves_count_first() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let config = r#"{"model_type":"llama","num_hidden_layers":2,"hidden_size":64,"num_attention_heads":4,"vocab_size":100,
            "intermediate_size":128,"torch_dtype":"float16"}"#;
        std::fs::write(root.join("config.json"), config).unwrap();
        let source = ModelSource::File { path: root.display().to_string(), location: FileLocation::Portal };
        let here = Model { source, ..model("Llama-3.1-8B", None) };
        let roots = Roots::new(std::slice::from_ref(&root), &root, false);
        let (found, source) = descriptor(&here, &roots, &root).unwrap();
        assert_eq!((found.layers, found.feed_forward), (2, 128));
        assert_eq!(source, "as its config.json describes it");
    }
}
