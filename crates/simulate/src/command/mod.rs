pub mod points;
