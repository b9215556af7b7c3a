//! Environment variables, handed in so that tests need no process-wide state.

use std::ffi::OsString;

use super::problem::Problem;

/// Looks variables up and keeps the problems of those that are no text.
pub struct Environment<'a> {
    lookup: &'a dyn Fn(&str) -> Option<OsString>,
}

impl<'a> Environment<'a> {
    /// The variables that `lookup` knows.
    #[must_use]
    pub fn new(lookup: &'a dyn Fn(&str) -> Option<OsString>) -> Self {
        Self { lookup }
    }

    /// The variables of this process.
    #[must_use]
    pub fn of_process() -> Environment<'static> {
        Environment {
            lookup: &|name| std::env::var_os(name),
        }
    }

    /// The value of a variable. An empty one counts as not set (OpenTelemetry
    /// specification, "Environment Variable Specification"); one that is not
    /// UTF-8 is a problem.
    ///
    /// # Errors
    /// The problem, with the name of the variable.
    pub fn get(&self, name: &str) -> Result<Option<String>, Problem> {
        let Some(value) = (self.lookup)(name) else {
            return Ok(None);
        };
        match value.into_string() {
            Ok(text) => Ok(Some(text.trim().to_owned()).filter(|text| !text.is_empty())),
            Err(_) => Err(Problem::setting(name, "is not UTF-8 text")),
        }
    }
}
