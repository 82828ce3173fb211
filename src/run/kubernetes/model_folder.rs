//! The folder of a node that pods see for a model which lies there.

use std::path::{Path, PathBuf};

use super::error::KubernetesError;

/// The administrator's folder that the path lies below, so that no link leads elsewhere; an administrator's own models may lie anywhere
/// but directly below `/`. `path` is absolute, without `..` in it.
pub(super) fn model_folder(roots: &[String], path: &Path, is_administrators: bool) -> Result<PathBuf, KubernetesError> {
    let below = roots.iter().map(Path::new).filter(|root| path.starts_with(root)).max_by_key(|root| root.as_os_str().len());
    if let Some(root) = below {
        return Ok(root.to_owned());
    }
    match path.parent() {
        Some(folder) if is_administrators && folder.parent().is_some() => Ok(folder.to_owned()),
        _ => Err(KubernetesError::OutsideRoots {
            path: path.display().to_string(),
            roots: if roots.is_empty() { "none is named yet".to_owned() } else { roots.join(", ") },
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(roots: &[&str], path: &str, is_administrators: bool) -> Result<String, String> {
        let roots: Vec<String> = roots.iter().map(|root| (*root).to_owned()).collect();
        let found = model_folder(&roots, Path::new(path), is_administrators);
        found.map(|folder| folder.display().to_string()).map_err(|error| error.to_string())
    }

    #[test]
    fn a_members_model_lies_below_a_folder_that_an_administrator_named() {
        let roots = ["/models", "/models/team"];
        assert_eq!(folder(&roots, "/models/a/b.gguf", false).unwrap(), "/models");
        assert_eq!(folder(&roots, "/models/team/b.gguf", false).unwrap(), "/models/team", "the nearest");
        for outside in ["/etc/shadow", "/modelsother/b.gguf", "/srv/models/b.gguf", "/"] {
            let refused = folder(&roots, outside, false).unwrap_err();
            assert!(refused.contains(outside) && refused.contains("/models, /models/team"), "{refused}");
        }
        assert!(folder(&[], "/models/b.gguf", false).unwrap_err().contains("none is named yet"));
    }

    #[test]
    fn an_administrators_model_may_lie_anywhere_but_the_whole_disk_is_never_shown() {
        assert_eq!(folder(&["/models"], "/data/x/b.gguf", true).unwrap(), "/data/x");
        assert!(folder(&["/models"], "/b.gguf", true).is_err());
    }
}
