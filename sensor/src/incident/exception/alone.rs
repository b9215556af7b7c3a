//! Stacks without the exception that they belong to: fields of records, beside
//! which its type and message stand.

use super::{Frame, Language, go, ruby};

/// The frames of a text in which every line is of a stack, and whose it is.
/// Only of languages whose frames nobody mistakes for other text.
#[must_use]
pub fn frames_alone(text: &str) -> Option<(Language, Vec<Frame>)> {
    let found = [
        (Language::Go, go::pairs(text)),
        (Language::Ruby, ruby::frames(text)),
    ];
    found
        .into_iter()
        .find_map(|(language, frames)| Some((language, frames?)))
}
