//! What is known around an incident: one provider a file behind one trait.

/// A context provider: what `[incident] context` may name.
#[derive(Debug)]
pub struct Kind {
    /// Its name in the configuration, and in `sensor.context.<name>.<key>`.
    pub name: &'static str,
}

/// Every provider, in the order of the reference.
pub static PROVIDERS: &[&Kind] = &[
    &Kind { name: "basic" },
    &Kind { name: "process" },
    &Kind { name: "system" },
    &Kind { name: "files" },
    &Kind {
        name: "environment",
    },
    &Kind { name: "container" },
    &Kind { name: "siblings" },
    &Kind { name: "git" },
];

/// Those that are asked where the file says nothing.
pub const DEFAULT: &[&str] = &["basic", "process", "system"];
