//! The environment of child processes: engines, their version calls, installations, the load. Only listed variables are passed
//! on, since the environment of a service may hold anything.

use std::ffi::OsString;

/// Variables by name: user, folders, locale, proxies, certificates.
const NAMES: [&str; 35] = [
    "PATH",
    "HOME",
    "USER",
    "LOGNAME",
    "SHELL",
    "LANG",
    "LANGUAGE",
    "TZ",
    "TERM",
    "NO_COLOR",
    "TMPDIR",
    "TEMP",
    "TMP",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "LIBRARY_PATH",
    "CPATH",
    "CC",
    "CXX",
    "VIRTUAL_ENV",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "ALL_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "all_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "REQUESTS_CA_BUNDLE",
    "CURL_CA_BUNDLE",
    "NIX_LD",
    "NIX_LD_LIBRARY_PATH",
    "DO_NOT_TRACK",
];

/// Prefixes of variables that configure drivers, libraries and engines.
const PREFIXES: [&str; 55] = [
    "LC_",
    "XDG_",
    "RUST_",
    "PYTHON",
    "CONDA",
    "MAMBA",
    "UV_",
    "PIP_",
    "CUDA",
    "CUDNN",
    "NVIDIA_",
    "NV_",
    "NCCL_",
    "GLOO_",
    "UCX_",
    "HIP_",
    "HSA_",
    "ROCM_",
    "ROCR_",
    "RCCL_",
    "AMD_",
    "GPU_",
    "MIOPEN_",
    "HABANA_",
    "TPU_",
    "ONEAPI_",
    "ZE_",
    "ZES_",
    "SYCL_",
    "VK_",
    "MESA_",
    "OMP_",
    "GOMP_",
    "KMP_",
    "MKL_",
    "OPENBLAS_",
    "MALLOC_",
    "TCMALLOC_",
    "JEMALLOC_",
    "TORCH",
    "PYTORCH_",
    "INDUCTOR_",
    "TRITON_",
    "FLASHINFER_",
    "XLA_",
    "RAY_",
    "HF_",
    "HUGGINGFACE_",
    "TRANSFORMERS_",
    "TOKENIZERS_",
    "SAFETENSORS_",
    "VLLM_",
    "SGLANG_",
    "GGML_",
    "LLAMA_",
];

/// Words that mark a variable as a secret, whatever its prefix.
const SECRET_WORDS: [&str; 6] = ["TOKEN", "KEY", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL"];

/// Whether child processes get the variable.
fn is_for_children(name: &str) -> bool {
    let named = NAMES.contains(&name) || PREFIXES.iter().any(|prefix| name.starts_with(prefix));
    // the tokenizers library has "token" in its prefix
    let words = name.trim_start_matches("TOKENIZERS_");
    named && !SECRET_WORDS.iter().any(|word| words.to_ascii_uppercase().contains(word))
}

/// The portal's variables that child processes do not get.
pub fn withheld() -> impl Iterator<Item = OsString> {
    std::env::vars_os().map(|(name, _)| name).filter(|name| !name.to_str().is_some_and(is_for_children))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_see_what_sets_them_up_and_no_secrets() {
        for name in [
            "DYNO_SECRET_KEY",
            "DYNO_ADMIN_TOKEN",
            "DYNO_LOAD_SECRET",
            "DATABASE_URL",
            "LEPTOS_SITE_ADDR",
            "HF_TOKEN",
            "HUGGING_FACE_HUB_TOKEN",
            "VLLM_API_KEY",
            "AWS_SECRET_ACCESS_KEY",
            "OPENAI_API_KEY",
            "KUBECONFIG",
            "GITHUB_TOKEN",
            "PGPASSWORD",
        ] {
            assert!(!is_for_children(name), "{name}");
        }
        for name in [
            "PATH",
            "HOME",
            "HF_HOME",
            "LD_LIBRARY_PATH",
            "CUDA_HOME",
            "CUDA_VISIBLE_DEVICES",
            "TOKENIZERS_PARALLELISM",
            "LC_ALL",
            "https_proxy",
        ] {
            assert!(is_for_children(name), "{name}");
        }
    }
}
