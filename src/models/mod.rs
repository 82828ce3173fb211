//! Models: facts from their files, the folders where such files may be, and downloads from a hub.

mod cloud;
mod config_fields;
mod context;
mod digest;
mod gguf;
mod gguf_values;
pub mod hub;
mod huggingface;
mod pod_fetch;
mod roots;
pub mod template_check;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::domain::inventory::ModelFacts;
use dyno_measure::words::{is_blank, one_line};

pub use cloud::{CloudError, normalised_base_url};
pub use digest::sha256_of;
pub(crate) use gguf::first_part;
pub(crate) use gguf_values::Value as GgufValue;
pub use hub::HubSettings;
pub use pod_fetch::pod_fetch;
pub use roots::{PathError, Roots};

/// Longest text of a model's facts, characters; those of real models have some twenty.
const LONGEST_FACT: usize = 100;
/// Most of what a model's files say that a sentence repeats, characters.
const LONGEST_SAID: usize = 500;

/// Why a model's files could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ModelFileError {
    /// The path is not allowed, or there is nothing.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Not a GGUF file.
    #[error("not a GGUF file")]
    NotGguf,
    /// A GGUF file of an unknown version.
    #[error("GGUF version {0} is not known")]
    GgufVersion(u32),
    /// A file that is truncated or has impossible lengths.
    #[error("damaged file: {0}")]
    Damaged(String),
    /// A folder without a model.
    #[error("not a Hugging Face model folder: {0}")]
    NotAModelFolder(String),
    /// A GGUF file that no engine can serve by itself.
    #[error("not a model: {0}")]
    NotAModel(&'static str),
    /// A big-endian GGUF file.
    #[error("big-endian GGUF file")]
    BigEndian,
    /// An error in one file of a split model.
    #[error("{file}: {error}")]
    Part { file: String, error: Box<ModelFileError> },
    /// A file of a split model is missing.
    #[error("missing file {0}")]
    Missing(String),
    /// A file could not be read.
    #[error("reading {0}: {1}")]
    Io(PathBuf, #[source] std::io::Error),
}

impl ModelFileError {
    /// A sentence for people.
    pub fn sentence(&self) -> String {
        match self {
            Self::Path(error) => error.sentence(),
            Self::NotGguf => "This is not a GGUF file.".to_owned(),
            Self::GgufVersion(version) => format!("GGUF version {version} is not known; versions 2 and 3 are."),
            Self::NotAModel(what) => {
                format!("This GGUF file is {what}, which no engine serves by itself. Name the model's own file.")
            }
            Self::BigEndian => {
                "This is a big-endian GGUF file; engines on this kind of machine need a little-endian one.".to_owned()
            }
            Self::Part { file, error } => format!("{}: {}", one_line(file, LONGEST_SAID), error.sentence()),
            Self::Damaged(what) => format!("The file is damaged or incomplete: {}.", one_line(what, LONGEST_SAID)),
            Self::NotAModelFolder(what) => format!("This is not a Hugging Face model folder: {what}."),
            Self::Missing(file) => format!("The file {} is missing.", one_line(file, LONGEST_SAID)),
            Self::Io(path, error) => {
                format!("{} could not be read: {}.", one_line(&path.display().to_string(), LONGEST_SAID), error.kind())
            }
        }
    }
}

/// A path on another machine: absolute and without `..`; whether it exists is not known here.
pub fn absolute(path: &str) -> Result<PathBuf, PathError> {
    roots::normal(path)
}

/// A model's architecture as its files describe it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Description {
    /// The text of `config.json`.
    Config(String),
    /// A GGUF file's metadata.
    Gguf {
        values: BTreeMap<String, GgufValue>,
        /// Bytes of the tensors in all parts.
        weight_bytes: u64,
    },
}

/// Reads a model's architecture, without its weights. Blocks.
pub(crate) fn describe(path: &Path, roots: &Roots) -> Result<Description, ModelFileError> {
    if path.is_dir() {
        huggingface::config(path, roots).map(Description::Config)
    } else {
        gguf::metadata(path).map(|(values, weight_bytes)| Description::Gguf { values, weight_bytes })
    }
}

/// Reads the facts of a GGUF file or a Hugging Face folder. The digest of a GGUF file is left to [`sha256_of`], since it takes
/// as long as reading the file. Links within a folder are followed if they lead below the roots. `program` is Dyno's own, which
/// checks the chat template in a process apart. Blocks.
pub fn read_facts(path: &Path, roots: &Roots, program: &Path) -> Result<ModelFacts, ModelFileError> {
    let metadata = std::fs::symlink_metadata(path).map_err(|error| ModelFileError::Io(path.to_owned(), error))?;
    if metadata.is_symlink() {
        return Err(PathError::SymbolicLink(path.to_owned()).into());
    }
    let facts = if metadata.is_dir() { huggingface::read(path, roots, program) } else { gguf::read(path, program) }?;
    Ok(with_short_texts(facts))
}

/// Facts whose texts, which are whatever the files' author wrote, are fit to be shown.
fn with_short_texts(facts: ModelFacts) -> ModelFacts {
    let shown = |text: &str| match one_line(text, LONGEST_FACT) {
        line if is_blank(&line) => "unknown".to_owned(),
        line => line,
    };
    ModelFacts { architecture: shown(&facts.architecture), precision: shown(&facts.precision), ..facts }
}
