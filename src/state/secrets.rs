//! Opening a stored credential for a request: only for the provider and the origin that it is bound to.

use async_trait::async_trait;
use uuid::Uuid;

use super::AppState;
use crate::cluster::{ClusterError, Kubeconfigs};
use crate::credentials::{Origin, Receiver, SealContext, Sealed, Secret, Vault, VaultError};
use crate::domain::inventory::Credential;
use crate::domain::provider::ProviderId;
use crate::domain::user::Actor;
use crate::store::{Store, StoreError};

/// Why a secret is not handed out.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// There is none such, or it can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// It is for this origin only.
    #[error("this credential is for {0} and is not sent anywhere else")]
    OtherAddress(String),
    /// It does not open.
    #[error(transparent)]
    Vault(#[from] VaultError),
}

/// Where a credential's secret lies: part of what the secret is sealed with.
pub fn seal_context_of(credential: &Credential) -> SealContext<'_> {
    let receiver = Receiver { provider: credential.provider, origin: &credential.origin };
    SealContext { table: "credentials", row: credential.id, owner: credential.owner, receiver: Some(receiver) }
}

/// Where a cluster's kubeconfig lies.
pub fn seal_context_of_kubeconfig(cluster: Uuid) -> SealContext<'static> {
    SealContext { table: "clusters", row: cluster, owner: Uuid::nil(), receiver: None }
}

/// The kubeconfigs in the store, opened by the vault.
#[derive(Debug)]
pub(super) struct SealedKubeconfigs {
    pub store: Store,
    pub vault: Vault,
}

#[async_trait]
impl Kubeconfigs for SealedKubeconfigs {
    async fn kubeconfig(&self, cluster: Uuid) -> Result<Option<Secret>, ClusterError> {
        let sealed = self.store.sealed_kubeconfig(cluster).await.map_err(|error| ClusterError::Kubeconfig(error.to_string()))?;
        let Some((key_id, bytes)) = sealed else { return Ok(None) };
        let opened = self.vault.unseal(seal_context_of_kubeconfig(cluster), &Sealed { key_id, bytes });
        opened.map(Some).map_err(|error| ClusterError::Kubeconfig(error.to_string()))
    }
}

impl AppState {
    /// The secret to be sent to a base URL of a provider.
    pub async fn secret_for(&self, actor: &Actor, id: Uuid, provider: ProviderId, base_url: &str) -> Result<Secret, SecretError> {
        let stored = self.store.sealed_credential(actor, id).await?;
        let credential = &stored.credential;
        if credential.provider != provider || !Origin::admits(&credential.origin, base_url) {
            return Err(SecretError::OtherAddress(credential.origin.clone()));
        }
        let sealed = Sealed { key_id: stored.key_id, bytes: stored.sealed };
        Ok(self.vault.unseal(seal_context_of(&stored.credential), &sealed)?)
    }

    /// For the portal's start: what was sealed before provider and origin belonged to the context is sealed anew with them. Later
    /// only that opens.
    pub(super) async fn seal_with_receivers(&self) -> Result<(), StoreError> {
        for stored in self.store.sealed_credentials().await? {
            let context = seal_context_of(&stored.credential);
            let sealed = Sealed { key_id: stored.key_id, bytes: stored.sealed };
            if !matches!(self.vault.unseal(context, &sealed), Err(VaultError::Tampered)) {
                continue;
            }
            let Ok(secret) = self.vault.unseal(SealContext { receiver: None, ..context }, &sealed) else { continue };
            match self.vault.seal(context, &secret) {
                Ok(sealed) => self.store.seal_credential_anew(stored.credential.id, &sealed.key_id, &sealed.bytes).await?,
                Err(error) => tracing::error!(credential.id = %stored.credential.id, %error, "a secret was not sealed anew"),
            }
        }
        Ok(())
    }
}
