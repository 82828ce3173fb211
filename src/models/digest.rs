//! Digests of files that don't fit into memory.

use std::io::Read;
use std::path::Path;

use sha2::{Digest, Sha256};

use hex::encode as hex;

/// The SHA-256 of a file, in hexadecimal. Blocks while reading; `stop` is called about every megabyte and ends it early with
/// `None`.
pub fn sha256_of(path: &Path, mut stop: impl FnMut(u64) -> bool) -> std::io::Result<Option<String>> {
    let mut file = super::roots::open_no_follow(path)?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0_u8; 1 << 20];
    let mut done = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(Some(hex(digest.finalize())));
        }
        digest.update(&buffer[..read]);
        done += read as u64;
        if stop(done) {
            return Ok(None);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_digest() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("abc");
        std::fs::write(&path, "abc").unwrap();
        let digest = sha256_of(&path, |_| false).unwrap().unwrap();
        assert_eq!(digest, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
        assert_eq!(sha256_of(&path, |_| true).unwrap(), None);
    }
}
