//! Accounts, roles and actors.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::problem::Problem;

/// What a person may do. More roles come later.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, strum::EnumString, strum::IntoStaticStr, strum::VariantArray,
)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
#[strum(serialize_all = "snake_case", const_into_str)]
pub enum Role {
    /// Everything, other people's objects included.
    Administrator,
    /// Own objects, and what is shared.
    Member,
}

/// A person with an account.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct User {
    pub id: Uuid,
    /// The name to sign in with, shown as creator.
    pub name: String,
    /// What the person may do.
    pub role: Role,
    /// Whether a password is set, so that the person can sign in.
    pub active: bool,
    /// Whether an administrator has shut the account: nobody signs in to it, and its tokens are refused.
    pub disabled: bool,
    /// When the account was made.
    #[cfg_attr(feature = "ssr", schema(value_type = String, format = DateTime))]
    pub created_at: Timestamp,
}

/// The person on whose behalf a call is made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    pub id: Uuid,
    pub name: String,
    pub role: Role,
}

impl Actor {
    /// Whether this is an administrator.
    pub fn is_administrator(&self) -> bool {
        self.role == Role::Administrator
    }

    /// Refuses everybody else with a sentence.
    pub fn must_be_administrator(&self, refusal: &str) -> Result<(), Problem> {
        if self.is_administrator() { Ok(()) } else { Err(Problem::forbidden(refusal)) }
    }

    /// The access rule for objects with an owner: the owner and administrators.
    pub fn may_touch(&self, owner: Option<Uuid>) -> bool {
        self.is_administrator() || owner == Some(self.id)
    }
}

/// A token for scripts, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct ApiToken {
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

/// A new token: the one time that its secret is shown.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct CreatedToken {
    #[serde(flatten)]
    pub token: ApiToken,
    /// What goes after `Authorization: Bearer`.
    #[serde(rename = "token")]
    pub secret: String,
}

impl std::fmt::Debug for CreatedToken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("CreatedToken").field("token", &self.token).finish_non_exhaustive()
    }
}

/// A new person, or one with a new link.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct InvitedUser {
    #[serde(flatten)]
    pub user: User,
    /// The one-time link with which the person sets a password.
    pub link: String,
    /// When the link stops working.
    #[cfg_attr(feature = "ssr", schema(value_type = String, format = DateTime))]
    pub link_expires_at: Timestamp,
}

impl std::fmt::Debug for InvitedUser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("InvitedUser").field("user", &self.user).finish_non_exhaustive()
    }
}

/// Whom a one-time link is for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LinkInfo {
    /// The person's name at present.
    pub name: String,
    /// Whether the person had a password before: then the link only replaces it.
    pub active: bool,
}

/// A secret that is shown once.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum OneTimeSecret {
    /// A token for scripts.
    Token {
        /// What its owner calls it.
        name: String,
        secret: String,
    },
    Link {
        /// The person whom it is for.
        name: String,
        link: String,
        /// When it stops working.
        ends: Timestamp,
    },
}

impl std::fmt::Debug for OneTimeSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (Self::Token { name, .. } | Self::Link { name, .. }) = self;
        f.debug_struct("OneTimeSecret").field("name", name).finish_non_exhaustive()
    }
}
