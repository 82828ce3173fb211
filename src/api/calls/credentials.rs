//! Credentials: a secret goes in, is used, and never comes out.

use jiff::Timestamp;
use uuid::Uuid;

use super::listing::{Listed, checked_name, page_of};
use super::now;
use crate::credentials::{AddressPolicy, Origin, Probe, Secret, VaultError, probe};
use crate::domain::inventory::{Credential, ModelSource};
use crate::domain::list::{ListQuery, Page};
use crate::domain::problem::{FieldError, Problem, ProblemKind};
use crate::domain::provider::{ConnectionTest, ProviderId};
use crate::domain::user::Actor;
use crate::state::{AppState, SecretError, seal_context_of};
use crate::store::SealedCredential;

/// Longest secret: some providers have tokens of several thousand characters.
const MAX_SECRET: usize = 10_000;

impl Listed for Credential {
    fn name(&self) -> &str {
        &self.name
    }
    fn more_text(&self) -> String {
        format!("{} {}", self.provider.preset().title, self.origin)
    }
    fn created_at(&self) -> Timestamp {
        self.created_at
    }
}

/// The credentials that the actor may use, without their secrets.
pub async fn list(app: &AppState, actor: &Actor, query: &ListQuery) -> Result<Page<Credential>, Problem> {
    page_of(app.store.credentials(actor).await?, query, "Credentials")
}

/// One credential, without its secret.
pub async fn get(app: &AppState, actor: &Actor, id: Uuid) -> Result<Credential, Problem> {
    Ok(app.store.credential(actor, id).await?)
}

/// Seals a secret and keeps it, bound to the provider's origin.
pub async fn create(
    app: &AppState,
    actor: &Actor,
    name: &str,
    provider: ProviderId,
    secret: impl Into<Secret>,
    base_url: Option<String>,
) -> Result<Credential, Problem> {
    let secret: Secret = secret.into();
    // A secret is pasted, with a line's end often enough.
    let secret = Secret::new(secret.expose().trim());
    let mut errors = Vec::new();
    let name = checked_name(name).unwrap_or_else(|error| {
        errors.push(FieldError::new("name", error.to_string()));
        String::new()
    });
    if secret.is_empty() {
        errors.push(FieldError::new("secret", "Enter the secret."));
    } else if secret.expose().len() > MAX_SECRET {
        errors.push(FieldError::new("secret", format!("Use at most {MAX_SECRET} characters.")));
    } else if !secret.expose().bytes().all(|byte| byte.is_ascii_graphic()) {
        errors.push(FieldError::new("secret", "A secret has no spaces and no characters beyond ASCII. Paste it again."));
    }
    let base_url = base_url.as_deref().map(str::trim).filter(|base_url| !base_url.is_empty());
    let origin = Origin::for_provider(provider, base_url).map_err(|error| FieldError::new("base_url", error.sentence()));
    let origin = match origin {
        Ok(origin) if errors.is_empty() => origin,
        Ok(_) => return Err(Problem::invalid(errors)),
        Err(error) => {
            errors.push(error);
            return Err(Problem::invalid(errors));
        }
    };
    let credential = Credential {
        id: Uuid::now_v7(),
        name,
        provider,
        origin: origin.as_str().to_owned(),
        owner: actor.id,
        archived: false,
        created_at: now(),
    };
    let sealed = app.vault.seal(seal_context_of(&credential), &secret).map_err(vault)?;
    app.store
        .insert_credential(&SealedCredential { credential: credential.clone(), key_id: sealed.key_id, sealed: sealed.bytes })
        .await?;
    Ok(credential)
}

/// Removes a credential; its secret is gone in any case.
pub async fn delete(app: &AppState, actor: &Actor, id: Uuid) -> Result<(), Problem> {
    Ok(app.store.remove_credential(actor, id).await?)
}

/// Tries a credential: asks for the list of models, or one token of a model of the actor's at that origin. Says how it
/// went in Dyno's words.
pub async fn test(app: &AppState, actor: &Actor, id: Uuid) -> Result<ConnectionTest, Problem> {
    let credential = &app.store.credential(actor, id).await?;
    let models = app.store.models(actor).await?;
    let models = models.into_iter().filter_map(|model| match model.source {
        ModelSource::Cloud { provider, base_url, model, ca_certificate, insecure_skip_tls_verify }
            if provider == credential.provider && Origin::admits(&credential.origin, &base_url) =>
        {
            Some((base_url, model, (ca_certificate, insecure_skip_tls_verify)))
        }
        _ => None,
    });
    // of several models there, one with an authority of its own is reached best, one whose certificate is not checked worst
    let known = models.max_by_key(|(_, _, (ca_certificate, is_unchecked))| (ca_certificate.is_some(), !is_unchecked));
    let preset = credential.provider.preset().base_url.map(str::to_owned);
    let (base_url, model, (ca_certificate, is_unchecked)) = match known {
        Some((base_url, model, trust)) => (base_url, Some(model), trust),
        None => (preset.unwrap_or_else(|| format!("{}/v1", credential.origin)), None, (None, false)),
    };
    // as the model's load does
    let outgoing = app.outgoing.trusting(ca_certificate.as_deref(), is_unchecked).map_err(|error| {
        tracing::error!(%error, "the certificates of a model can't be trusted");
        Problem::conflict("The certificates of the credential's model can't be read. Add the model again.")
    })?;
    let secret = app.secret_for(actor, id, credential.provider, &base_url).await.map_err(|error| match error {
        SecretError::Store(error) => error.into(),
        SecretError::OtherAddress(_) => Problem::conflict("The credential is for another address than its model's."),
        SecretError::Vault(error) => vault(error),
    })?;
    let policy = address_policy(app).await?;
    let probe_of = Probe { provider: credential.provider, base_url: &base_url, secret: Some(&secret), model: model.as_deref() };
    Ok(probe(&outgoing, &policy, probe_of).await)
}

/// Which addresses requests may go to at present.
pub async fn address_policy(app: &AppState) -> Result<AddressPolicy, Problem> {
    Ok(app.outgoing.policy(app.store.has_single_user().await?))
}

fn vault(error: VaultError) -> Problem {
    tracing::error!(%error, "the vault failed");
    match error {
        VaultError::OtherKey { .. } => Problem::conflict(
            "The secret was stored under another key than the portal has now. Enter the secret again as a new credential.",
        ),
        _ => Problem::new(ProblemKind::Internal, "The secret could not be opened or sealed. The server's log says why."),
    }
}
