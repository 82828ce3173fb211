//! The portal from outside: who gets in, and what every answer has.

mod gate;
mod layers;
mod people;
