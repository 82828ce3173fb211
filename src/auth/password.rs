//! Passwords: Argon2id on blocking threads, apart from those that serve requests.

use argon2::Argon2;
use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use tokio::sync::Semaphore;

use crate::credentials::Secret;
use crate::domain::problem::{Problem, ProblemKind};

/// The fewest characters of a password.
pub const LEAST_PASSWORD: usize = 10;

/// Hashes a password, in PHC format. `workers` limits concurrent hashing.
pub async fn hash_password(workers: &Semaphore, password: &Secret) -> Result<String, Problem> {
    let password = password.clone();
    on_worker(workers, move || Argon2::default().hash_password(password.expose().as_bytes()).map(|hash| hash.to_string()).ok())
        .await?
        .ok_or_else(failed)
}

/// Verifies a password; without a hash the answer is no, after the same time.
pub async fn verify_password(workers: &Semaphore, password: &Secret, hash: Option<String>) -> Result<bool, Problem> {
    let password = password.clone();
    on_worker(workers, move || {
        let Some(hash) = hash else {
            // no such account: hashing takes as long as verifying, so that timing does not reveal it
            let _ = Argon2::default().hash_password(password.expose().as_bytes());
            return false;
        };
        PasswordHash::new(&hash).is_ok_and(|hash| Argon2::default().verify_password(password.expose().as_bytes(), &hash).is_ok())
    })
    .await
}

async fn on_worker<T: Send + 'static>(workers: &Semaphore, work: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
    let _permit = workers.acquire().await.map_err(|_| failed())?;
    tokio::task::spawn_blocking(work).await.map_err(|_| failed())
}

fn failed() -> Problem {
    Problem::new(ProblemKind::Internal, "The password could not be checked.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_password_itself_opens() {
        let workers = Semaphore::new(1);
        let hash = hash_password(&workers, &Secret::new("correct horse")).await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(verify_password(&workers, &Secret::new("correct horse"), Some(hash.clone())).await.unwrap());
        assert!(!verify_password(&workers, &Secret::new("correct horsf"), Some(hash)).await.unwrap());
        assert!(!verify_password(&workers, &Secret::new("correct horse"), None).await.unwrap());
    }
}
