//! A plan's latency limits and search.

use super::{Load, Plan, PlanError, PlannedLoad};
use crate::load::{LoadVariable, Slo};
use crate::search::Search;
use crate::statistics::bounds::floor;

impl Plan {
    /// The variable and bounds of the plan's search, if any. The plan then has one load point, at the largest load.
    pub fn search(&self) -> Option<(LoadVariable, f64, f64)> {
        let bounds = self.slo.as_ref()?.search.as_ref()?;
        let variable = match self.load_points.first()?.load {
            Load::Closed { .. } => LoadVariable::Concurrency,
            Load::Rate { .. } => LoadVariable::Rate,
            Load::Trace { .. } => return None,
        };
        Some((variable, bounds.min, bounds.max))
    }

    /// A load point of a search, with enough requests for the percentile unless the plan sets their number.
    pub fn point_at(&self, load: f64) -> Option<PlannedLoad> {
        let mut point = self.load_points.first()?.clone();
        match &mut point.load {
            Load::Closed { concurrency } => *concurrency = load as u32,
            Load::Rate { rate, .. } => *rate = load,
            Load::Trace { .. } => return None,
        }
        let least = self.slo.as_ref().and_then(|slo| floor(slo.percentile));
        Some(point.with_at_least(least.unwrap_or(0)))
    }

    /// Largest possible number of load points.
    pub fn most_points(&self) -> u32 {
        match self.search() {
            Some((variable, min, max)) => Search::new(variable, min, max).most_left(),
            None => u32::try_from(self.load_points.len()).unwrap_or(u32::MAX),
        }
    }

    /// Checks limits and search.
    pub(super) fn check_limits(&self) -> Result<(), PlanError> {
        if let Some(slo) = &self.slo {
            check_slo(slo)?;
        }
        if let Some((variable, min, max)) = self.search() {
            if self.load_points.len() != 1 {
                return Err(PlanError::SearchPoints);
            }
            if self.load_points.iter().any(|point| point.at() < max) {
                return Err(PlanError::SearchLoad);
            }
            let whole = variable == LoadVariable::Rate || min.ceil() <= max.floor() && max <= 100_000.0;
            let least = if variable == LoadVariable::Rate { f64::MIN_POSITIVE } else { 1.0 };
            if !(min >= least && max >= min && max <= 1_000_000.0 && whole) {
                return Err(PlanError::SearchBounds { min, max });
            }
        }
        Ok(())
    }
}

fn check_slo(slo: &Slo) -> Result<(), PlanError> {
    if !(slo.percentile > 0.0 && slo.percentile < 100.0) {
        return Err(PlanError::Percentile);
    }
    if [slo.ttft_ms, slo.tpot_ms, slo.e2el_ms].into_iter().flatten().any(|limit| !(limit > 0.0 && limit.is_finite())) {
        return Err(PlanError::Limits);
    }
    if slo.search.is_some() && slo.ttft_ms.is_none() && slo.tpot_ms.is_none() && slo.e2el_ms.is_none() {
        return Err(PlanError::SearchWithoutLimits);
    }
    Ok(())
}
