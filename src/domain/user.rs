//! Who acts.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// What a person may do. More roles come later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything, other people's objects included.
    Administrator,
    /// Own objects, and what is shared.
    Member,
}

impl Role {
    /// The name as stored and sent.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Administrator => "administrator",
            Self::Member => "member",
        }
    }

    /// Reads the name back.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Administrator, Self::Member].into_iter().find(|role| role.as_str() == name)
    }
}

/// A person with an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct User {
    /// Identity.
    pub id: Uuid,
    /// The name to sign in with, shown as creator.
    pub name: String,
    /// What the person may do.
    pub role: Role,
    /// Whether a password is set, so that the person can sign in.
    pub active: bool,
    /// When the account was made.
    #[cfg_attr(feature = "ssr", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
}

/// The person on whose behalf a call is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// Identity.
    pub id: Uuid,
    /// Name.
    pub name: String,
    /// Role.
    pub role: Role,
}

impl Actor {
    /// Whether this is an administrator.
    pub fn is_administrator(&self) -> bool {
        self.role == Role::Administrator
    }

    /// The one gate for objects with an owner: the owner and administrators may touch it.
    pub fn may_touch(&self, owner: Option<Uuid>) -> bool {
        self.is_administrator() || owner == Some(self.id)
    }
}

/// A token for scripts, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct ApiToken {
    /// Identity.
    pub id: Uuid,
    /// What its owner calls it.
    pub name: String,
    /// When it was made.
    #[cfg_attr(feature = "ssr", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
    /// When it was last used, to the minute.
    #[cfg_attr(feature = "ssr", schema(value_type = Option<String>, format = DateTime))]
    pub last_used_at: Option<Timestamp>,
}
