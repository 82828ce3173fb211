//! The routes of everything that a benchmark is made of, and of drafts and settings.

use leptos::prelude::*;
use leptos_router::components::Route;
use leptos_router::{MatchNestedRoutes, SsrMode, path};

use super::clusters::{ClusterPage, ClustersPage};
use super::credentials::{CredentialsPage, NewCredentialPage};
use super::datasets::{DatasetPage, DatasetsPage, NewDatasetPage};
use super::drafts::DraftsPage;
use super::models::{ModelPage, ModelsPage, NewModelPage};
use super::settings::SettingsPage;
use super::try_it::TryItPage;

/// To be placed among the site's routes. `new` stands before `:id`, since the first that matches is taken.
#[component(transparent)]
pub fn InventoryRoutes() -> impl MatchNestedRoutes + Clone {
    view! {
        <Route path=path!("/drafts") view=DraftsPage ssr=SsrMode::Async />
        <Route path=path!("/clusters") view=ClustersPage ssr=SsrMode::Async />
        <Route path=path!("/clusters/:id") view=ClusterPage ssr=SsrMode::Async />
        <Route path=path!("/models") view=ModelsPage ssr=SsrMode::Async />
        <Route path=path!("/models/new") view=NewModelPage ssr=SsrMode::Async />
        <Route path=path!("/models/:id") view=ModelPage ssr=SsrMode::Async />
        <Route path=path!("/datasets") view=DatasetsPage ssr=SsrMode::Async />
        <Route path=path!("/datasets/new") view=NewDatasetPage ssr=SsrMode::Async />
        <Route path=path!("/datasets/:id") view=DatasetPage ssr=SsrMode::Async />
        <Route path=path!("/credentials") view=CredentialsPage ssr=SsrMode::Async />
        <Route path=path!("/credentials/new") view=NewCredentialPage ssr=SsrMode::Async />
        <Route path=path!("/settings") view=SettingsPage ssr=SsrMode::Async />
        <Route path=path!("/try") view=TryItPage ssr=SsrMode::Async />
    }
    .into_inner()
}
