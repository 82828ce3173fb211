//! Passwords: Argon2id on blocking threads, apart from those that serve requests.

use argon2::password_hash::phc::{Output, ParamsString, PasswordHash, Salt};
use argon2::{Algorithm, Argon2, Block, Params, Version};

use crate::credentials::Secret;
use crate::domain::problem::{Problem, ProblemKind};
use crate::state::PasswordHashing;

/// The fewest characters of a password.
pub const LEAST_PASSWORD: usize = 10;

/// Hashes a password, in PHC format. `workers` limits concurrent hashing.
pub async fn hash_password(workers: &PasswordHashing, password: &Secret) -> Result<String, Problem> {
    let password = password.clone();
    workers.on_thread(move |memory| hashed(&password, memory)).await.flatten().ok_or_else(failed)
}

/// Verifies a password; without a hash the answer is no, after the same time.
pub async fn verify_password(workers: &PasswordHashing, password: &Secret, hash: Option<String>) -> Result<bool, Problem> {
    let password = password.clone();
    let work = move |memory: &mut Vec<Block>| {
        let Some(hash) = hash else {
            // no such account: hashing takes as long as verifying, so that timing does not reveal it
            let _ = hashed(&password, memory);
            return false;
        };
        is_password(&password, &hash, memory).unwrap_or(false)
    };
    workers.on_thread(work).await.ok_or_else(failed)
}

fn hashed(password: &Secret, memory: &mut Vec<Block>) -> Option<String> {
    let (algorithm, version, params) = (Algorithm::default(), Version::default(), Params::default());
    let salt = Salt::generate();
    let mut hash = [0; Params::DEFAULT_OUTPUT_LEN];
    memory.resize(params.block_count(), Block::new());
    let argon2 = Argon2::new(algorithm, version, params.clone());
    argon2.hash_password_into_with_memory(password.expose().as_bytes(), &salt, &mut hash, memory).ok()?;
    let hash = PasswordHash {
        algorithm: algorithm.ident(),
        version: Some(version.into()),
        params: ParamsString::try_from(&params).ok()?,
        salt: Some(salt),
        hash: Some(Output::new(&hash).ok()?),
    };
    Some(hash.to_string())
}

/// Whether the hash is of this password; absent where it can't be read.
fn is_password(password: &Secret, hash: &str, memory: &mut Vec<Block>) -> Option<bool> {
    let known = PasswordHash::new(hash).ok()?;
    let (salt, expected) = (known.salt?, known.hash?);
    let algorithm = Algorithm::try_from(known.algorithm.as_str()).ok()?;
    let version = known.version.map_or(Some(Version::default()), |version| Version::try_from(version).ok())?;
    let params = Params::try_from(&known).ok()?;
    let mut found = vec![0; expected.len()];
    memory.resize(params.block_count(), Block::new());
    let argon2 = Argon2::new(algorithm, version, params);
    argon2.hash_password_into_with_memory(password.expose().as_bytes(), &salt, &mut found, memory).ok()?;
    // this comparison takes the same time whatever differs
    Some(Output::new(&found).ok()? == expected)
}

fn failed() -> Problem {
    Problem::new(ProblemKind::Internal, "The password could not be checked.")
}

#[cfg(test)]
mod tests {
    use super::*;
    use argon2::{PasswordHasher, PasswordVerifier};

    #[tokio::test]
    async fn only_the_password_itself_opens() {
        let workers = PasswordHashing::new(1);
        let hash = hash_password(&workers, &Secret::new("correct horse")).await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(verify_password(&workers, &Secret::new("correct horse"), Some(hash.clone())).await.unwrap());
        assert!(!verify_password(&workers, &Secret::new("correct horsf"), Some(hash)).await.unwrap());
        assert!(!verify_password(&workers, &Secret::new("correct horse"), None).await.unwrap());
    }
    /// What the library makes is what was kept until now.
    #[tokio::test]
    async fn hashes_are_the_librarys() {
        let workers = PasswordHashing::new(1);
        let of_library = Argon2::default().hash_password(b"correct horse").unwrap().to_string();
        assert!(verify_password(&workers, &Secret::new("correct horse"), Some(of_library.clone())).await.unwrap());
        assert!(!verify_password(&workers, &Secret::new("correct"), Some(of_library)).await.unwrap());
        let ours = hash_password(&workers, &Secret::new("correct horse")).await.unwrap();
        assert!(Argon2::default().verify_password(b"correct horse", ours.as_str()).is_ok());
        assert!(!verify_password(&workers, &Secret::new("x"), Some("no hash".to_owned())).await.unwrap());
    }
}
