//! Request records that are taken over while the load goes on, so that a load pod which is lost does not take all of them with it.

use dyno_pod::client::{LoadPodClient, PodClientError};
use dyno_pod::protocol::LoadState;
use jiff::Timestamp;

use super::reconcile::Reconciliation;
use super::transport::PodProxy;
use crate::run::executor::RecordPortion;

impl Reconciliation<'_> {
    /// Takes the next portion over, when it is time. One that can't be read is read later, or when the load has ended.
    pub(super) async fn take_records(&mut self, client: &LoadPodClient<PodProxy>, state: LoadState) {
        let now = Timestamp::now();
        if state != LoadState::Running || !self.progress.records.is_due(now) {
            return;
        }
        self.progress.records.asked = Some(now);
        if let Err(error) = self.take_portion(client).await {
            tracing::debug!(run.id = %self.run.id, %error, "request records are not taken over yet");
        }
    }

    /// Takes the next portion over, which may be empty.
    pub(super) async fn take_portion(&mut self, client: &LoadPodClient<PodProxy>) -> Result<(), PodClientError> {
        let (records, lines) = client.records(&self.progress.records.place).await?;
        let portion = RecordPortion { records, is_anew: lines.is_anew };
        if !portion.records.is_empty() {
            self.progress.records.add(&portion, lines.place);
            self.records = portion;
        }
        if let Some(sidecar) = client.sidecar().await? {
            self.progress.records.sidecar = sidecar;
        }
        Ok(())
    }
}
