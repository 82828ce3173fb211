//! SGLang: the Python of the environment that holds `sglang`, found beside `sglang` on the PATH or named by `DYNO_SGLANG_PYTHON`.

use std::path::Path;

use super::{Arguments, Launch, Program, ProgramSearch, Recipe, RecipeError, Serve, ServedModel, find, visible_devices};
use crate::domain::engine::EngineKind;
use crate::domain::inventory::DeviceType;

pub(super) struct Sglang;

impl Recipe for Sglang {
    fn kind(&self) -> EngineKind {
        EngineKind::Sglang
    }

    fn find(&self, search: &ProgramSearch) -> Option<Program> {
        let named = search.overrides.program(self.kind()).map(Path::to_path_buf);
        let beside = || find::on_path("sglang").and_then(|script| Some(script.parent()?.join("python3")));
        let python = named.or_else(beside).unwrap_or_else(|| search.engine_dir(self.kind()).join("bin/python3"));
        if !find::is_executable(&python) {
            return None;
        }
        let python = std::path::absolute(python).ok()?;
        let version = find::package_version(&python, "sglang")?;
        let argv = vec![python.display().to_string(), "-m".to_owned(), "sglang.launch_server".to_owned()];
        Some(Program { argv, version: Some(version) })
    }

    fn how_to_get(&self, _search: &ProgramSearch) -> String {
        "Install SGLang (pip install sglang, in an environment of its own) so that sglang is on the PATH, or set \
         DYNO_SGLANG_PYTHON to that environment's Python."
            .to_owned()
    }

    fn launch(&self, program: &Program, serve: &Serve) -> Result<Launch, RecipeError> {
        let mut line = Arguments::after(program);
        line.value("--model-path", serve.model.name());
        if let ServedModel::Hub { revision, .. } = &serve.model {
            line.value("--revision", revision);
        }
        line.value("--served-model-name", &serve.alias)
            .value("--host", "{host}")
            .value("--port", "{port}")
            .value("--max-running-requests", serve.slots.max(1))
            .flag("--enable-metrics")
            // without it, `usage` does not report cached tokens
            .flag("--enable-cache-report")
            .maybe("--context-length", serve.context)
            .maybe("--tp-size", serve.tensor_parallel)
            .maybe("--pp-size", serve.pipeline_parallel);
        if serve.share.kind == DeviceType::Cpu {
            line.value("--device", "cpu");
        }
        if serve.embeddings {
            line.flag("--is-embedding");
        }
        let mut env = visible_devices(&serve.share);
        if matches!(serve.model, ServedModel::Path(_)) {
            env.insert("HF_HUB_OFFLINE".to_owned(), "1".to_owned());
        }
        Ok(Launch {
            argv: line.with(&serve.extra_args),
            env,
            model: Some(serve.alias.clone()),
            health: Some("/health_generate".to_owned()),
            // the other one generates a token each time
            liveness: Some("/health".to_owned()),
            version: Some(("/get_server_info".to_owned(), "version".to_owned())),
            metrics: Some("/metrics".to_owned()),
            tokenize: false,
            ignore_eos: true,
            startup_limit_s: 60 * 60,
        })
    }

    fn program_in_image(&self) -> &'static [&'static str] {
        &["python3", "-m", "sglang.launch_server"]
    }

    fn image(&self, device: DeviceType) -> Option<&'static str> {
        (device == DeviceType::Cuda).then_some("lmsysorg/sglang:v0.5.18")
    }

    fn own_flags(&self) -> &'static [&'static str] {
        &[
            "--model",
            "--model-path",
            "--served-model-name",
            "--host",
            "--port",
            "--context-length",
            "--max-running-requests",
            "--tp",
            "--tp-size",
            "--tensor-parallel-size",
            "--pp-size",
            "--pipeline-parallel-size",
            "--revision",
            "--api-key",
            "--enable-metrics",
            "--enable-cache-report",
            "--is-embedding",
        ]
    }

    fn member_flags(&self) -> &'static [&'static str] {
        &[
            "--dtype",
            "--quantization",
            "--kv-cache-dtype",
            "--mem-fraction-static",
            "--max-total-tokens",
            "--chunked-prefill-size",
            "--max-prefill-tokens",
            "--schedule-policy",
            "--schedule-conservativeness",
            "--page-size",
            "--random-seed",
            "--disable-radix-cache",
            "--disable-cuda-graph",
            "--cuda-graph-max-bs",
            "--attention-backend",
            "--sampling-backend",
            "--enable-torch-compile",
            "--dp-size",
            "--ep-size",
            "--disable-overlap-schedule",
            "--stream-interval",
            "--log-level",
            "--enable-mixed-chunk",
            "--num-continuous-decode-steps",
        ]
    }
}
