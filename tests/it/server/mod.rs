//! The portal from outside: who gets in, and what every answer has.

mod accounts;
mod creations;
mod gate;
mod layers;
mod lost_forms;
mod people;
mod uploads;
