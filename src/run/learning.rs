//! The simulator learns: each valid measured run is held against what was expected of it, then the profile of its device, engine,
//! version and precision is fitted again. Beside everything else, and never while a run is at work: a fit takes a core.

use std::time::Duration;

use dyno_measure::run::{RunKind, RunStatus};
use dyno_simulate::own_runs::{MeasuredRun, calibrated};
use dyno_simulate::{EngineVersion, Profiles};
use jiff::Timestamp;
use uuid::Uuid;

use crate::domain::benchmark::BenchmarkSpec;
use crate::domain::engine::EngineKind;
use crate::domain::inventory::Cluster;
use crate::models::Roots;
use crate::simulation::{MOST_LEARNT_REQUESTS, SimulatedRun, engine_version, measured, nodes_of, predict, version_of};
use crate::state::AppState as App;
use crate::store::{LearntRun, StoreError};

/// Poll interval.
const POLL: Duration = Duration::from_mins(1);
/// A simulation of a measured run or a fit that takes longer is ended.
const LONGEST: Duration = Duration::from_mins(10);
/// Most runs that factors are fitted from in one go.
const BATCH: u32 = 20;
/// A profile rests on its last so many runs: enough for the factors, and engines change.
const MOST_RUNS: u32 = 24;

/// Begins to learn, until the portal stops.
pub fn start(app: &App) {
    let app = app.clone();
    tokio::spawn(async move {
        while !app.shutdown.is_cancelled() {
            if let Err(error) = learn(&app).await {
                tracing::warn!(%error, "measured runs could not be learnt from");
            }
            tokio::select! {
                () = app.run_notifier.ended() => {}
                () = tokio::time::sleep(POLL) => {}
                () = app.shutdown.cancelled() => return,
            }
        }
    });
}

/// The published profiles, and those fitted to this portal's own runs.
pub(crate) async fn profiles(app: &App) -> Result<Profiles, StoreError> {
    let mut profiles = Profiles::published();
    profiles.0.extend(app.store.fitted_profiles().await?);
    Ok(profiles)
}

/// The version of an engine that a cluster would start; absent where that is not known.
pub(crate) async fn version(app: &App, cluster: &Cluster, kind: Option<EngineKind>) -> Option<EngineVersion> {
    let engines = super::engines(app, cluster).await.ok()?;
    let found = engines.into_iter().find(|engine| Some(engine.kind) == kind)?;
    engine_version(kind, found.version.as_deref())
}

/// Learns from every run that was not looked at yet.
async fn learn(app: &App) -> Result<(), StoreError> {
    for run in app.store.unlearnt_runs_of_portal(BATCH).await? {
        let open = app.store.open_runs().await?;
        if open.iter().any(|open| open.run.kind == RunKind::Measured && open.run.status != RunStatus::Queued) {
            return Ok(());
        }
        learn_from(app, run).await?;
    }
    Ok(())
}

async fn learn_from(app: &App, run: Uuid) -> Result<(), StoreError> {
    let Some(report) = app.store.report_of_portal(run).await? else { return Ok(()) };
    let spec = app.store.benchmark_of_portal(app.store.run_of_portal(run).await?.benchmark_id).await?.spec;
    let mut records = Vec::new();
    for point in 0..report.load_points.len() {
        records.push(app.store.first_records_of_portal(run, point, MOST_LEARNT_REQUESTS).await?);
    }
    let asked = asked(app, run, spec, &report).await?;
    let look = app.simulation_slots.for_learning().await.spawn(move |stop| {
        let predicted =
            predict(&asked, &report, stop).inspect_err(|failure| tracing::debug!(run.id = %run, %failure, "not predicted")).ok();
        match measured(&asked, &report, &records) {
            Ok(found) => LearntRun { measured: Some((found.setup.key().to_string(), found)), reason: None, predicted },
            Err(failure) => LearntRun { measured: None, reason: Some(failure.to_string()), predicted },
        }
    });
    // One that breaks off is not tried again and again.
    let broken = |reason: &str| LearntRun { reason: Some(reason.to_owned()), ..LearntRun::default() };
    let learnt = tokio::select! {
        done = look.answer() => done.unwrap_or_else(|error| {
            tracing::error!(run.id = %run, %error, "a measured run could not be simulated");
            broken("Simulating it broke off.")
        }),
        () = tokio::time::sleep(LONGEST) => broken("Simulating it took too long and was ended."),
        () = app.shutdown.cancelled() => return Ok(()),
    };
    app.store.keep_learnt_run(run, &learnt, Timestamp::now()).await?;
    if let Some((key, _)) = &learnt.measured {
        fit(app, key).await?;
    }
    Ok(())
}

/// The run as it was measured, to be simulated with what is known now.
async fn asked(
    app: &App,
    run_id: Uuid,
    spec: BenchmarkSpec,
    report: &dyno_measure::report::Report,
) -> Result<SimulatedRun, StoreError> {
    let config = &app.config;
    Ok(SimulatedRun {
        run_id,
        nodes: nodes_of(report),
        version: version_of(&spec, report),
        spec,
        roots: Roots::new(&config.model_roots, &config.data_dir, app.store.has_single_user().await?),
        data_dir: config.data_dir.clone(),
        profiles: profiles(app).await?,
    })
}

/// Fits a profile to its runs.
async fn fit(app: &App, key: &str) -> Result<(), StoreError> {
    let runs: Vec<MeasuredRun> = app.store.measured_runs_of_portal(key, MOST_RUNS).await?;
    let work = app.simulation_slots.for_learning().await.spawn(move |stop| calibrated(&runs, &Profiles::published(), stop));
    let fitted = tokio::select! {
        done = work.answer() => done,
        () = tokio::time::sleep(LONGEST) => {
            tracing::warn!(profile = key, "a fit took too long and was ended");
            return Ok(());
        }
        () = app.shutdown.cancelled() => return Ok(()),
    };
    match fitted {
        Ok(Some(profile)) => {
            tracing::info!(profile = key, runs = profile.runs, "fitted the simulator's factors to measured runs");
            app.store.put_profile(key, &profile, Timestamp::now()).await
        }
        Ok(None) => Ok(()),
        Err(error) => {
            tracing::error!(profile = key, %error, "a fit broke off");
            Ok(())
        }
    }
}
