//! The portal from outside: who gets in, and what every answer has.

mod accounts;
mod auth_layer;
mod caps;
mod connections;
mod creations;
mod files;
mod layers;
mod lost_forms;
mod markup;
mod metrics;
mod people;
mod times;
mod uploads;
