//! Secrets of sessions, tokens and links.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};

use crate::credentials::Secret;

/// 256 random bits from the thread's cryptographic generator, as text that fits into headers and addresses.
pub fn random_token() -> Secret {
    let mut bytes = [0_u8; 32];
    rand::fill(&mut bytes);
    Secret::new(URL_SAFE_NO_PAD.encode(bytes))
}

/// The stored digest of such a secret. SHA-256 suffices for 256 random bits; a slow hash would cost every request.
pub fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}
