//! Encryption of secrets at rest: XChaCha20-Poly1305, with the identity of the row as associated data.

use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD};
use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{Key, XChaCha20Poly1305, XNonce};
use sha2::{Digest, Sha256};
use uuid::Uuid;

use super::Secret;
use crate::domain::provider::ProviderId;
use hex::encode as hex;

const KEY_BYTES: usize = 32;
const NONCE_BYTES: usize = 24;
const KEY_FILE: &str = "secret.key";

/// Errors of the vault.
#[derive(Debug, thiserror::Error)]
pub enum VaultError {
    /// `DYNO_SECRET_KEY` is not a key.
    #[error("DYNO_SECRET_KEY must be 32 bytes as base64 or as 64 hexadecimal digits")]
    BadKey,
    /// The key file is not a key.
    #[error("the key file {0} does not hold a key: 64 hexadecimal digits")]
    BadKeyFile(PathBuf),
    /// The key file can be read by others.
    #[error("the key file {0} can be read by others (its mode is {1:o}): make it 0600")]
    OpenKeyFile(PathBuf, u32),
    /// The key file can't be read or created.
    #[error("the key file {0}: {1}")]
    KeyFile(PathBuf, #[source] std::io::Error),
    /// The row was encrypted with another key.
    #[error("the secret was sealed under key {found}, and the portal has key {ours}")]
    OtherKey {
        /// The id of the key in the row.
        found: String,
        ours: String,
    },
    /// The row was modified, or the secret comes from another row.
    #[error("the secret does not open: its row was changed")]
    Tampered,
    #[error("the secret could not be sealed")]
    Seal,
}

/// The row that a secret belongs to. A secret copied to another row can't be decrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SealContext<'a> {
    pub table: &'a str,
    pub row: Uuid,
    pub owner: Uuid,
    /// The only receiver of the secret; absent in secrets sealed before this was part of the associated data.
    pub receiver: Option<Receiver<'a>>,
}

/// The only receiver of a credential's secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Receiver<'a> {
    /// The provider whose API it is for.
    pub provider: ProviderId,
    /// Scheme, host and port.
    pub origin: &'a str,
}

impl SealContext<'_> {
    fn associated_data(self) -> Vec<u8> {
        let context = format!("dyno:{}:{}:{}", self.table, self.row, self.owner);
        // the provider's id in quotation marks; neither it nor an origin contains a line break
        let receiver = self.receiver.map(|Receiver { provider, origin }| format!("\n\"{}\"\n{origin}", provider.into_str()));
        (context + &receiver.unwrap_or_default()).into_bytes()
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The id of its key.
    pub key_id: String,
    pub bytes: Vec<u8>,
}

/// Encrypts and decrypts secrets with one key.
#[derive(Clone)]
pub struct Vault {
    cipher: XChaCha20Poly1305,
    key_id: String,
}

impl std::fmt::Debug for Vault {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Vault").field("key_id", &self.key_id).finish_non_exhaustive()
    }
}

impl Vault {
    /// Opens the vault with the given key (32 bytes as base64 or hexadecimal), or with the key file in the data folder, which
    /// is created (mode 0600) if missing.
    pub fn open(key: Option<&Secret>, data_dir: &Path) -> Result<Self, VaultError> {
        match key {
            Some(key) => parse_key(key.expose()).map(|bytes| Self::new(&bytes)).ok_or(VaultError::BadKey),
            None => key_from_file(&data_dir.join(KEY_FILE)).map(|bytes| Self::new(&bytes)),
        }
    }

    fn new(key: &[u8; KEY_BYTES]) -> Self {
        // identifies the key without revealing it
        let digest = Sha256::new().chain_update(b"dyno key id").chain_update(key).finalize();
        let key_id = hex(&digest[..8]);
        Self { cipher: XChaCha20Poly1305::new(&Key::from(*key)), key_id }
    }

    /// The id of the key, as stored in rows.
    pub fn key_id(&self) -> &str {
        &self.key_id
    }

    /// Encrypts a secret for its row.
    pub fn seal(&self, context: SealContext<'_>, secret: &Secret) -> Result<Sealed, VaultError> {
        let nonce: [u8; NONCE_BYTES] = random_bytes();
        let payload = Payload { msg: secret.expose().as_bytes(), aad: &context.associated_data() };
        let ciphertext = self.cipher.encrypt(&XNonce::from(nonce), payload).map_err(|_| VaultError::Seal)?;
        let mut bytes = nonce.to_vec();
        bytes.extend_from_slice(&ciphertext);
        Ok(Sealed { key_id: self.key_id.clone(), bytes })
    }

    /// Decrypts the secret of a row.
    pub fn unseal(&self, context: SealContext<'_>, sealed: &Sealed) -> Result<Secret, VaultError> {
        if sealed.key_id != self.key_id {
            return Err(VaultError::OtherKey { found: sealed.key_id.clone(), ours: self.key_id.clone() });
        }
        let (nonce, ciphertext) = sealed.bytes.split_first_chunk::<NONCE_BYTES>().ok_or(VaultError::Tampered)?;
        let payload = Payload { msg: ciphertext, aad: &context.associated_data() };
        let plain = self.cipher.decrypt(&XNonce::from(*nonce), payload).map_err(|_| VaultError::Tampered)?;
        String::from_utf8(plain).map(Secret::new).map_err(|_| VaultError::Tampered)
    }
}

/// Bytes from the thread's cryptographic generator, which the operating system seeds.
fn random_bytes<const N: usize>() -> [u8; N] {
    let mut bytes = [0_u8; N];
    rand::fill(&mut bytes);
    bytes
}

fn parse_key(text: &str) -> Option<[u8; KEY_BYTES]> {
    let text = text.trim();
    if text.len() == KEY_BYTES * 2
        && let Some(bytes) = from_hex(text)
    {
        return Some(bytes);
    }
    [STANDARD, STANDARD_NO_PAD, URL_SAFE, URL_SAFE_NO_PAD]
        .iter()
        .find_map(|engine| engine.decode(text).ok())
        .and_then(|bytes| bytes.try_into().ok())
}

fn from_hex(text: &str) -> Option<[u8; KEY_BYTES]> {
    let mut bytes = [0_u8; KEY_BYTES];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
        let pair = std::str::from_utf8(pair).ok()?;
        *byte = u8::from_str_radix(pair, 16).ok()?;
    }
    Some(bytes)
}

fn key_from_file(path: &Path) -> Result<[u8; KEY_BYTES], VaultError> {
    let failed = |error| VaultError::KeyFile(path.to_owned(), error);
    match std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(mut file) => {
            let key: [u8; KEY_BYTES] = random_bytes();
            let text = hex(key);
            file.write_all(text.as_bytes())
                .and_then(|()| file.write_all(b"\n"))
                .and_then(|()| file.sync_all())
                .map_err(failed)?;
            Ok(key)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            let file = std::fs::File::open(path).map_err(failed)?;
            let mode = file.metadata().map_err(failed)?.mode() & 0o777;
            if mode & 0o077 != 0 {
                return Err(VaultError::OpenKeyFile(path.to_owned(), mode));
            }
            let mut text = String::new();
            file.take(1024).read_to_string(&mut text).map_err(failed)?;
            parse_key(&text).ok_or_else(|| VaultError::BadKeyFile(path.to_owned()))
        }
        Err(error) => Err(failed(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(row: u128, owner: u128) -> SealContext<'static> {
        let receiver = Receiver { provider: ProviderId::OpenaiCompatible, origin: "https://a.example" };
        SealContext { table: "credentials", row: Uuid::from_u128(row), owner: Uuid::from_u128(owner), receiver: Some(receiver) }
    }

    #[test]
    fn sealed_secrets_open_only_in_their_own_row() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(None, folder.path()).unwrap();
        let sealed = vault.seal(context(1, 2), &Secret::new("sk-1")).unwrap();
        assert!(!sealed.bytes.windows(4).any(|window| window == b"sk-1"));
        assert_eq!(vault.unseal(context(1, 2), &sealed).unwrap().expose(), "sk-1");
        assert!(matches!(vault.unseal(context(3, 2), &sealed), Err(VaultError::Tampered)));
        assert!(matches!(vault.unseal(context(1, 3), &sealed), Err(VaultError::Tampered)));
        let elsewhere = SealContext { table: "tokens", ..context(1, 2) };
        assert!(matches!(vault.unseal(elsewhere, &sealed), Err(VaultError::Tampered)));
        for (provider, origin) in [(ProviderId::Openai, "https://a.example"), (ProviderId::OpenaiCompatible, "https://b.example")]
        {
            let sent_elsewhere = SealContext { receiver: Some(Receiver { provider, origin }), ..context(1, 2) };
            assert!(matches!(vault.unseal(sent_elsewhere, &sealed), Err(VaultError::Tampered)));
        }
        assert!(matches!(vault.unseal(SealContext { receiver: None, ..context(1, 2) }, &sealed), Err(VaultError::Tampered)));
        let mut changed = sealed.clone();
        *changed.bytes.last_mut().unwrap() ^= 1;
        assert!(matches!(vault.unseal(context(1, 2), &changed), Err(VaultError::Tampered)));
        changed.bytes.truncate(10);
        assert!(matches!(vault.unseal(context(1, 2), &changed), Err(VaultError::Tampered)));
    }

    /// A change of these bytes would make stored secrets unreadable.
    #[test]
    fn associated_data_never_changes() {
        let whole = context(1, 2).associated_data();
        let row = "dyno:credentials:00000000-0000-0000-0000-000000000001:00000000-0000-0000-0000-000000000002";
        assert_eq!(String::from_utf8(whole).unwrap(), format!("{row}\n\"openai_compatible\"\nhttps://a.example"));
        assert_eq!(SealContext { receiver: None, ..context(1, 2) }.associated_data(), row.as_bytes());
        for preset in crate::domain::provider::PROVIDERS {
            assert_eq!(serde_json::to_string(&preset.id).unwrap(), format!("\"{}\"", preset.id.into_str()), "as it was written");
        }
    }

    #[test]
    fn the_same_secret_never_looks_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let vault = Vault::open(None, folder.path()).unwrap();
        let (one, two) = (vault.seal(context(1, 2), &Secret::new("x")), vault.seal(context(1, 2), &Secret::new("x")));
        assert_ne!(one.unwrap().bytes, two.unwrap().bytes);
    }

    #[test]
    fn the_key_file_is_made_once_for_its_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let first = Vault::open(None, folder.path()).unwrap();
        let mode = std::fs::metadata(folder.path().join(KEY_FILE)).unwrap().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let sealed = first.seal(context(1, 2), &Secret::new("kept")).unwrap();
        let again = Vault::open(None, folder.path()).unwrap();
        assert_eq!(again.unseal(context(1, 2), &sealed).unwrap().expose(), "kept");

        std::fs::set_permissions(folder.path().join(KEY_FILE), std::os::unix::fs::PermissionsExt::from_mode(0o644)).unwrap();
        assert!(matches!(Vault::open(None, folder.path()), Err(VaultError::OpenKeyFile(_, 0o644))));
    }

    #[test]
    fn a_key_comes_as_base64_or_hexadecimal() {
        let hexadecimal = "00".repeat(31) + "ff";
        let mut bytes = [0_u8; 32];
        bytes[31] = 0xff;
        let folder = tempfile::tempdir().unwrap();
        let ids: Vec<_> = [hexadecimal, STANDARD.encode(bytes), URL_SAFE_NO_PAD.encode(bytes)]
            .into_iter()
            .map(|key| Vault::open(Some(&Secret::new(key)), folder.path()).unwrap().key_id().to_owned())
            .collect();
        assert!(ids.iter().all(|id| *id == ids[0]));
        for bad in ["", "short", &"zz".repeat(32), &"0".repeat(63)] {
            assert!(matches!(Vault::open(Some(&Secret::new(bad)), folder.path()), Err(VaultError::BadKey)), "{bad}");
        }
    }

    #[test]
    fn another_key_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let ours = Vault::open(Some(&Secret::new("11".repeat(32))), folder.path()).unwrap();
        let theirs = Vault::open(Some(&Secret::new("22".repeat(32))), folder.path()).unwrap();
        let sealed = theirs.seal(context(1, 2), &Secret::new("x")).unwrap();
        assert!(matches!(ours.unseal(context(1, 2), &sealed), Err(VaultError::OtherKey { .. })));
    }
}
