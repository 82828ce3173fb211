//! What an administrator has named for engines: programs and container images.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use super::Recipe;
use crate::domain::engine::EngineKind;
use crate::domain::inventory::DeviceType;

/// Programs and images by engine. Cheap enough to clone at the start.
#[derive(Debug, Clone, Default)]
pub struct EngineOverrides(HashMap<EngineKind, EngineOverride>);

/// What is named for one engine; absent: the recipe looks for it.
#[derive(Debug, Clone, Default)]
pub struct EngineOverride {
    pub program: Option<PathBuf>,
    pub image: Option<String>,
}

impl FromIterator<(EngineKind, EngineOverride)> for EngineOverrides {
    fn from_iter<I: IntoIterator<Item = (EngineKind, EngineOverride)>>(overrides: I) -> Self {
        Self(overrides.into_iter().collect())
    }
}

impl EngineOverrides {
    /// The program that was named for an engine.
    pub fn program(&self, kind: EngineKind) -> Option<&Path> {
        self.0.get(&kind)?.program.as_deref()
    }

    /// The image of an engine for a kind of device: the one that was named, else the recipe's.
    pub fn image(&self, recipe: &dyn Recipe, device: DeviceType) -> Option<String> {
        let named = self.0.get(&recipe.kind()).and_then(|named| named.image.clone());
        named.or_else(|| recipe.image(device).map(str::to_owned))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::recipe;

    #[test]
    fn a_named_image_goes_before_the_recipes() {
        let vllm = recipe(EngineKind::Vllm);
        let of_recipe = vllm.image(DeviceType::Cuda).map(str::to_owned);
        assert!(of_recipe.is_some());
        assert_eq!(EngineOverrides::default().image(vllm, DeviceType::Cuda), of_recipe);
        let named = EngineOverride { image: Some("registry.example/vllm:1".to_owned()), program: None };
        let overrides: EngineOverrides = [(EngineKind::Vllm, named)].into_iter().collect();
        assert_eq!(overrides.image(vllm, DeviceType::Rocm).as_deref(), Some("registry.example/vllm:1"));
        assert_eq!(overrides.program(EngineKind::Vllm), None);
    }
}
