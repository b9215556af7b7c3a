//! What is known around an incident: one provider a file behind one trait.
//!
//! No provider can hold up an incident, or lose one: each has a deadline, and
//! what fails becomes `context_error_<name>`. docs/EXTENDING.md says how to
//! add one.

pub mod basic;
mod case;
pub mod container;
pub mod environment;
pub mod files;
mod gather;
pub mod git;
mod look;
pub mod process;
pub mod siblings;
pub mod system;

use std::{collections::BTreeMap, time::Duration};

pub use case::{Ancestor, Case};
pub use gather::Gatherer;
pub use siblings::{Neighbour, Ring};

use crate::process::event::Value;

/// Keys and values of one provider; `key` becomes
/// `sensor.context.<provider>.<key>`. What is unknown is absent.
pub type Facts = BTreeMap<String, Value>;

/// A context provider: what `[incident] context` may name.
#[derive(Debug)]
pub struct Kind {
    /// Its name in the configuration, and in `sensor.context.<name>.<key>`.
    pub name: &'static str,
    /// How long it may take.
    pub cost: Cost,
    /// How long an answer is good.
    pub cache: Cache,
    /// Gathers. An error is one short line for people.
    pub gather: fn(&Case) -> Result<Facts, String>,
}

/// How long a provider may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cost {
    /// It looks at memory and at files of the kernel that never wait, so it
    /// runs where the incident is made.
    Nothing,
    /// It looks at file systems, which may hang: it runs on a thread of its
    /// own and is given up after this.
    UpTo(Duration),
}

/// How long an answer is good.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cache {
    /// For one incident.
    Never,
    /// For all incidents of this time.
    Host(Duration),
    /// For all incidents of one process in this time.
    Process(Duration),
}

/// Every provider, in the order of the reference.
pub static PROVIDERS: &[&Kind] = &[
    &basic::KIND,
    &process::KIND,
    &system::KIND,
    &files::KIND,
    &environment::KIND,
    &container::KIND,
    &siblings::KIND,
    &git::KIND,
];

/// Those that are asked where the file says nothing.
pub const DEFAULT: &[&str] = &["basic", "process", "system"];

/// Facts in the making: what is unknown is passed over.
#[derive(Debug, Default)]
struct Notes(Facts);

impl Notes {
    fn text(&mut self, key: &str, text: Option<impl Into<String>>) {
        if let Some(text) = text {
            self.0.insert(key.to_owned(), Value::Text(text.into()));
        }
    }

    fn int(&mut self, key: &str, number: Option<u64>) {
        if let Some(number) = number.and_then(|number| i64::try_from(number).ok()) {
            self.0.insert(key.to_owned(), Value::Int(number));
        }
    }

    fn list(&mut self, key: &str, list: Vec<String>) {
        if !list.is_empty() {
            self.0.insert(key.to_owned(), Value::List(list));
        }
    }
}
