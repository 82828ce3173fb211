//! Options for what the portal uses beside itself: engines and the model hub.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use strum::VariantArray as _;

use crate::credentials::Secret;
use crate::domain::engine::EngineKind;
use crate::engine::{EngineOverride, EngineOverrides};
use crate::models::HubSettings;

/// Programs and images of engines. A variable without a value counts as not set.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Engines")]
pub struct EngineOverrideArgs {
    /// llama.cpp's server [default: llama-server on the PATH, else the Python package that "Try it" installs]
    #[arg(long, env = "DYNO_LLAMA_SERVER", value_name = "PROGRAM")]
    llama_server: Option<OsString>,
    /// vLLM [default: vllm on the PATH]
    #[arg(long, env = "DYNO_VLLM", value_name = "PROGRAM")]
    vllm: Option<OsString>,
    /// The Python of the environment that SGLang is installed in [default: the one beside sglang on the PATH]
    #[arg(long, env = "DYNO_SGLANG_PYTHON", value_name = "PROGRAM")]
    sglang_python: Option<OsString>,
    /// Text Generation Inference [default: text-generation-launcher on the PATH]
    #[arg(long, env = "DYNO_TGI", value_name = "PROGRAM")]
    tgi: Option<OsString>,
    /// Image of llama.cpp on Kubernetes, where a benchmark names none [default: the project's own, as for the next three]
    #[arg(long, env = "DYNO_LLAMA_CPP_IMAGE", value_name = "IMAGE")]
    llama_cpp_image: Option<String>,
    /// Image of vLLM
    #[arg(long, env = "DYNO_VLLM_IMAGE", value_name = "IMAGE")]
    vllm_image: Option<String>,
    /// Image of SGLang
    #[arg(long, env = "DYNO_SGLANG_IMAGE", value_name = "IMAGE")]
    sglang_image: Option<String>,
    /// Image of Text Generation Inference
    #[arg(long, env = "DYNO_TGI_IMAGE", value_name = "IMAGE")]
    tgi_image: Option<String>,
    /// Image that own commands run in [default: none]
    #[arg(long, env = "DYNO_CUSTOM_IMAGE", value_name = "IMAGE")]
    custom_image: Option<String>,
}

impl EngineOverrideArgs {
    pub(super) fn overrides(self) -> EngineOverrides {
        let of = |kind: EngineKind| {
            let (program, image) = match kind {
                EngineKind::LlamaCpp => (&self.llama_server, &self.llama_cpp_image),
                EngineKind::Vllm => (&self.vllm, &self.vllm_image),
                EngineKind::Sglang => (&self.sglang_python, &self.sglang_image),
                EngineKind::Tgi => (&self.tgi, &self.tgi_image),
                EngineKind::Custom => (&None, &self.custom_image),
            };
            let program = program.clone().filter(|program| !program.is_empty()).map(PathBuf::from);
            (kind, EngineOverride { program, image: image.clone().filter(|image| !image.is_empty()) })
        };
        EngineKind::VARIANTS.iter().copied().map(of).collect()
    }
}

/// Where models are fetched from. A variable without a value counts as not set.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Model hub")]
pub struct HubArgs {
    /// Address of the hub [default: https://huggingface.co]
    #[arg(long, env = "HF_ENDPOINT", value_name = "URL")]
    hub_endpoint: Option<String>,
    /// Token for gated and private models. Better in the environment than on the command line
    #[arg(long, env = "HF_TOKEN", value_name = "TOKEN", hide_env_values = true)]
    hub_token: Option<Secret>,
}

impl HubArgs {
    pub fn settings(self) -> HubSettings {
        HubSettings {
            endpoint: self.hub_endpoint.filter(|endpoint| !endpoint.is_empty()),
            token: self.hub_token.filter(|token| !token.is_empty()),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn what_is_empty_is_not_set() {
        let args = EngineOverrideArgs { vllm: Some("/opt/vllm".into()), tgi: Some("".into()), ..EngineOverrideArgs::default() };
        let overrides = args.overrides();
        assert_eq!(overrides.program(EngineKind::Vllm), Some(Path::new("/opt/vllm")));
        assert_eq!(overrides.program(EngineKind::Tgi), None);
        let hub = HubArgs { hub_endpoint: Some(String::new()), hub_token: Some(Secret::new("")) }.settings();
        assert!(hub.endpoint.is_none() && hub.token.is_none());
    }
}
