//! Settings of the kernel, put back afterwards.

use std::fs;

/// A value of kernel.* (sysctl) for as long as this lives.
#[derive(Debug)]
pub struct Setting {
    path: String,
    before: String,
}

impl Setting {
    /// Sets it.
    ///
    /// # Panics
    ///
    /// Where it cannot be set.
    #[must_use]
    pub fn new(name: &str, value: &str) -> Self {
        let path = format!("/proc/sys/kernel/{name}");
        let before = fs::read_to_string(&path).expect("a setting of the kernel");
        fs::write(&path, value).expect("it can be set");
        Self { path, before }
    }

    /// At least so much.
    #[must_use]
    pub fn at_least(name: &str, value: u64) -> Option<Self> {
        let now = fs::read_to_string(format!("/proc/sys/kernel/{name}"));
        let now = now.ok().and_then(|text| text.trim().parse().ok());
        now.is_none_or(|now: u64| now < value)
            .then(|| Self::new(name, &value.to_string()))
    }
}

impl Drop for Setting {
    fn drop(&mut self) {
        let _ = fs::write(&self.path, &self.before);
    }
}
