//! Hugging Face's Text Generation Inference: `text-generation-launcher` on the PATH, or named by `DYNO_TGI`.

use super::{Arguments, Launch, Program, ProgramSearch, Recipe, RecipeError, Serve, ServedModel, visible_devices};
use crate::domain::engine::EngineKind;
use crate::domain::inventory::DeviceType;

pub(super) struct Tgi;

impl Recipe for Tgi {
    fn kind(&self) -> EngineKind {
        EngineKind::Tgi
    }

    fn find(&self, search: &ProgramSearch) -> Option<Program> {
        let program = std::path::absolute(search.program(self.kind(), "text-generation-launcher")?).ok()?;
        Some(Program { version: search.versions.of(&program), argv: vec![program.display().to_string()] })
    }

    fn how_to_get(&self, _search: &ProgramSearch) -> String {
        "Install Text Generation Inference so that text-generation-launcher is on the PATH, or set DYNO_TGI to it.".to_owned()
    }

    fn launch(&self, program: &Program, serve: &Serve) -> Result<Launch, RecipeError> {
        if serve.pipeline_parallel.is_some_and(|stages| stages > 1) {
            return Err(RecipeError::NoPipeline);
        }
        if serve.embeddings {
            return Err(RecipeError::NoEmbeddings);
        }
        let name = serve.model.name();
        let mut line = Arguments::after(program);
        line.value("--model-id", &name);
        if let ServedModel::Hub { revision, .. } = &serve.model {
            line.value("--revision", revision);
        }
        line.value("--hostname", "{host}")
            .value("--port", "{port}")
            .value("--max-concurrent-requests", serve.connections.saturating_add(4).max(128))
            .value("--usage-stats", "off");
        if let Some(context) = serve.context {
            line.value("--max-total-tokens", context).value("--max-input-tokens", context.saturating_sub(1).max(1));
        }
        line.maybe("--num-shard", serve.tensor_parallel);
        let mut env = visible_devices(&serve.share);
        if matches!(serve.model, ServedModel::Path(_)) {
            env.insert("HF_HUB_OFFLINE".to_owned(), "1".to_owned());
        }
        Ok(Launch {
            argv: line.with(&serve.extra_args),
            env,
            // TGI has no option for the model's name: it lists the model that it was started with
            model: Some(name),
            health: Some("/health".to_owned()),
            liveness: Some("/health".to_owned()),
            version: Some(("/info".to_owned(), "version".to_owned())),
            metrics: Some("/metrics".to_owned()),
            tokenize: false,
            ignore_eos: false,
            startup_limit_s: 60 * 60,
        })
    }

    fn image(&self, device: DeviceType) -> Option<&'static str> {
        (device == DeviceType::Cuda).then_some("ghcr.io/huggingface/text-generation-inference:3.3.7")
    }

    fn own_flags(&self) -> &'static [&'static str] {
        &[
            "--model-id",
            "--revision",
            "--hostname",
            "--port",
            "-p",
            "--max-concurrent-requests",
            "--max-total-tokens",
            "--max-input-tokens",
            "--max-input-length",
            "--num-shard",
            "--api-key",
            "--usage-stats",
            "--env",
            "-e",
        ]
    }

    fn member_flags(&self) -> &'static [&'static str] {
        &[
            "--dtype",
            "--kv-cache-dtype",
            "--quantize",
            "--sharded",
            "--max-batch-prefill-tokens",
            "--max-batch-total-tokens",
            "--max-waiting-tokens",
            "--max-batch-size",
            "--waiting-served-ratio",
            "--cuda-graphs",
            "--cuda-memory-fraction",
            "--disable-custom-kernels",
            "--validation-workers",
            "--speculate",
            "--rope-scaling",
            "--rope-factor",
        ]
    }
}
