//! Secrets: their encryption at rest, a type that never prints them, and the address policy for all requests to addresses that
//! users name.

mod binding;
mod outgoing;
mod probe;
mod secret;
mod vault;

pub(crate) use binding::parse_base;
pub use binding::{Origin, OriginError, origin_of};
pub use dyno_measure::address_policy::{AddressPolicy, AddressRefusal};
pub use outgoing::{Outgoing, OutgoingError, OutgoingOptions, check_host};
pub use probe::{Probe, probe};
pub use secret::Secret;
pub use vault::{Receiver, SealContext, Sealed, Vault, VaultError};
