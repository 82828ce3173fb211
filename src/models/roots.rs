//! Restricts model files named by users to configured folders. Symbolic links are followed only if they lead below one of them.

use std::fs::File;
use std::os::fd::OwnedFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{OFlag, open, openat};
use nix::sys::stat::Mode;

/// Longest path, bytes: `PATH_MAX` of Linux.
const LONGEST: usize = 4_096;

/// Why a path is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// It is not absolute, or contains `..`.
    #[error("not an absolute path without `..`")]
    NotAbsolute,
    #[error("longer than {LONGEST} bytes")]
    TooLong,
    /// It is not below one of the folders.
    #[error("not below a model folder")]
    Outside(Vec<PathBuf>),
    /// A symbolic link leads out of the folders, or was created during the check.
    #[error("{0} is a symbolic link that leads elsewhere")]
    SymbolicLink(PathBuf),
    #[error("{0} does not exist")]
    NotFound(PathBuf),
    /// The portal's user may not read it.
    #[error("{0} may not be read")]
    Denied(PathBuf),
    #[error("{0}: {1}")]
    Other(PathBuf, Errno),
}

impl PathError {
    /// A sentence for people.
    pub fn sentence(&self) -> String {
        match self {
            Self::NotAbsolute => "Enter an absolute path, without \"..\".".to_owned(),
            Self::TooLong => "A path has at most 4,096 bytes.".to_owned(),
            Self::Outside(roots) if roots.is_empty() => {
                "No folder for model files is set up. An administrator names them in DYNO_MODEL_ROOTS.".to_owned()
            }
            Self::Outside(roots) => {
                let roots: Vec<_> = roots.iter().map(|root| root.display().to_string()).collect();
                format!("The path must lie below {} (DYNO_MODEL_ROOTS).", roots.join(" or "))
            }
            Self::SymbolicLink(path) => {
                format!(
                    "{} is a symbolic link that leads out of the folders for model files, where Dyno does not follow it.",
                    path.display()
                )
            }
            Self::NotFound(path) => format!("{} does not exist.", path.display()),
            Self::Denied(path) => format!("The portal may not read {}.", path.display()),
            Self::Other(path, error) => format!("{} could not be opened: {}.", path.display(), error.desc()),
        }
    }
}

/// The folders below which model files may be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roots(Vec<PathBuf>);

impl Roots {
    /// The configured folders; without any, the data folder and, while the portal has a single user, the home of the portal's
    /// user.
    pub fn new(configured: &[PathBuf], data_dir: &Path, single_user: bool) -> Self {
        if !configured.is_empty() {
            return Self(configured.to_vec());
        }
        let home = std::env::var_os("HOME").map(PathBuf::from).filter(|home| single_user && home.is_absolute());
        Self(std::iter::once(data_dir.to_owned()).chain(home).collect())
    }

    pub fn folders(&self) -> &[PathBuf] {
        &self.0
    }

    /// Checks a path entered by a person and returns it without symbolic links. Links are followed if they lead below one of
    /// the folders; the target is opened component by component, so that nothing can be exchanged meanwhile. Blocks.
    pub fn locate(&self, path: &str) -> Result<PathBuf, PathError> {
        let path = normal(path)?;
        for root in &self.0 {
            let Ok(real_root) = root.canonicalize() else { continue };
            let absolute_root = std::path::absolute(root).unwrap_or_else(|_| root.clone());
            let below = path.strip_prefix(&real_root).or_else(|_| path.strip_prefix(&absolute_root));
            if let Ok(below) = below {
                return match walk(&real_root, below) {
                    Err(PathError::SymbolicLink(link)) => self.follow(&path, &link),
                    walked => walked,
                };
            }
        }
        Err(PathError::Outside(self.0.clone()))
    }

    /// Resolves a path with a link in it; the result must have no further link.
    fn follow(&self, path: &Path, link: &Path) -> Result<PathBuf, PathError> {
        let real = path.canonicalize().map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => PathError::NotFound(path.to_owned()),
            std::io::ErrorKind::PermissionDenied => PathError::Denied(path.to_owned()),
            _ => PathError::SymbolicLink(link.to_owned()),
        })?;
        let real_roots = self.0.iter().filter_map(|root| root.canonicalize().ok());
        let mut below = real_roots.filter_map(|root| Some((real.strip_prefix(&root).ok()?.to_owned(), root)));
        below.next().map_or_else(|| Err(PathError::SymbolicLink(link.to_owned())), |(below, root)| walk(&root, &below))
    }

    /// Opens a file for reading; a link is followed if it leads below one of the folders.
    pub(super) fn open(&self, path: &Path) -> std::io::Result<File> {
        if !path.is_symlink() {
            return open_no_follow(path);
        }
        let real = self.follow(path, path).map_err(std::io::Error::other)?;
        open_no_follow(&real)
    }
}

/// Normalises an absolute path: `.` and doubled slashes are removed, `..` and NUL are refused.
pub(super) fn normal(path: &str) -> Result<PathBuf, PathError> {
    if path.len() > LONGEST {
        return Err(PathError::TooLong);
    }
    let path = Path::new(path.trim());
    let plain = path.components().all(|part| matches!(part, Component::RootDir | Component::Normal(_)));
    if !path.is_absolute() || !plain || path.as_os_str().as_encoded_bytes().contains(&0) {
        return Err(PathError::NotAbsolute);
    }
    Ok(path.components().collect())
}

fn walk(root: &Path, below: &Path) -> Result<PathBuf, PathError> {
    let flags = OFlag::O_RDONLY | OFlag::O_CLOEXEC | OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK;
    let mut reached = root.to_owned();
    let mut folder: OwnedFd =
        open(root, flags | OFlag::O_DIRECTORY, Mode::empty()).map_err(|error| refused(root.to_owned(), error))?;
    let parts: Vec<_> = below.components().collect();
    for (index, part) in parts.iter().enumerate() {
        reached.push(part);
        let flags = if index + 1 < parts.len() { flags | OFlag::O_DIRECTORY } else { flags };
        folder = openat(&folder, part.as_os_str(), flags, Mode::empty()).map_err(|error| refused(reached.clone(), error))?;
    }
    Ok(reached)
}

fn refused(path: PathBuf, error: Errno) -> PathError {
    match error {
        Errno::ELOOP => PathError::SymbolicLink(path),
        // with O_DIRECTORY, a link gives ENOTDIR first
        Errno::ENOTDIR if path.is_symlink() => PathError::SymbolicLink(path),
        Errno::ENOENT | Errno::ENOTDIR => PathError::NotFound(path),
        Errno::EACCES | Errno::EPERM => PathError::Denied(path),
        other => PathError::Other(path, other),
    }
}

/// Opens a regular file for reading; symbolic links and others are refused (a pipe would block for ever).
pub(super) fn open_no_follow(path: &Path) -> std::io::Result<File> {
    let file = std::fs::OpenOptions::new().read(true).custom_flags((OFlag::O_NOFOLLOW | OFlag::O_NONBLOCK).bits()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(std::io::Error::other("not a regular file")) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn only_what_lies_below_a_root_is_found() {
        let outer = tempfile::tempdir().unwrap();
        let base = outer.path().canonicalize().unwrap();
        let root = base.join("models");
        std::fs::create_dir_all(root.join("a")).unwrap();
        std::fs::write(root.join("a/x.gguf"), "x").unwrap();
        std::fs::write(base.join("secret"), "x").unwrap();
        symlink(base.join("secret"), root.join("link")).unwrap();
        symlink(root.join("a"), root.join("folder-link")).unwrap();
        let roots = Roots::new(std::slice::from_ref(&root), Path::new("/nowhere"), true);
        let locate = |path: &Path| roots.locate(path.to_str().unwrap());

        assert_eq!(locate(&root.join("a/x.gguf")).unwrap(), root.join("a/x.gguf"));
        assert_eq!(locate(&root.join("a")).unwrap(), root.join("a"));
        assert!(matches!(locate(&base.join("secret")), Err(PathError::Outside(_))));
        assert!(matches!(locate(&base.join("models-other/x")), Err(PathError::Outside(_))));
        assert_eq!(locate(&root.join("../secret")), Err(PathError::NotAbsolute));
        assert_eq!(roots.locate("a/x.gguf"), Err(PathError::NotAbsolute));
        assert_eq!(locate(&root.join("link")), Err(PathError::SymbolicLink(root.join("link"))));
        assert_eq!(locate(&root.join("folder-link/x.gguf")).unwrap(), root.join("a/x.gguf"));
        symlink(&base, root.join("up")).unwrap();
        assert_eq!(locate(&root.join("up/secret")), Err(PathError::SymbolicLink(root.join("up"))));
        assert_eq!(locate(&root.join("up/models/a/x.gguf")).unwrap(), root.join("a/x.gguf"));
        symlink(root.join("circle"), root.join("circle")).unwrap();
        assert_eq!(locate(&root.join("circle")), Err(PathError::SymbolicLink(root.join("circle"))));
        assert!(roots.open(&root.join("link")).is_err() && roots.open(&root.join("a/x.gguf")).is_ok());
        assert_eq!(locate(&root.join("none")), Err(PathError::NotFound(root.join("none"))));
        assert!(matches!(locate(&root.join("a/x.gguf/y")), Err(PathError::NotFound(_))));
    }

    #[test]
    fn a_root_may_itself_be_a_link() {
        let outer = tempfile::tempdir().unwrap();
        let base = outer.path().canonicalize().unwrap();
        std::fs::create_dir(base.join("real")).unwrap();
        std::fs::write(base.join("real/x"), "x").unwrap();
        symlink(base.join("real"), base.join("root")).unwrap();
        let roots = Roots::new(&[base.join("root")], Path::new("/nowhere"), true);
        assert_eq!(roots.locate(base.join("root/x").to_str().unwrap()).unwrap(), base.join("real/x"));
        assert_eq!(roots.locate(base.join("real/x").to_str().unwrap()).unwrap(), base.join("real/x"));
    }

    #[test]
    fn the_home_folder_is_for_a_single_user_only() {
        let data = Path::new("/srv/dyno");
        assert_eq!(Roots::new(&[], data, false).0, [data]);
        assert!(Roots::new(&[], data, true).0.len() <= 2);
    }

    #[test]
    fn a_link_or_a_pipe_is_not_opened() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("file"), "x").unwrap();
        symlink(folder.path().join("file"), folder.path().join("link")).unwrap();
        nix::unistd::mkfifo(&folder.path().join("pipe"), Mode::S_IRUSR | Mode::S_IWUSR).unwrap();
        assert!(open_no_follow(&folder.path().join("file")).is_ok());
        assert!(open_no_follow(&folder.path().join("link")).is_err());
        assert!(open_no_follow(&folder.path().join("pipe")).is_err());
    }
}
