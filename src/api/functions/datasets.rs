//! Datasets, as their pages show them; uploading and removing them.

use leptos::prelude::*;
use serde::{Deserialize, Serialize};
use server_fn::codec::{MultipartData, MultipartFormData};

use super::CallError;
use super::lists::Owned;
use crate::domain::dataset::Dataset;
use crate::domain::form::Flash;
use crate::domain::list::{ListQuery, Page};
use dyno_measure::dataset::{DatasetRow, TraceRow};

use super::{forms, idempotency, lists};
use crate::domain::problem::{FieldError, Problem, ProblemKind};

/// Rows that a dataset's page shows.
const FIRST_ROWS: usize = 5;
/// Characters of a text that are shown; a row may have millions.
const SHOWN_CHARS: usize = 1500;

/// The list of datasets.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetsView {
    pub datasets: Page<Owned<Dataset>>,
    /// How the last action went.
    pub flash: Option<Flash>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DatasetView {
    pub dataset: Owned<Dataset>,
    /// Its first rows, long texts cut.
    pub rows: Vec<DatasetRow>,
    /// Its first arrivals, where it is a trace.
    pub arrivals: Vec<TraceRow>,
    /// Why the rows can't be shown.
    pub problem: Option<String>,
    /// How the last action went.
    pub flash: Option<Flash>,
}

/// The list of datasets.
#[server(endpoint = "ui/datasets", input = server_fn::codec::Json)]
pub async fn load_datasets(query: ListQuery, flash: String) -> Result<DatasetsView, CallError> {
    let (app, actor) = crate::auth::context()?;
    let owners = lists::Owners::seen_by(&app, &actor).await?;
    let page = crate::api::calls::datasets::list(&app, &actor, &query).await?;
    let items = page.items.into_iter().map(|dataset| owned(&owners, dataset)).collect();
    Ok(DatasetsView { datasets: Page { items, total: page.total }, flash: forms::kept(&flash).await })
}

/// One dataset with its first rows.
#[server(endpoint = "ui/dataset")]
pub async fn load_dataset(#[server(default)] id: String, #[server(default)] flash: String) -> Result<DatasetView, CallError> {
    use crate::api::calls::datasets;
    let (app, actor) = crate::auth::context()?;
    let id = lists::id_of(&id, "dataset")?;
    let dataset = datasets::get(&app, &actor, id).await?;
    let (mut rows, arrivals, problem) = match datasets::first_rows(&app, &actor, id, FIRST_ROWS).await {
        Ok((rows, arrivals)) => (rows, arrivals, None),
        Err(problem) => (Vec::new(), Vec::new(), Some(problem.detail)),
    };
    for row in &mut rows {
        row.messages.iter_mut().for_each(|message| cut(&mut message.content));
        row.reference.iter_mut().for_each(cut);
    }
    let dataset = owned(&lists::Owners::seen_by(&app, &actor).await?, dataset);
    Ok(DatasetView { dataset, rows, arrivals, problem, flash: forms::kept(&flash).await })
}

/// Takes an uploaded file: the form's fields are `name` and `file`.
#[server(endpoint = "ui/dataset-upload", input = MultipartFormData)]
pub async fn upload_dataset(data: MultipartData) -> Result<(), CallError> {
    let mut name = String::new();
    let added = receive(data, &mut name).await;
    lists::done(added, "/datasets/new", forms::entries(&[("name", &name)])).await
}

/// Removes a dataset, or archives it where benchmarks were made of it.
#[server(endpoint = "ui/dataset-delete")]
pub async fn delete_dataset(#[server(default)] id: String) -> Result<(), CallError> {
    use crate::api::calls::datasets;
    let deleted = async {
        let (app, actor) = crate::auth::context()?;
        let id = lists::id_of(&id, "dataset")?;
        let name = datasets::get(&app, &actor, id).await?.name;
        datasets::delete(&app, &actor, id).await?;
        let sentence = if datasets::get(&app, &actor, id).await.is_ok() {
            format!("{name} left the list. It is kept for the runs that used it.")
        } else {
            format!("{name} was deleted.")
        };
        Ok::<_, Problem>(("/datasets".to_owned(), sentence))
    };
    lists::done(deleted.await, "/datasets", Vec::new()).await
}

fn owned(owners: &lists::Owners, dataset: Dataset) -> Owned<Dataset> {
    let (owner, builtin) = (dataset.owner, dataset.builtin);
    let owned = owners.of(dataset, owner);
    Owned { removable: owned.removable && !builtin, ..owned }
}

fn cut(text: &mut String) {
    if let Some((end, _)) = text.char_indices().nth(SHOWN_CHARS) {
        text.truncate(end);
        text.push_str(" … (cut)");
    }
}

async fn receive(data: MultipartData, name: &mut String) -> Result<(String, String), Problem> {
    use crate::api::calls::datasets;
    let (app, actor) = crate::auth::context()?;
    let mut form = data.into_inner().ok_or_else(broken)?;
    let (mut upload, mut refused, mut number) = (None, None, String::new());
    // Read to the end even when it is refused: a browser shows no answer before it has sent all.
    loop {
        let field = match form.next_field().await {
            Ok(Some(field)) => field,
            Ok(None) => break,
            Err(_) => return Err(refused.unwrap_or_else(broken)),
        };
        match field.name() {
            Some("form") => match datasets::receive_text("form", field).await {
                Ok(text) => number = text,
                Err(problem) => refused = Some(problem),
            },
            Some("name") => match datasets::receive_text("name", field).await {
                Ok(text) => *name = text,
                Err(problem) => refused = Some(problem),
            },
            Some("file") => {
                let file_name = field.file_name().unwrap_or_default().to_owned();
                match datasets::receive(&app, &actor, &file_name, field).await {
                    // A browser sends an empty file without a name where none was chosen.
                    Ok(received) => upload = Some(received).filter(|_| !file_name.is_empty()),
                    Err(problem) => refused = Some(problem),
                }
            }
            _ => {}
        }
    }
    if let Some(refused) = refused {
        return Err(refused);
    }
    let missing = [("name", name.trim().is_empty(), "Enter a name."), ("file", upload.is_none(), "Choose a file.")];
    let missing = missing.into_iter().filter(|(_, is_missing, _)| *is_missing);
    let errors: Vec<FieldError> = missing.map(|(field, _, message)| FieldError::new(field, message)).collect();
    let Some(upload) = upload.filter(|_| errors.is_empty()) else { return Err(Problem::invalid(errors)) };
    let file: String = upload.sha256.iter().map(|byte| format!("{byte:02x}")).collect();
    let fields = [name.as_str(), &upload.file_name, &file];
    let key = idempotency::FormKey::new(actor.id, &number, "dataset-upload", &fields, idempotency::FIELDS_KEPT);
    let (state, name) = (app.clone(), name.clone());
    idempotency::once(&state, key, async move {
        let dataset = datasets::create(&app, &actor, &name, upload).await?;
        Ok((format!("/datasets/{}", dataset.id), "The dataset was added.".to_owned()))
    })
    .await
}

fn broken() -> Problem {
    Problem::new(ProblemKind::BadRequest, "The upload ended before it was complete. Send the file again.")
}
