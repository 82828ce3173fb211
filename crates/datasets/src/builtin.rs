//! The built-in dataset: short tasks of many kinds with answers, written for Dyno.

use std::path::Path;

use uuid::Uuid;

use super::{ImportError, Imported, path_of};

/// Its name in lists.
pub const BUILTIN_NAME: &str = "Dyno sampler";

const TASKS: &str = include_str!("builtin.jsonl");

/// Its id (derived from its content) and facts; writes its file to the data folder if it is missing. Blocks.
pub fn builtin(data_dir: &Path) -> Result<(Uuid, Imported), ImportError> {
    let mut rows = Vec::new();
    let imported = super::import::read_into(TASKS.as_bytes(), "builtin.jsonl", &mut rows)?;
    let mut bytes = [0_u8; 16];
    for (byte, pair) in bytes.iter_mut().zip(imported.sha256.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).unwrap_or_default();
        *byte = u8::from_str_radix(pair, 16).unwrap_or_default();
    }
    let id = uuid::Builder::from_random_bytes(bytes).into_uuid();
    let path = path_of(data_dir, id);
    if !path.exists() {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        // Written to a temporary file and renamed: another process may read it at any time.
        let part = path.with_extension("part");
        std::fs::write(&part, &rows)?;
        std::fs::rename(&part, &path)?;
    }
    Ok((id, imported))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn it_is_good_and_varied() {
        let folder = tempfile::tempdir().unwrap();
        let (id, imported) = builtin(folder.path()).unwrap();
        assert_eq!((imported.samples, imported.with_reference), (64, 64), "{imported:?}");
        let rows: Vec<_> = super::super::read_rows(&path_of(folder.path(), id)).unwrap().map(Result::unwrap).collect();
        let texts: BTreeSet<_> = rows.iter().map(|row| row.messages[0].content.as_str()).collect();
        assert_eq!(texts.len(), rows.len());
        assert_eq!(builtin(folder.path()).unwrap().0, id);
    }
}
