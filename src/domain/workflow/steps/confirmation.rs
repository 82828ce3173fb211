//! Step 7 of a draft: that everything is right.

use crate::domain::problem::FieldError;
use crate::domain::workflow::reader::Patch;
use crate::domain::workflow::state::Draft;

pub fn apply(draft: &mut Draft, patch: &Patch<bool>, errors: &mut Vec<FieldError>) {
    if *patch != Patch::Set(true) {
        errors.push(FieldError::at(7, "user_confirmation", "Confirm the benchmark to go on."));
        return;
    }
    draft.steps.user_confirmation = true;
    // confirming without a credential skips it
    if draft.steps.credential_id.is_none() && draft.may_skip_credential() {
        draft.credential_skipped = true;
    }
}
