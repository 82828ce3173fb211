//! Who takes a run through its stages: the portal process that has claimed it in the store. A claim expires unless it is
//! renewed, so that a run whose portal is gone goes on with another.

use std::io;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use uuid::Uuid;

/// How long a claim holds without being renewed: several rounds of the supervisor, and clocks that differ a little.
pub(super) const CLAIM_TIME: SignedDuration = SignedDuration::from_secs(30);

/// When a claim that is made now expires.
pub(super) fn expiry() -> Timestamp {
    Timestamp::now() + CLAIM_TIME
}

/// Who this portal is in claims: kept in its data folder, which only one portal process uses at a time, so that a portal
/// which starts again goes on with its own runs at once.
pub(super) fn portal_id(data_dir: &Path) -> io::Result<Uuid> {
    let file = data_dir.join("portal.id");
    let kept = std::fs::read_to_string(&file).ok().and_then(|text| Uuid::parse_str(text.trim()).ok());
    if let Some(id) = kept {
        return Ok(id);
    }
    let id = Uuid::new_v4();
    std::fs::write(&file, id.to_string())?;
    Ok(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_portal_stays_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let first = portal_id(folder.path()).unwrap();
        assert_eq!(portal_id(folder.path()).unwrap(), first);
        // Half written, say.
        std::fs::write(folder.path().join("portal.id"), "0189").unwrap();
        let second = portal_id(folder.path()).unwrap();
        assert_ne!(second, first);
        assert_eq!(portal_id(folder.path()).unwrap(), second);
    }
}
