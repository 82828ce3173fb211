//! Specifications of devices. They are everybody's to read; who may change them is decided by the caller.

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{FromRow, Row as _};
use uuid::Uuid;

use super::row::{Columns as _, ms};
use super::{Store, StoreError};
use crate::domain::device_specification::{DeviceFigures, DeviceSpecification};

impl Store {
    /// All specifications, by device.
    pub async fn device_specifications(&self) -> Result<Vec<DeviceSpecification>, StoreError> {
        Ok(sqlx::query_as("SELECT * FROM device_specifications ORDER BY device").fetch_all(&self.read).await?)
    }

    /// Sets the specification of a device in place of an earlier one.
    pub async fn put_device_specification(
        &self,
        device: &str,
        figures: &DeviceFigures,
        now: Timestamp,
    ) -> Result<DeviceSpecification, StoreError> {
        let specification = sqlx::query_as(
            "INSERT INTO device_specifications
                 (id, device, peak_fp16_tflops, memory_gib, memory_bandwidth_gbps, link_bandwidth_gbps, peak_fp8_tflops,
                  peak_fp4_tflops, set_at)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (device) DO UPDATE SET peak_fp16_tflops = excluded.peak_fp16_tflops, memory_gib = excluded.memory_gib,
                 memory_bandwidth_gbps = excluded.memory_bandwidth_gbps, link_bandwidth_gbps = excluded.link_bandwidth_gbps,
                 peak_fp8_tflops = excluded.peak_fp8_tflops, peak_fp4_tflops = excluded.peak_fp4_tflops, set_at = excluded.set_at
             RETURNING *",
        )
        .bind(Uuid::now_v7().to_string())
        .bind(device)
        .bind(figures.peak_fp16_tflops)
        .bind(figures.memory_gib)
        .bind(figures.memory_bandwidth_gbps)
        .bind(figures.link_bandwidth_gbps)
        .bind(figures.peak_fp8_tflops)
        .bind(figures.peak_fp4_tflops)
        .bind(ms(now))
        .fetch_one(&self.write)
        .await?;
        Ok(specification)
    }

    pub async fn delete_device_specification(&self, id: Uuid) -> Result<(), StoreError> {
        let done =
            sqlx::query("DELETE FROM device_specifications WHERE id = ?").bind(id.to_string()).execute(&self.write).await?;
        if done.rows_affected() == 0 { Err(StoreError::NotFound("device specification")) } else { Ok(()) }
    }
}

impl FromRow<'_, SqliteRow> for DeviceSpecification {
    fn from_row(row: &SqliteRow) -> sqlx::Result<Self> {
        Ok(Self {
            id: row.id("id")?,
            device: row.try_get("device")?,
            figures: DeviceFigures {
                peak_fp16_tflops: row.try_get("peak_fp16_tflops")?,
                memory_gib: row.try_get("memory_gib")?,
                memory_bandwidth_gbps: row.try_get("memory_bandwidth_gbps")?,
                link_bandwidth_gbps: row.try_get("link_bandwidth_gbps")?,
                peak_fp8_tflops: row.try_get("peak_fp8_tflops")?,
                peak_fp4_tflops: row.try_get("peak_fp4_tflops")?,
            },
            set_at: row.time("set_at")?,
        })
    }
}
