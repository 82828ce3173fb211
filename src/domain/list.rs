//! List queries, and pages of their answers.

use dyno_measure::words::{capital, grouped};
use serde::{Deserialize, Serialize};

use super::problem::Problem;

/// Most characters of a text that a list is asked with: twice the longest name of anything.
pub const MOST_LETTERS: usize = 200;

/// The query of a list; each list takes what makes sense for it and ignores nothing silently.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::IntoParams, utoipa::ToSchema))]
#[cfg_attr(feature = "ssr", into_params(parameter_in = Query))]
#[serde(default, deny_unknown_fields)]
pub struct ListQuery {
    /// Text in the name, tags or description; of runs and benchmarks, in the model's or the engine's name as well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub search: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tag: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub creator: Option<String>,
    /// Created at or after this day or instant (`2026-11-01` or RFC 3339).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// Created before the end of this day, or before this instant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// A column, with `-` before it for descending: `-created_at`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sort: Option<String>,
    /// From 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page: Option<u32>,
    /// 1 to 500; 50 when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub page_size: Option<u32>,
}

impl ListQuery {
    /// Refuses texts that are longer than anything that could be found.
    pub fn check(&self) -> Result<(), Problem> {
        let texts = [
            ("search", &self.search),
            ("status", &self.status),
            ("model", &self.model),
            ("cluster", &self.cluster),
            ("tag", &self.tag),
            ("creator", &self.creator),
            ("from", &self.from),
            ("to", &self.to),
            ("sort", &self.sort),
        ];
        for (name, text) in texts {
            let length = text.as_ref().map_or(0, |text| text.chars().count());
            if length > MOST_LETTERS {
                let length = grouped(length as u64);
                let title = capital(name);
                return Err(Problem::field(
                    name,
                    format!("{title} must be {MOST_LETTERS} characters or fewer; this has {length}."),
                ));
            }
        }
        Ok(())
    }

    /// Page number, from 1.
    pub fn page(&self) -> u32 {
        self.page.unwrap_or(1).max(1)
    }

    pub fn page_size(&self) -> u32 {
        self.page_size.unwrap_or(50).clamp(1, 500)
    }

    /// Number of rows before the page.
    pub fn offset(&self) -> u64 {
        u64::from(self.page() - 1) * u64::from(self.page_size())
    }
}

/// One page of a list, and how many there are in all.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Rows on all pages.
    pub total: u64,
}

/// The distinct values of the runs that the caller may see.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryChoices {
    pub models: Vec<String>,
    pub clusters: Vec<String>,
    pub tags: Vec<String>,
    pub creators: Vec<String>,
}
