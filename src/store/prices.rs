//! Prices of devices. They are everybody's to read; who may change them is decided by the caller.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};
use uuid::Uuid;

use super::row::{Columns as _, ms};
use super::{Store, StoreError};
use crate::domain::price::DevicePrice;

impl Store {
    /// All prices, by device.
    pub async fn device_prices(&self) -> Result<Vec<DevicePrice>, StoreError> {
        Ok(sqlx::query_as("SELECT * FROM device_prices ORDER BY device").fetch_all(&self.read).await?)
    }

    /// Sets the price of a device in place of an earlier one. All prices are in one currency: another is refused while other devices
    /// have a price.
    pub async fn put_device_price(
        &self,
        device: &str,
        per_hour: f64,
        currency: &str,
        now: Timestamp,
    ) -> Result<DevicePrice, StoreError> {
        let mut tx = self.begin().await?;
        let other: Option<String> =
            sqlx::query_scalar("SELECT currency FROM device_prices WHERE device <> ? AND currency <> ? LIMIT 1")
                .bind(device)
                .bind(currency)
                .fetch_optional(&mut *tx)
                .await?;
        if let Some(other) = other {
            let message = format!("The other prices are in {other}: remove them first to use another currency.");
            return Err(StoreError::Invalid { field: "currency", message });
        }
        let price = sqlx::query_as(
            "INSERT INTO device_prices (id, device, per_hour, currency, set_at) VALUES (?, ?, ?, ?, ?)
             ON CONFLICT (device) DO UPDATE SET per_hour = excluded.per_hour, currency = excluded.currency, set_at = excluded.set_at
             RETURNING *",
        )
        .bind(Uuid::now_v7().to_string())
        .bind(device)
        .bind(per_hour)
        .bind(currency)
        .bind(ms(now))
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(price)
    }

    pub async fn delete_device_price(&self, id: Uuid) -> Result<(), StoreError> {
        let done = sqlx::query("DELETE FROM device_prices WHERE id = ?").bind(id.to_string()).execute(&self.write).await?;
        if done.rows_affected() == 0 { Err(StoreError::NotFound("price")) } else { Ok(()) }
    }
}

impl FromRow<'_, SqliteRow> for DevicePrice {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            device: row.try_get("device")?,
            per_hour: row.try_get("per_hour")?,
            currency: row.try_get("currency")?,
            set_at: row.time("set_at")?,
        })
    }
}
