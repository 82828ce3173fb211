//! What the inventory's lists share: whose a thing is, in words, and whether the reader may remove it.

use serde::{Deserialize, Serialize};

/// Something of the inventory, as its list shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Owned<T> {
    pub item: T,
    /// Whose it is: `you`, `everybody`, or a name.
    pub owner: String,
    /// Whether the reader may remove it.
    pub removable: bool,
}

pub use on_server::{Owners, done, id_of};

mod on_server {
    use std::collections::HashMap;

    use uuid::Uuid;

    use super::Owned;
    use crate::api::functions::CallError;
    use crate::api::functions::forms::{self, Entries};
    use crate::domain::form::Flash;
    use crate::domain::problem::Problem;
    use crate::domain::user::Actor;
    use crate::state::AppState;

    /// The names that the actor may see.
    pub struct Owners {
        actor: Actor,
        names: HashMap<Uuid, String>,
    }

    impl Owners {
        /// Only administrators see other people's things, and so their names.
        pub async fn seen_by(app: &AppState, actor: &Actor) -> Result<Self, Problem> {
            let names = if actor.is_administrator() { app.store.user_names().await? } else { HashMap::new() };
            Ok(Self { actor: actor.clone(), names })
        }

        /// A thing with its owner in words.
        pub fn of<T>(&self, item: T, owner: Option<Uuid>) -> Owned<T> {
            let word = match owner {
                None => "everybody".to_owned(),
                Some(id) if id == self.actor.id => "you".to_owned(),
                Some(id) => self.names.get(&id).cloned().unwrap_or_else(|| "somebody else".to_owned()),
            };
            Owned { item, owner: word, removable: self.actor.may_touch(owner) }
        }
    }

    /// Answers a form: to the next page with a sentence about what was done, or back to `here` with what is wrong.
    pub async fn done(result: Result<(String, String), Problem>, here: &str, entries: Entries) -> Result<(), CallError> {
        match result {
            Ok((next, sentence)) => forms::show_again(&Flash::done(sentence), &next).await,
            Err(problem) => forms::answer(Err(problem), here, entries).await,
        }
    }

    /// An id from a form or an address; what is none names nothing that exists.
    pub fn id_of(text: &str, what: &str) -> Result<Uuid, Problem> {
        text.parse().map_err(|_| Problem::not_found(what))
    }
}
