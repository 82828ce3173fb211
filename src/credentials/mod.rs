//! Secrets and where they may go: the cipher that keeps them, the type that never prints one, and the policy that every
//! request to an address which a user named goes through.

mod binding;
mod outgoing;
mod probe;
mod secret;
mod vault;

pub(crate) use binding::parse_base;
pub use binding::{Origin, OriginError, origin_of};
pub use dyno_measure::address_policy::{AddressPolicy, AddressRefusal};
pub use outgoing::{Outgoing, OutgoingError, OutgoingOptions};
pub use probe::{Probe, probe};
pub use secret::Secret;
pub use vault::{Receiver, Sealed, SecretPlace, Vault, VaultError};
