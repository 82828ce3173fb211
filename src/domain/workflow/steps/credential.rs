//! Step 6, for cloud models only.

use uuid::Uuid;

use crate::domain::inventory::{Credential, Model, ModelSource};
use crate::domain::problem::FieldError;
use crate::domain::workflow::facts::Facts;
use crate::domain::workflow::reader::Patch;
use crate::domain::workflow::state::Draft;

const STEP: u8 = 6;

fn error(message: impl Into<String>) -> FieldError {
    FieldError::at(STEP, "credential_id", message)
}

pub fn apply(draft: &mut Draft, patch: &Patch<Uuid>, facts: &Facts, errors: &mut Vec<FieldError>) {
    if !draft.is_cloud() {
        errors.push(error("This model is not a cloud model; it takes no credential."));
        return;
    }
    let chosen = match patch {
        Patch::Set(id) => Some(*id),
        Patch::Keep => draft.steps.credential_id,
        Patch::Clear => None,
    };
    match chosen {
        Some(id) => match usable(facts) {
            Ok(()) => {
                draft.steps.credential_id = Some(id);
                draft.credential_skipped = false;
            }
            Err(problem) => errors.push(problem),
        },
        None if draft.may_skip_credential() => {
            draft.steps.credential_id = None;
            draft.credential_skipped = true;
        }
        None => errors.push(error("Choose a credential.")),
    }
}

/// Checks that the credential is valid for the model.
pub fn usable(facts: &Facts) -> Result<(), FieldError> {
    let Some(credential) = &facts.credential else { return Err(error("There is no such credential.")) };
    let Some(model) = &facts.model else { return Err(FieldError::at(5, "model_id", "There is no such model.")) };
    if credential.archived {
        return Err(error(format!("{} is archived. Choose another credential.", credential.name)));
    }
    fits(credential, model)
}

/// Whether a credential is valid for a model's provider and address.
pub fn opens(credential: &Credential, model: &Model) -> bool {
    !credential.archived && fits(credential, model).is_ok()
}

fn fits(credential: &Credential, model: &Model) -> Result<(), FieldError> {
    let ModelSource::Cloud { provider, base_url, .. } = &model.source else {
        return Err(error("This model is not a cloud model; it takes no credential."));
    };
    if credential.provider != *provider {
        return Err(error(format!(
            "{} is a credential of {}; this model is at {}.",
            credential.name,
            credential.provider.preset().title,
            provider.preset().title
        )));
    }
    // the secret is sent to its own origin only
    if origin(&credential.origin) != origin(base_url) {
        return Err(error(format!(
            "{} is for {}; this model is at {}. Add a credential for it.",
            credential.name,
            credential.origin,
            origin(base_url)
        )));
    }
    Ok(())
}

/// Scheme, host and port of a URL, normalised.
fn origin(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let scheme = scheme.to_ascii_lowercase();
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default().to_ascii_lowercase();
    let default_port = match scheme.as_str() {
        "https" => ":443",
        "http" => ":80",
        _ => "",
    };
    let authority = if default_port.is_empty() { &authority } else { authority.strip_suffix(default_port).unwrap_or(&authority) };
    format!("{scheme}://{authority}")
}

#[cfg(test)]
mod tests {
    use super::origin;

    #[test]
    fn origins_have_one_spelling() {
        assert_eq!(origin("HTTPS://API.example.com:443/v1"), "https://api.example.com");
        assert_eq!(origin("http://127.0.0.1:8100/v1"), "http://127.0.0.1:8100");
        assert_eq!(origin("http://[::1]:80"), "http://[::1]");
        assert_ne!(origin("http://a.example"), origin("https://a.example"));
        assert_ne!(origin("http://a.example:443"), origin("http://a.example"));
    }
}
