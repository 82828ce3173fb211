//! Clusters, the way to each, and the nodes that were seen there last.

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::types::Json;
use sqlx::{FromRow, Row as _};
use uuid::Uuid;

use super::inventory::{InventoryTable, may_remove};
use super::row::{Columns as _, ms, shared_or_visible_to};
use super::{Store, StoreError};
use crate::domain::inventory::{Cluster, ClusterAccess, ClusterKind, Node};
use crate::domain::kubernetes::KubernetesAccess;
use crate::domain::text::folded;
use crate::domain::user::Actor;

const CLUSTER: InventoryTable =
    InventoryTable { table: "clusters", word: "cluster", archive: "archived = 1, sealed = NULL, key_id = NULL" };

impl FromRow<'_, SqliteRow> for Cluster {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            name: row.try_get("name")?,
            access: match row.word("kind")? {
                ClusterKind::Local => ClusterAccess::Local,
                ClusterKind::Kubernetes => ClusterAccess::Kubernetes(row.json("data")?),
                ClusterKind::Catalogue => ClusterAccess::Catalogue,
            },
            owner: row.opt_id("owner")?,
            created_at: row.time("created_at")?,
        })
    }
}

/// Whether runs that are not over are of a cluster.
async fn has_open_runs(db: &mut SqliteConnection, cluster: Uuid) -> Result<bool, StoreError> {
    let query = "SELECT EXISTS (SELECT 1 FROM runs r JOIN benchmark_uses u ON u.benchmark_id = r.benchmark_id
         WHERE u.object_id = ? AND r.status IN ('queued', 'running', 'cancelling'))";
    Ok(sqlx::query_scalar(query).bind(cluster.to_string()).fetch_one(db).await?)
}

impl Store {
    /// The cluster of the portal's own machine, created on the first call.
    pub async fn local_cluster(&self, now: Timestamp) -> Result<Cluster, StoreError> {
        self.built_in_cluster("local", ClusterAccess::Local, now).await
    }

    /// The cluster of hypothetical nodes, created on the first call.
    pub async fn catalogue_cluster(&self, now: Timestamp) -> Result<Cluster, StoreError> {
        self.built_in_cluster("catalogue", ClusterAccess::Catalogue, now).await
    }

    /// A built-in cluster, created once; its name is its kind.
    async fn built_in_cluster(&self, kind: &str, access: ClusterAccess, now: Timestamp) -> Result<Cluster, StoreError> {
        let mut tx = self.begin().await?;
        let found = sqlx::query_as("SELECT * FROM clusters WHERE kind = ?").bind(kind).fetch_optional(&mut *tx).await?;
        if let Some(cluster) = found {
            return Ok(cluster);
        }
        let made = Cluster { id: Uuid::now_v7(), name: kind.to_owned(), access, owner: None, created_at: now };
        sqlx::query("INSERT INTO clusters (id, name, kind, created_at) VALUES (?, ?, ?, ?)")
            .bind(made.id.to_string())
            .bind(&made.name)
            .bind(kind)
            .bind(ms(now))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(made)
    }

    /// Stores the nodes that were just read from a cluster, for times when it can't be reached. Writes nothing if they are
    /// unchanged.
    pub async fn keep_last_seen(&self, cluster: Uuid, nodes: &[Node], now: Timestamp) -> Result<(), StoreError> {
        // usage and requests change all the time and are left out
        let nodes: Vec<Node> = nodes.iter().map(|node| Node { usage: None, requests: None, ..node.clone() }).collect();
        sqlx::query(
            "INSERT INTO last_seen_nodes (cluster_id, nodes, seen_at) SELECT ?1, ?2, ?3 WHERE EXISTS
                 (SELECT 1 FROM clusters WHERE id = ?1)
             ON CONFLICT (cluster_id) DO UPDATE SET nodes = excluded.nodes, seen_at = excluded.seen_at WHERE nodes <> excluded.nodes",
        )
        .bind(cluster.to_string())
        .bind(Json(&nodes))
        .bind(ms(now))
        .execute(&self.write)
        .await?;
        Ok(())
    }

    /// The last known nodes of a cluster; empty if it was never read.
    pub async fn last_seen(&self, cluster: Uuid) -> Result<Vec<Node>, StoreError> {
        let nodes: Option<Json<_>> = sqlx::query_scalar("SELECT nodes FROM last_seen_nodes WHERE cluster_id = ?")
            .bind(cluster.to_string())
            .fetch_optional(&self.read)
            .await?;
        Ok(nodes.map(Json::into_inner).unwrap_or_default())
    }

    /// The clusters that the actor may use: the local one first, the catalogue last.
    pub async fn clusters(&self, actor: &Actor) -> Result<Vec<Cluster>, StoreError> {
        let mut clusters: Vec<Cluster> = self.listed(CLUSTER, actor).await?;
        clusters.sort_by_key(|cluster| cluster.kind().sort_key());
        Ok(clusters)
    }

    /// A cluster, archived or not.
    pub async fn cluster(&self, actor: &Actor, id: Uuid) -> Result<Cluster, StoreError> {
        let found: Cluster = self.found(CLUSTER, id).await?;
        shared_or_visible_to(actor, found.owner, CLUSTER.word, found)
    }

    /// A cluster, without access check; for the supervisor.
    pub async fn cluster_of_portal(&self, id: Uuid) -> Result<Cluster, StoreError> {
        self.found(CLUSTER, id).await
    }

    /// Keeps a new cluster, or one whose way there has changed; the kubeconfig comes sealed, with the id of its key. What was
    /// archived stays so.
    pub async fn save_cluster(&self, cluster: &Cluster, sealed: Option<(&str, &[u8])>) -> Result<(), StoreError> {
        let ClusterAccess::Kubernetes(access) = &cluster.access else {
            return Err(StoreError::Conflict("Only Kubernetes clusters can be changed.".to_owned()));
        };
        let mut tx = self.begin().await?;
        let others: Vec<String> = sqlx::query_scalar("SELECT name FROM clusters WHERE id <> ? AND archived = 0")
            .bind(cluster.id.to_string())
            .fetch_all(&mut *tx)
            .await?;
        if others.iter().any(|other| folded(other) == folded(&cluster.name)) {
            return Err(StoreError::Conflict(format!("There is a cluster {} already.", cluster.name)));
        }
        let before: Option<Json<KubernetesAccess>> = sqlx::query_scalar("SELECT data FROM clusters WHERE id = ?")
            .bind(cluster.id.to_string())
            .fetch_optional(&mut *tx)
            .await?;
        let is_elsewhere =
            |before: Json<KubernetesAccess>| (&before.server, &before.namespace) != (&access.server, &access.namespace);
        // What they have there would be found no more, neither to go on with nor to remove.
        if before.is_some_and(is_elsewhere) && has_open_runs(&mut tx, cluster.id).await? {
            return Err(StoreError::Conflict(
                "Runs wait for this cluster or are at work on it: its server and namespace can't be changed meanwhile. Cancel them first."
                    .to_owned(),
            ));
        }
        sqlx::query(
            "INSERT INTO clusters (id, owner, name, kind, data, created_at, key_id, sealed) VALUES (?, ?, ?, 'kubernetes', ?, ?, ?, ?)
             ON CONFLICT (id) DO UPDATE SET name = excluded.name, data = excluded.data, key_id = excluded.key_id,
             sealed = excluded.sealed",
        )
        .bind(cluster.id.to_string())
        .bind(cluster.owner.map(|owner| owner.to_string()))
        .bind(&cluster.name)
        .bind(Json(access))
        .bind(ms(cluster.created_at))
        .bind(sealed.map(|(key, _)| key))
        .bind(sealed.map(|(_, bytes)| bytes))
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(())
    }

    /// For the portal's own work: a cluster's kubeconfig, sealed, with the id of its key; none where it has none.
    pub async fn sealed_kubeconfig(&self, id: Uuid) -> Result<Option<(String, Vec<u8>)>, StoreError> {
        let query = "SELECT archived, key_id, sealed FROM clusters WHERE id = ?";
        let found: Option<(bool, Option<String>, Option<Vec<u8>>)> =
            sqlx::query_as(query).bind(id.to_string()).fetch_optional(&self.read).await?;
        // Its kubeconfig is gone: without this it would pass for the cluster that the portal runs in.
        let (_, key, sealed) = found.filter(|(archived, ..)| !archived).ok_or(StoreError::NotFound(CLUSTER.word))?;
        Ok(key.zip(sealed))
    }

    /// For the supervisor: all clusters, whoever may use them.
    pub async fn clusters_of_portal(&self) -> Result<Vec<Cluster>, StoreError> {
        Ok(sqlx::query_as("SELECT * FROM clusters WHERE archived = 0").fetch_all(&self.read).await?)
    }

    /// Removes a cluster; `local` and `catalogue` stay.
    pub async fn remove_cluster(&self, actor: &Actor, id: Uuid) -> Result<(), StoreError> {
        let found = self.cluster(actor, id).await?;
        may_remove(actor, found.owner)?;
        match found.kind() {
            ClusterKind::Local => return Err(StoreError::Conflict("The portal's own machine can't be removed.".to_owned())),
            ClusterKind::Catalogue => return Err(StoreError::Conflict("The catalogue of devices can't be removed.".to_owned())),
            ClusterKind::Kubernetes => {}
        }
        // Their clean-up needs the connection, which goes with the kubeconfig.
        if has_open_runs(&mut *self.read.acquire().await?, id).await? {
            return Err(StoreError::Conflict("Runs wait for this cluster or are at work on it. Cancel them first.".to_owned()));
        }
        self.remove(CLUSTER, actor, id, found.owner).await.map(drop)
    }
}
