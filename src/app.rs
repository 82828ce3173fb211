//! The document around every page, and which page is at which address.

use std::path::Path;

use axum::http::request::Parts;
use leptos::prelude::*;
use leptos_meta::{MetaTags, Title, provide_meta_context};
use leptos_router::components::{Route, Router, Routes};
use leptos_router::{SsrMode, path};

use crate::api::functions::account::current_visit;
use crate::api::functions::forms::chosen_theme;
use crate::components::escape::raw_text;
use crate::components::heading::JumpLink;
use crate::components::site::SiteHeader;
use crate::islands::Alive;
use crate::pages::accept_link::AcceptLinkPage;
use crate::pages::clusters::{ClusterFormPage, ClusterPage, ClustersPage};
use crate::pages::credentials::{CredentialsPage, NewCredentialPage};
use crate::pages::datasets::{DatasetPage, DatasetsPage, NewDatasetPage};
use crate::pages::drafts::DraftsPage;
use crate::pages::history::HistoryPage;
use crate::pages::live::LivePage;
use crate::pages::models::{ModelPage, ModelsPage, NewModelPage};
use crate::pages::not_found::NotFound;
use crate::pages::predictions::PredictionsPage;
use crate::pages::report::ReportPage;
use crate::pages::settings::SettingsPage;
use crate::pages::sign_in::SignInPage;
use crate::pages::try_it::TryItPage;
use crate::pages::wizard::{NewBenchmark, WizardPage};
use crate::state::config::browser_program;

/// The main navigation. Every page here needs a sign-in.
const LINKS: &[(&str, &str)] = &[
    ("/", "Runs"),
    ("/benchmarks/new", "New benchmark"),
    ("/drafts", "Drafts"),
    ("/clusters", "Clusters"),
    ("/models", "Models"),
    ("/datasets", "Datasets"),
    ("/credentials", "Credentials"),
    ("/settings", "Settings"),
];

/// The document around every page.
#[derive(Debug, Clone)]
pub struct Document {
    options: LeptosOptions,
    /// The same with the program that checks the wizard's forms; other pages do without its weight.
    wizard: LeptosOptions,
    style_sheet: String,
}

impl Document {
    /// A document with a style sheet at an address.
    pub fn new(options: LeptosOptions, style_sheet: String) -> Self {
        let mut wizard = options.clone();
        let folder = Path::new(&*options.site_root).join(&*options.site_pkg_dir);
        if let Some(program) = browser_program(&folder, "wizard") {
            wizard.output_name = program.into();
        }
        Self { options, wizard, style_sheet }
    }

    /// The document of the page that is asked for.
    pub fn shell(self) -> impl IntoView {
        let is_wizard = use_context::<Parts>().is_some_and(|parts| {
            let path = parts.uri.path();
            path.starts_with("/wizard/") || path == "/benchmarks/new"
        });
        let options = if is_wizard { self.wizard } else { self.options };
        let theme = chosen_theme();
        view! {
            <!DOCTYPE html>
            <html lang="en" data-theme=theme>
                <head>
                    <meta charset="utf-8" />
                    <meta name="viewport" content="width=device-width, initial-scale=1" />
                    <meta name="color-scheme" content="light dark" />
                    <link rel="icon" type="image/svg+xml" href="/favicon.svg" />
                    <link rel="stylesheet" href=self.style_sheet />
                    <AutoReload options=options.clone() />
                    <HydrationScripts options=options islands=true />
                    <MetaTags />
                </head>
                <body>
                    <App />
                    <Alive />
                </body>
            </html>
        }
    }
}

/// The whole site.
///
/// Pages are drawn with all of their data before anything is sent (`SsrMode::Async`): they are complete without scripts,
/// and a missing object can still answer 404.
#[component]
pub fn App() -> impl IntoView {
    provide_meta_context();
    let visit = Resource::new(|| (), |()| current_visit());
    view! {
        // Of every page's title, since it is written as it is.
        <Title text="Dyno" formatter=|text: String| raw_text(&text) />
        <Router>
            <JumpLink class="skip" to="main" text="Skip to content" />
            <Suspense>
                {move || Suspend::new(async move {
                    view! { <SiteHeader visit=visit.await.unwrap_or_default() links=LINKS /> }
                })}
            </Suspense>
            <main id="main" tabindex="-1">
                <Routes fallback=NotFound>
                    <Route path=path!("/") view=HistoryPage ssr=SsrMode::Async />
                    <Route path=path!("/runs/:id") view=LivePage ssr=SsrMode::Async />
                    <Route path=path!("/runs/:id/report") view=ReportPage ssr=SsrMode::Async />
                    <Route path=path!("/sign-in") view=SignInPage ssr=SsrMode::Async />
                    <Route path=path!("/link/:token") view=AcceptLinkPage ssr=SsrMode::Async />
                    <Route path=path!("/benchmarks/new") view=NewBenchmark ssr=SsrMode::Async />
                    <Route path=path!("/wizard/:id") view=WizardPage ssr=SsrMode::Async />
                    <Route path=path!("/wizard/:id/:step") view=WizardPage ssr=SsrMode::Async />
                    <Route path=path!("/drafts") view=DraftsPage ssr=SsrMode::Async />
                    <Route path=path!("/clusters") view=ClustersPage ssr=SsrMode::Async />
                    <Route path=path!("/clusters/new") view=ClusterFormPage ssr=SsrMode::Async />
                    <Route path=path!("/clusters/:id/edit") view=ClusterFormPage ssr=SsrMode::Async />
                    // `predictions` stands before `:id`: the first that matches is taken.
                    <Route path=path!("/clusters/predictions") view=PredictionsPage ssr=SsrMode::Async />
                    <Route path=path!("/clusters/:id") view=ClusterPage ssr=SsrMode::Async />
                    // So does `new`.
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
                </Routes>
            </main>
            <footer class="site-footer">
                <p>"Dyno measures LLM inference on your own cluster."</p>
            </footer>
        </Router>
    }
}
