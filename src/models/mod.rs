//! Models: what their files say of them, where such files may lie, and how a hub's are fetched.

mod cloud;
mod config_fields;
mod context;
mod digest;
mod gguf;
mod gguf_values;
pub mod hub;
mod huggingface;
mod roots;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::domain::inventory::ModelFacts;

pub use cloud::{CloudError, normalised_base_url};
pub use digest::sha256_of;
pub(crate) use gguf::first_part;
pub(crate) use gguf_values::Value as GgufValue;
pub use roots::{PathError, Roots};

/// Why a model's files could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ModelFileError {
    /// Where it is, or is not.
    #[error(transparent)]
    Path(#[from] PathError),
    /// Not a GGUF file.
    #[error("not a GGUF file")]
    NotGguf,
    /// A GGUF file of a version that is not known.
    #[error("GGUF version {0} is not known")]
    GgufVersion(u32),
    /// A file that ends too early or whose lengths can't be true.
    #[error("damaged file: {0}")]
    Damaged(String),
    /// A folder that is no model.
    #[error("not a Hugging Face model folder: {0}")]
    NotAModelFolder(String),
    /// A GGUF file that no engine can serve by itself.
    #[error("not a model: {0}")]
    NotAModel(&'static str),
    /// A GGUF file for machines of the other byte order.
    #[error("big-endian GGUF file")]
    BigEndian,
    /// Something is wrong with one of several files.
    #[error("{file}: {error}")]
    Part { file: String, error: Box<ModelFileError> },
    /// One of several files is not there.
    #[error("missing file {0}")]
    Missing(String),
    /// The disk did not deliver.
    #[error("reading {0}: {1}")]
    Io(PathBuf, #[source] std::io::Error),
}

impl ModelFileError {
    /// What a person reads.
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
            Self::Part { file, error } => format!("{file}: {}", error.sentence()),
            Self::Damaged(what) => format!("The file is damaged or incomplete: {what}."),
            Self::NotAModelFolder(what) => format!("This is not a Hugging Face model folder: {what}."),
            Self::Missing(file) => format!("The file {file} is missing."),
            Self::Io(path, error) => format!("{} could not be read: {}.", path.display(), error.kind()),
        }
    }
}

/// Why a chat template can't be used to count tokens; a sentence's end.
fn template_error(source: &str) -> Option<String> {
    let error = dyno_load::tokens::check_template(source).err()?;
    Some(error.to_string().chars().take(300).collect())
}

/// A path on another machine: absolute and without `..`; whether something is there is not known here.
pub fn absolute(path: &str) -> Result<PathBuf, PathError> {
    roots::normal(path)
}

/// What a model's files say of its architecture.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Description {
    /// The text of `config.json`.
    Config(String),
    /// A GGUF file's metadata.
    Gguf {
        values: BTreeMap<String, GgufValue>,
        /// Bytes of its tensors, of all parts.
        weight_bytes: u64,
    },
}

/// Reads how a model computes, without looking at its weights. Blocks.
pub(crate) fn describe(path: &Path, roots: &Roots) -> Result<Description, ModelFileError> {
    if path.is_dir() {
        huggingface::config(path, roots).map(Description::Config)
    } else {
        gguf::metadata(path).map(|(values, weight_bytes)| Description::Gguf { values, weight_bytes })
    }
}

/// Reads what a GGUF file or a Hugging Face folder says of its model. The digest of a GGUF file is left to
/// [`sha256_of`], since it takes as long as reading the file. Links within a folder are followed below the roots. Blocks.
pub fn read_facts(path: &Path, roots: &Roots) -> Result<ModelFacts, ModelFileError> {
    let metadata = std::fs::symlink_metadata(path).map_err(|error| ModelFileError::Io(path.to_owned(), error))?;
    if metadata.is_symlink() {
        return Err(PathError::SymbolicLink(path.to_owned()).into());
    }
    if metadata.is_dir() { huggingface::read(path, roots) } else { gguf::read(path) }
}
