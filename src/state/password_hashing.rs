//! The memory in which passwords are hashed, used again for each: one that is allocated for each hash stays with the allocator,
//! once for every thread that ever had one.

use std::sync::{Arc, Mutex, PoisonError};

use argon2::Block;
use tokio::sync::Semaphore;

/// How many passwords are hashed at the same time, and what they are hashed in.
#[derive(Debug)]
pub struct PasswordHashing {
    turns: Arc<Semaphore>,
    /// Never more than there are turns, 19 MiB each.
    memory: Arc<Mutex<Vec<Vec<Block>>>>,
}

impl PasswordHashing {
    pub fn new(at_once: usize) -> Self {
        Self { turns: Arc::new(Semaphore::new(at_once)), memory: Arc::default() }
    }

    /// Does this on a thread that may block, when it is its turn; absent where the thread was lost. The turn lasts until the work
    /// is done, also when nobody waits for it any more.
    pub async fn on_thread<T: Send + 'static>(&self, work: impl FnOnce(&mut Vec<Block>) -> T + Send + 'static) -> Option<T> {
        let turn = Arc::clone(&self.turns).acquire_owned().await.ok()?;
        let pool = Arc::clone(&self.memory);
        let working = move || {
            let mut memory = pool.lock().unwrap_or_else(PoisonError::into_inner).pop().unwrap_or_default();
            let done = work(&mut memory);
            // what is left in it was made of a password
            memory.fill(Block::new());
            pool.lock().unwrap_or_else(PoisonError::into_inner).push(memory);
            drop(turn);
            done
        };
        tokio::task::spawn_blocking(working).await.ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn memory_is_used_again() {
        let hashing = PasswordHashing::new(2);
        let work = || {
            hashing.on_thread(|memory| {
                let was_clean = memory.iter().all(|block| block.as_ref().iter().all(|word| *word == 0));
                memory.resize(3, Block::new());
                memory.iter_mut().for_each(|block| block.as_mut().fill(7));
                was_clean
            })
        };
        let done = futures::future::join_all((0..20).map(|_| work())).await;
        assert!(done.into_iter().all(|was_clean| was_clean == Some(true)));
        let pool = hashing.memory.lock().unwrap();
        assert!((1..=2).contains(&pool.len()) && pool.iter().all(|memory| memory.len() == 3), "{}", pool.len());
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_keeps_its_turn() {
        let hashing = PasswordHashing::new(1);
        let (go, gone) = std::sync::mpsc::channel::<()>();
        let abandoned = hashing.on_thread(move |_| gone.recv());
        assert!(futures::FutureExt::now_or_never(abandoned).is_none());
        assert_eq!(hashing.turns.available_permits(), 0);
        drop(go);
        assert!(hashing.on_thread(|_| ()).await.is_some());
    }
}
