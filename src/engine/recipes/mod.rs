//! The recipes: one per engine, which says where its program is, how it is started for a model and a load, how its readiness is
//! detected, where its version and metrics are, and which arguments people may add.

mod custom;
mod find;
mod llama_cpp;
mod sglang;
mod tgi;
mod vllm;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use strum::VariantArray as _;

use self::find::ProgramVersions;
use super::devices::Share;
use super::overrides::EngineOverrides;
use crate::domain::engine::{EngineAvailability, EngineKind};
use crate::domain::inventory::DeviceType;

pub use llama_cpp::{WHEEL as LLAMA_CPP_WHEEL, venv as llama_cpp_venv};

/// Where recipes look for programs, and cached versions. Cheap to clone.
#[derive(Debug, Clone)]
pub struct ProgramSearch {
    /// The portal's data folder; engines installed by Dyno are below its `engines/`.
    data_dir: PathBuf,
    overrides: EngineOverrides,
    versions: Arc<ProgramVersions>,
}

impl ProgramSearch {
    pub fn new(data_dir: &Path, overrides: EngineOverrides) -> Self {
        Self { data_dir: data_dir.to_owned(), overrides, versions: Arc::default() }
    }

    /// The program that an administrator named for an engine, else the one with this name on the PATH.
    fn program(&self, kind: EngineKind, name: &str) -> Option<PathBuf> {
        match self.overrides.program(kind) {
            Some(named) => Some(named.to_owned()).filter(|path| find::is_executable(path)),
            None => find::on_path(name),
        }
    }

    /// The folder of an engine installed by Dyno.
    pub fn engine_dir(&self, kind: EngineKind) -> PathBuf {
        self.data_dir.join("engines").join(kind.into_str())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Program {
    /// The begin of the command line: the program, or an interpreter and a script.
    pub argv: Vec<String>,
    /// Its version, where it is known without starting the engine.
    pub version: Option<String>,
}

/// The model to serve, on the machine where the engine runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ServedModel {
    /// A file or folder.
    Path(PathBuf),
    /// A hub repository that the engine downloads itself.
    Hub {
        /// `organisation/name`.
        repository: String,
        /// Branch, tag or commit.
        revision: String,
    },
}

impl ServedModel {
    /// The path or the repository; engines accept either.
    pub fn name(&self) -> String {
        match self {
            Self::Path(path) => path.display().to_string(),
            Self::Hub { repository, .. } => repository.clone(),
        }
    }
}

/// Parameters for serving one copy of a model.
#[derive(Debug, Clone)]
pub struct Serve {
    pub model: ServedModel,
    /// The model name in requests: unique, so that another server on the port is not mistaken for this one.
    pub alias: String,
    /// Longest request in tokens, input and output; absent: the engine's default.
    pub context: Option<u32>,
    /// Requests that are processed at once.
    pub slots: u32,
    /// Concurrent connections of the load.
    pub connections: u32,
    /// Physical cores that the engine may use.
    pub threads: u32,
    /// The devices of this copy.
    pub share: Share,
    /// Devices that hold one copy together.
    pub tensor_parallel: Option<u32>,
    /// Stages that a copy is cut into.
    pub pipeline_parallel: Option<u32>,
    /// Arguments added to the recipe's own (for an own command: the whole command).
    pub extra_args: Vec<String>,
    /// Bytes for keys and values of the whole context, where known.
    pub cache_bytes: Option<u64>,
    /// Whether the embeddings endpoint is measured.
    pub embeddings: bool,
}

/// How an engine is started and monitored, on any machine. `{host}` and `{port}` in its arguments are filled in at the start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Launch {
    pub argv: Vec<String>,
    /// Variables added to the inherited environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// The model id that `/v1/models` must list and requests use; absent: the first one listed.
    pub model: Option<String>,
    /// Path that answers 200 once the engine is ready.
    pub health: Option<String>,
    /// Path that answers 200 without any work as long as the engine lives; absent: there is none.
    #[serde(default)]
    pub liveness: Option<String>,
    /// Path of a JSON answer with the version in it, and the field that holds it.
    pub version: Option<(String, String)>,
    /// Path of the engine's own metrics.
    pub metrics: Option<String>,
    /// Whether it has a tokenize call that Dyno supports.
    pub tokenize: bool,
    /// Whether it supports `ignore_eos`.
    pub ignore_eos: bool,
    /// Longest time from start to ready, seconds.
    pub startup_limit_s: u64,
}

/// A request that an engine does not support; a sentence for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RecipeError {
    #[error("llama.cpp serves a GGUF file, not a hub repository.")]
    NotAFile,
    #[error("Text Generation Inference has no pipeline parallelism.")]
    NoPipeline,
    #[error("Text Generation Inference serves no embeddings.")]
    NoEmbeddings,
    #[error("The own command is empty.")]
    EmptyCommand,
}

/// The recipe of an engine.
pub trait Recipe: Send + Sync {
    fn kind(&self) -> EngineKind;

    /// Finds the program; `None` where it is not installed.
    fn find(&self, search: &ProgramSearch) -> Option<Program>;

    /// How to install it, in words.
    fn how_to_get(&self, search: &ProgramSearch) -> String;

    /// What begins its command line in its image; nothing where the image's own entry point takes the arguments.
    fn program_in_image(&self) -> &'static [&'static str] {
        &[]
    }

    /// The image for a kind of device, with its tag; absent where there is none that is known to work.
    fn image(&self, _device: DeviceType) -> Option<&'static str> {
        None
    }

    /// Whether one copy spreads over several devices without being told.
    fn spreads_by_itself(&self) -> bool {
        false
    }

    /// Most requests that it processes at once; further ones wait in its queue.
    fn most_slots(&self) -> u32 {
        u32::MAX
    }

    /// Whether memory for the context of every slot is allocated at the start (else for at least one request).
    fn reserves_all_slots(&self) -> bool {
        false
    }

    /// The command line and monitoring of the engine.
    ///
    /// # Errors
    /// When the engine does not support what is requested.
    fn launch(&self, program: &Program, serve: &Serve) -> Result<Launch, RecipeError>;

    /// Options that the recipe sets itself.
    fn own_flags(&self) -> &'static [&'static str];

    /// Options that members may add; all others are for administrators.
    fn member_flags(&self) -> &'static [&'static str];
}

pub fn recipe(kind: EngineKind) -> &'static dyn Recipe {
    match kind {
        EngineKind::LlamaCpp => &llama_cpp::LlamaCpp,
        EngineKind::Vllm => &vllm::Vllm,
        EngineKind::Sglang => &sglang::Sglang,
        EngineKind::Tgi => &tgi::Tgi,
        EngineKind::Custom => &custom::Custom,
    }
}

/// The tag of an image; absent where it has none.
pub fn tag_of(image: &str) -> Option<&str> {
    let (name, tag) = image.split('@').next().unwrap_or_default().rsplit_once(':')?;
    // A colon before the last slash is a registry's port.
    (!name.is_empty() && !tag.contains('/')).then_some(tag)
}

/// Whether each engine is there, and how to get it. Looks at the disk and may start a program to ask for its version.
pub fn availability(search: &ProgramSearch) -> Vec<EngineAvailability> {
    EngineKind::VARIANTS
        .iter()
        .copied()
        .map(|kind| {
            let recipe = recipe(kind);
            let program = recipe.find(search);
            EngineAvailability {
                kind,
                title: kind.title().to_owned(),
                available: program.is_some(),
                version: program.as_ref().and_then(|program| program.version.clone()),
                program: program.map(|program| program.argv.join(" ")).filter(|line| !line.is_empty()),
                how_to_get: recipe.how_to_get(search),
            }
        })
        .collect()
}

/// A builder of command lines.
#[derive(Debug, Default)]
struct Arguments(Vec<String>);

impl Arguments {
    fn after(program: &Program) -> Self {
        Self(program.argv.clone())
    }

    fn flag(&mut self, name: &str) -> &mut Self {
        self.0.push(name.to_owned());
        self
    }

    fn value(&mut self, name: &str, value: impl ToString) -> &mut Self {
        self.0.push(name.to_owned());
        self.0.push(value.to_string());
        self
    }

    fn maybe(&mut self, name: &str, value: Option<impl ToString>) -> &mut Self {
        if let Some(value) = value {
            self.value(name, value);
        }
        self
    }

    fn with(mut self, extra: &[String]) -> Vec<String> {
        self.0.extend_from_slice(extra);
        self.0
    }
}

/// Variables that make only the copy's devices visible to an engine.
fn visible_devices(share: &Share) -> BTreeMap<String, String> {
    let by_identity =
        |index: usize| share.devices[index].device_info.uuid.clone().unwrap_or_else(|| share.indices[index].to_string());
    let list = (0..share.devices.len()).map(by_identity).collect::<Vec<_>>().join(",");
    let numbers = share.indices.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    let pairs: &[(&str, String)] = &match share.kind {
        DeviceType::Cuda => [("CUDA_VISIBLE_DEVICES", list)],
        DeviceType::Rocm => [("HIP_VISIBLE_DEVICES", numbers)],
        DeviceType::Hpu => [("HABANA_VISIBLE_DEVICES", numbers)],
        DeviceType::Cpu => [("CUDA_VISIBLE_DEVICES", String::new())],
    };
    pairs.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::devices::tests::device;

    fn serve(kind: DeviceType) -> Serve {
        Serve {
            model: ServedModel::Path("/models/m".into()),
            alias: "m-0a1b2c3d".to_owned(),
            context: Some(1_000),
            slots: 8,
            connections: 8,
            threads: 3,
            share: Share { kind, devices: vec![device(kind, "d", 1)], indices: vec![0] },
            tensor_parallel: Some(2),
            pipeline_parallel: None,
            extra_args: vec!["--seed".to_owned(), "1".to_owned()],
            cache_bytes: Some(3_000_000_000),
            embeddings: false,
        }
    }

    fn line(kind: EngineKind, device: DeviceType) -> (String, Launch) {
        let program = Program { argv: vec!["engine".to_owned()], version: None };
        let launch = recipe(kind).launch(&program, &serve(device)).unwrap();
        (launch.argv.join(" "), launch)
    }

    #[test]
    fn llama_cpp_gets_its_slots_threads_and_connections() {
        let (line, launch) = line(EngineKind::LlamaCpp, DeviceType::Cpu);
        for part in
            ["-m /models/m", "--alias m-0a1b2c3d", "-c 8192", "-np 8", "-t 3", "--threads-http 12", "--port {port}", "-ngl 0"]
        {
            assert!(line.contains(part), "{part} in {line}");
        }
        assert!(line.ends_with("--seed 1"));
        assert_eq!(launch.env["OMP_WAIT_POLICY"], "passive");
        assert_eq!(launch.env["GOMP_SPINCOUNT"], "0");
        assert_eq!(launch.model.as_deref(), Some("m-0a1b2c3d"));
    }

    #[test]
    fn vllm_gets_its_context_layout_and_devices() {
        let (line, launch) = line(EngineKind::Vllm, DeviceType::Cuda);
        for part in ["serve /models/m", "--served-model-name m-0a1b2c3d", "--max-model-len 1000", "--tensor-parallel-size 2"] {
            assert!(line.contains(part), "{part} in {line}");
        }
        assert_eq!(launch.env["CUDA_VISIBLE_DEVICES"], "0");
        let (_, on_cpu) = self::line(EngineKind::Vllm, DeviceType::Cpu);
        assert_eq!(on_cpu.env["VLLM_CPU_KVCACHE_SPACE"], "4");
    }

    #[test]
    fn an_own_command_has_its_places_filled_in() {
        let mut own = serve(DeviceType::Cpu);
        own.extra_args = ["server", "--listen={host}:{port}", "{model}"].map(str::to_owned).to_vec();
        let program = Program { argv: vec![], version: None };
        let launch = recipe(EngineKind::Custom).launch(&program, &own).unwrap();
        assert_eq!(launch.argv, ["server", "--listen={host}:{port}", "/models/m"]);
        assert_eq!(launch.model, None);
        own.extra_args.push("{alias}".to_owned());
        let named = recipe(EngineKind::Custom).launch(&program, &own).unwrap();
        assert_eq!(named.model.as_deref(), Some("m-0a1b2c3d"));
    }

    #[test]
    fn the_tag_of_an_image_is_its_version() {
        assert_eq!(tag_of("vllm/vllm-openai:v0.18.2"), Some("v0.18.2"));
        assert_eq!(tag_of("registry.example:5000/vllm:v1@sha256:0a"), Some("v1"));
        assert_eq!((tag_of("registry.example:5000/vllm"), tag_of("vllm")), (None, None));
        for &kind in EngineKind::VARIANTS {
            let images =
                [DeviceType::Cpu, DeviceType::Cuda, DeviceType::Rocm, DeviceType::Hpu].map(|device| recipe(kind).image(device));
            assert!(images.iter().flatten().all(|image| tag_of(image).is_some_and(|tag| tag != "latest")), "{kind:?}");
        }
    }

    #[test]
    fn own_flags_and_member_flags_do_not_overlap() {
        for &kind in EngineKind::VARIANTS {
            let recipe = recipe(kind);
            assert_eq!(recipe.kind(), kind);
            assert!(recipe.member_flags().iter().all(|flag| !recipe.own_flags().contains(flag)), "{kind:?}");
        }
    }
}
