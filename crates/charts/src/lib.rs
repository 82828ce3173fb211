//! What charts are drawn with, for the server's pages and the browser alike: scales and their round values, axes, marks, words
//! that don't collide. Pure: a drawing is made of numbers, and becomes SVG where it is shown.

pub mod drawing;
pub mod labels;
pub mod markup;
pub mod number;
pub mod scale;
