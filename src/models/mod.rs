//! Models: what their files say of them, where such files may lie, and how a hub's are fetched.

mod cloud;
mod digest;
mod gguf;
mod gguf_values;
pub mod hub;
mod huggingface;
mod roots;

use std::path::{Path, PathBuf};

use crate::domain::inventory::ModelFacts;

pub use cloud::{CloudError, normalised_base_url};
pub use digest::sha256_of;
pub use roots::{PathError, Roots};

/// Why a model's files could not be read.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
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
    /// One of several files is not there.
    #[error("missing file {0}")]
    Missing(String),
    /// The disk did not deliver.
    #[error("reading {0}: {1}")]
    Io(PathBuf, #[source] std::io::Error),
}

impl ModelError {
    /// What a person reads.
    pub fn sentence(&self) -> String {
        match self {
            Self::Path(error) => error.sentence(),
            Self::NotGguf => "This is not a GGUF file.".to_owned(),
            Self::GgufVersion(version) => format!("GGUF version {version} is not known; versions 2 and 3 are."),
            Self::Damaged(what) => format!("The file is damaged or incomplete: {what}."),
            Self::NotAModelFolder(what) => format!("This is not a Hugging Face model folder: {what}."),
            Self::Missing(file) => format!("The file {file} is missing."),
            Self::Io(path, error) => format!("{} could not be read: {}.", path.display(), error.kind()),
        }
    }
}

/// A path on another machine: absolute and without `..`; whether something is there is not known here.
pub fn absolute(path: &str) -> Result<PathBuf, PathError> {
    roots::normal(path)
}

/// Reads what a GGUF file or a Hugging Face folder says of its model. The digest of a GGUF file is left to
/// [`sha256_of`], since it takes as long as reading the file. Blocks.
pub fn read_facts(path: &Path) -> Result<ModelFacts, ModelError> {
    let metadata = std::fs::symlink_metadata(path).map_err(|error| ModelError::Io(path.to_owned(), error))?;
    if metadata.is_symlink() {
        return Err(PathError::SymbolicLink(path.to_owned()).into());
    }
    if metadata.is_dir() { huggingface::read(path) } else { gguf::read(path) }
}
