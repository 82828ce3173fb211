//! llama.cpp: `llama-server` on the PATH (or named by `DYNO_LLAMA_SERVER`), else the `xllamacpp` package in an environment of
//! Dyno's own, through a launcher with the same command line.

use std::path::PathBuf;

use super::{Arguments, Launch, Program, ProgramSearch, Recipe, RecipeError, Serve, ServedModel, find, visible_devices};
use crate::domain::engine::EngineKind;
use crate::domain::inventory::DeviceType;

/// The package with llama.cpp's server, at the tested version.
pub const WHEEL: &str = "xllamacpp==2026.10.11549";

const LAUNCHER: &str = include_str!("llama_launcher.py");
/// llama.cpp's limit of parallel sequences.
const MOST_SLOTS: u32 = 256;
/// The server rounds a slot's context up to a multiple of this, tokens.
const CONTEXT_STEP: u32 = 256;

/// The Python environment with the package.
pub fn venv(search: &ProgramSearch) -> PathBuf {
    search.engine_dir(EngineKind::LlamaCpp)
}

pub(super) struct LlamaCpp;

impl Recipe for LlamaCpp {
    fn kind(&self) -> EngineKind {
        EngineKind::LlamaCpp
    }

    fn find(&self, search: &ProgramSearch) -> Option<Program> {
        if let Some(server) = search.program(self.kind(), "llama-server") {
            return Some(Program { version: search.versions.of(&server), argv: vec![server.display().to_string()] });
        }
        let python = venv(search).join("bin/python");
        let version = find::package_version(&python, "xllamacpp")?;
        if !find::is_executable(&python) {
            return None;
        }
        // absolute, since the keeper's working directory is the run's folder
        let python = std::path::absolute(&python).ok()?;
        let launcher = std::path::absolute(venv(search).join("llama_launcher.py")).ok()?;
        if std::fs::read_to_string(&launcher).ok().as_deref() != Some(LAUNCHER) {
            // concurrent calls each write a file of their own and rename it
            let fresh = launcher.with_extension(format!("py.{}", uuid::Uuid::new_v4()));
            std::fs::write(&fresh, LAUNCHER).and_then(|()| std::fs::rename(&fresh, &launcher)).ok()?;
        }
        let argv = vec![python.display().to_string(), launcher.display().to_string()];
        Some(Program { argv, version: Some(format!("xllamacpp {version}")) })
    }

    fn how_to_get(&self, search: &ProgramSearch) -> String {
        let folder = venv(search).display().to_string();
        format!(
            "Install llama.cpp so that llama-server is on the PATH, or set DYNO_LLAMA_SERVER to it. \
             Or install its Python package: python3 -m venv {folder} && {folder}/bin/pip install {WHEEL}"
        )
    }

    fn spreads_by_itself(&self) -> bool {
        true
    }

    fn most_slots(&self) -> u32 {
        MOST_SLOTS
    }

    fn reserves_all_slots(&self) -> bool {
        true
    }

    fn launch(&self, program: &Program, serve: &Serve) -> Result<Launch, RecipeError> {
        let ServedModel::Path(path) = &serve.model else {
            return Err(RecipeError::NotAFile);
        };
        let slots = serve.slots.clamp(1, MOST_SLOTS);
        let mut line = Arguments::after(program);
        line.value("-m", path.display())
            .value("--alias", &serve.alias)
            .value("--host", "{host}")
            .value("--port", "{port}")
            .value("-np", slots)
            .value("-t", serve.threads.max(1))
            // each open stream occupies a thread of the HTTP server; four more answer health and metrics
            .value("--threads-http", serve.connections.saturating_add(4))
            .value("-ngl", if serve.share.is_accelerated() { 999 } else { 0 })
            .flag("--metrics");
        if let Some(context) = serve.context {
            // `-c` is the context of all slots together
            line.value("-c", u64::from(context.next_multiple_of(CONTEXT_STEP)) * u64::from(slots));
        }
        if serve.embeddings {
            line.flag("--embeddings");
        }
        let mut env = visible_devices(&serve.share);
        // Without these, its threads spin at barriers and take the load generator's core, which causes gaps of seconds that no
        // user would see.
        env.insert("OMP_WAIT_POLICY".to_owned(), "passive".to_owned());
        env.insert("GOMP_SPINCOUNT".to_owned(), "0".to_owned());
        Ok(Launch {
            argv: line.with(&serve.extra_args),
            env,
            model: Some(serve.alias.clone()),
            // it lists its model before the model is loaded, so readiness needs this too
            health: Some("/health".to_owned()),
            // while it loads the model it says no there, and is not asked for its life before it has started
            liveness: Some("/health".to_owned()),
            version: Some(("/props".to_owned(), "build_info".to_owned())),
            metrics: Some("/metrics".to_owned()),
            tokenize: true,
            ignore_eos: true,
            startup_limit_s: 15 * 60,
        })
    }

    fn image(&self, device: DeviceType) -> Option<&'static str> {
        match device {
            DeviceType::Cpu => Some("ghcr.io/ggml-org/llama.cpp:server-b11151"),
            DeviceType::Cuda => Some("ghcr.io/ggml-org/llama.cpp:server-cuda-b11151"),
            DeviceType::Rocm | DeviceType::Hpu => None,
        }
    }

    fn own_flags(&self) -> &'static [&'static str] {
        &[
            "-m",
            "--model",
            "-a",
            "--alias",
            "--host",
            "--port",
            "-c",
            "--ctx-size",
            "-np",
            "--parallel",
            "--threads-http",
            "--metrics",
            "--api-key",
            "--api-key-file",
            "--embedding",
            "--embeddings",
            "--version",
            "-mu",
            "--model-url",
            "-hf",
            "--hf-repo",
        ]
    }

    fn member_flags(&self) -> &'static [&'static str] {
        &[
            "-t",
            "--threads",
            "-tb",
            "--threads-batch",
            "-b",
            "--batch-size",
            "-ub",
            "--ubatch-size",
            "-ngl",
            "--n-gpu-layers",
            "--gpu-layers",
            "-sm",
            "--split-mode",
            "-ts",
            "--tensor-split",
            "-mg",
            "--main-gpu",
            "-fa",
            "--flash-attn",
            "-ctk",
            "--cache-type-k",
            "-ctv",
            "--cache-type-v",
            "--no-kv-offload",
            "-nkvo",
            "--cache-reuse",
            "--cache-ram",
            "--no-cache-prompt",
            "--kv-unified",
            "-kvu",
            "--cont-batching",
            "-cb",
            "--no-cont-batching",
            "--defrag-thold",
            "--mlock",
            "--no-mmap",
            "--numa",
            "--swa-full",
            "--seed",
            "-s",
            "--no-warmup",
            "--no-webui",
            "--jinja",
            "--prio",
            "--poll",
            "--draft-max",
            "--draft-min",
            "--n-cpu-moe",
            "--cpu-moe",
            "-cmoe",
            "-ncmoe",
            "--no-op-offload",
            "--verbose",
            "-v",
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::EngineOverrides;

    #[test]
    fn the_wheel_is_found_where_dyno_installs_it() {
        if find::on_path("llama-server").is_some() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let search = ProgramSearch::new(folder.path(), EngineOverrides::default());
        assert!(LlamaCpp.find(&search).is_none());
        let venv = venv(&search);
        std::fs::create_dir_all(venv.join("bin")).unwrap();
        std::fs::create_dir_all(venv.join("lib/python3.11/site-packages/xllamacpp-2026.10.11549.dist-info")).unwrap();
        std::os::unix::fs::symlink("/bin/sh", venv.join("bin/python")).unwrap();
        let program = LlamaCpp.find(&search).unwrap();
        assert_eq!(program.version.as_deref(), Some("xllamacpp 2026.10.11549"));
        assert_eq!(std::fs::read_to_string(&program.argv[1]).unwrap(), LAUNCHER);
        // concurrent calls while the launcher is missing or outdated
        for _ in 0..50 {
            std::fs::remove_file(&program.argv[1]).unwrap();
            std::thread::scope(|scope| {
                let looks: Vec<_> = (0..8).map(|_| scope.spawn(|| LlamaCpp.find(&search))).collect();
                assert!(looks.into_iter().all(|look| look.join().unwrap().is_some()), "one of them found none");
            });
        }
        let left = std::fs::read_dir(&venv).unwrap().count();
        assert_eq!(left, 3, "the launcher, bin and lib");
    }
}
