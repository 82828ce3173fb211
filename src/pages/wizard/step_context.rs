//! Where in the wizard the reader is.

use uuid::Uuid;

use super::load_field_order::FIELDS_FROM_TOP;
use crate::api::functions::workflows::WizardView;
use crate::components::field::field_id;
use crate::components::form::{SummaryLine, Target, summary_lines};
use crate::domain::form::Flash;
use crate::domain::problem::FieldError;
use crate::domain::workflow::WizardPage;
use crate::domain::workflow::fields::step_of;

/// Which page of which draft is shown, and why.
#[derive(Debug, Clone)]
pub struct StepContext {
    pub page: WizardPage,
    /// The draft; absent before its first save.
    pub view: Option<WizardView>,
    /// For a draft that there is none of yet: tells this drawing of the form from every other.
    pub begins: Option<Uuid>,
    /// What was typed last, if it was refused.
    pub flash: Flash,
    /// Whether a "Change" link of the confirmation led here.
    pub from_confirm: bool,
    /// The fields that the last save took with it, and the page that did.
    pub dropped: Vec<String>,
    /// The page whose save dropped them.
    pub dropped_by: Option<WizardPage>,
    /// The pages that were passed over on the way here, since they had a single answer.
    pub passed: Vec<WizardPage>,
}

impl StepContext {
    /// A page of a draft.
    pub fn new(page: WizardPage, view: Option<WizardView>, flash: Flash) -> Self {
        Self { page, view, begins: None, flash, from_confirm: false, dropped: Vec::new(), dropped_by: None, passed: Vec::new() }
    }

    /// For a draft that there is none of yet.
    pub fn begun_by(mut self, form: Uuid) -> Self {
        self.begins = Some(form);
        self
    }

    /// With what the address says of the way here. Only names of fields and pages are taken from it.
    pub fn asked_by(mut self, return_to: &str, dropped: &str, by: &str) -> Self {
        self.from_confirm = return_to == "confirm";
        self.dropped = dropped.split(',').filter(|field| step_of(field).is_some()).map(str::to_owned).collect();
        self.dropped_by = by.parse().ok();
        self
    }

    /// With the pages that were passed over.
    pub fn passed_over(mut self, passed: &str) -> Self {
        self.passed = passed.split(',').filter_map(|page| page.parse().ok()).collect();
        self
    }

    /// The first incomplete page.
    pub fn reached(&self) -> WizardPage {
        self.view.as_ref().map_or(WizardPage::Details, |view| view.answer.next_page())
    }

    /// The pages of the fields that were refused.
    pub fn problem_pages(&self) -> Vec<WizardPage> {
        self.flash.errors.iter().filter_map(|error| self.page_of(error)).collect()
    }

    /// The address of a page of this draft.
    pub fn href(&self, page: WizardPage) -> Option<String> {
        self.view.as_ref().map(|view| format!("/wizard/{}/{}", view.answer.workflow_id, page.into_str()))
    }

    /// The error summary: a field of another page leads there.
    pub fn lines(&self) -> Vec<SummaryLine> {
        let mut flash = self.flash.clone();
        flash.errors.sort_by_key(|error| self.order(error));
        let mut lines = summary_lines(&flash);
        // The lines of the errors are the last ones.
        for (line, error) in lines.iter_mut().rev().zip(flash.errors.iter().rev()) {
            match self.page_of(error) {
                Some(page) if page == self.page => {}
                Some(page) => {
                    line.target = match self.href(page) {
                        Some(href) => Target::Page(format!("{href}#{}", field_id(&error.field))),
                        None => Target::Nowhere,
                    };
                }
                // About the call itself.
                None if step_of(&error.field).is_none() && !self.is_own_field(&error.field) => line.target = Target::Nowhere,
                None => {}
            }
        }
        lines
    }

    /// Where the field of an error stands: page after page, from top to bottom.
    fn order(&self, error: &FieldError) -> (Option<WizardPage>, usize) {
        let on_load_page = FIELDS_FROM_TOP.iter().position(|field| *field == error.field);
        (self.page_of(error), on_load_page.unwrap_or(FIELDS_FROM_TOP.len()))
    }

    /// Fields that only the page knows, not the workflow.
    fn is_own_field(&self, field: &str) -> bool {
        self.page == WizardPage::Model && field.starts_with("credential_")
    }

    /// The page that has the field of an error.
    fn page_of(&self, error: &FieldError) -> Option<WizardPage> {
        let field = error.field.as_str();
        // Step 2 shows step 1's number as well.
        if self.page == WizardPage::Load && field == "concurrent_requests" {
            return Some(WizardPage::Load);
        }
        WizardPage::of_field(field).or_else(|| error.step.filter(|_| !field.starts_with("step_")).map(WizardPage::of_step))
    }
}
