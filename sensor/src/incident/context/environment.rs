//! `environment`: variables that say how a program was set up. Only names of
//! a list are ever kept, so no secret can be among them by its name.

use std::time::Duration;

use super::{Cache, Case, Cost, Facts, Kind, look};
use crate::process::event::Value;

/// The provider.
pub static KIND: Kind = Kind {
    name: "environment",
    // Reading another process's memory waits where that is being mapped.
    cost: Cost::UpTo(Duration::from_millis(500)),
    cache: Cache::Process(Duration::from_secs(60)),
    gather,
};

/// Who is kept. No name that is ever used for a secret, nor for a command line
/// that may hold one (JAVA_TOOL_OPTIONS, NODE_OPTIONS).
const NAMES: [&str; 34] = [
    "APP_ENV",
    "ASPNETCORE_ENVIRONMENT",
    "DJANGO_SETTINGS_MODULE",
    "DOTNET_ENVIRONMENT",
    "ENV",
    "ENVIRONMENT",
    "FLASK_ENV",
    "GOGC",
    "GOMAXPROCS",
    "GOMEMLIMIT",
    "HOME",
    "HOSTNAME",
    "INVOCATION_ID",
    "JAVA_HOME",
    "LANG",
    "LC_ALL",
    "LD_LIBRARY_PATH",
    "LD_PRELOAD",
    "LOGNAME",
    "MALLOC_ARENA_MAX",
    "MIX_ENV",
    "NODE_ENV",
    "OTEL_SERVICE_NAME",
    "PATH",
    "PWD",
    "PYTHONPATH",
    "RACK_ENV",
    "RAILS_ENV",
    "RUST_BACKTRACE",
    "RUST_LOG",
    "SPRING_PROFILES_ACTIVE",
    "TZ",
    "USER",
    "VIRTUAL_ENV",
];

/// Longest value that is kept, bytes.
const LONGEST: usize = 1_024;

fn gather(case: &Case) -> Result<Facts, String> {
    // Of a process that is gone nothing can be known: that is no error.
    let Some(directory) = case.alive() else {
        return Ok(Facts::new());
    };
    match look::bytes(&directory.join("environ"), 256 << 10) {
        Ok(bytes) => Ok(allowed(&bytes)),
        Err(_) if case.alive().is_none() => Ok(Facts::new()),
        Err(error) => Err(error.to_string()),
    }
}

/// proc_pid_environ(5): `name=value`, a NUL after each.
fn allowed(bytes: &[u8]) -> Facts {
    let mut facts = Facts::new();
    for variable in bytes.split(|&byte| byte == 0) {
        let text = String::from_utf8_lossy(variable);
        let Some((name, value)) = text.split_once('=') else {
            continue;
        };
        if NAMES.contains(&name) && !value.is_empty() {
            let end = value.floor_char_boundary(LONGEST);
            let value = value.get(..end).unwrap_or_default().to_owned();
            // The first one counts, as for getenv(3).
            facts.entry(name.to_owned()).or_insert(Value::Text(value));
        }
    }
    facts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_the_list_are_kept() {
        let long = "x".repeat(2_000);
        let bytes = format!(
            "AWS_SECRET_ACCESS_KEY=a\0LANG=C\0DATABASE_URL=b\0LANG=D\0TZ=\0odd\0PATH={long}\0PATHS=1\0lang=x"
        );
        let facts = allowed(bytes.as_bytes());
        let names: Vec<&str> = facts.keys().map(String::as_str).collect();
        assert_eq!(names, ["LANG", "PATH"]);
        assert_eq!(facts["LANG"], Value::Text("C".to_owned()));
        assert_eq!(facts["PATH"], Value::Text("x".repeat(1_024)));
        assert!(NAMES.is_sorted());
    }

    #[test]
    fn a_living_process_is_read_and_a_dead_one_is_not() {
        let mut child = std::process::Command::new("cat")
            .env("APP_ENV", "trial")
            .env("APP_TOKEN", "hidden")
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let pid = child.id();
        // Until exec it has our own environment, and none in the middle of it.
        let deadline = std::time::Instant::now() + Duration::from_secs(40);
        let case = loop {
            let case = Case::of_living(pid);
            let environment = std::fs::read(format!("/proc/{pid}/environ")).unwrap();
            if environment
                .split(|byte| *byte == 0)
                .any(|one| one == b"APP_ENV=trial")
            {
                break case;
            }
            assert!(std::time::Instant::now() < deadline);
        };
        let facts = gather(&case).unwrap();
        assert_eq!(facts["APP_ENV"], Value::Text("trial".to_owned()));
        assert!(!format!("{facts:?}").contains("hidden"));
        drop(child.stdin.take());
        child.wait().unwrap();
        assert_eq!(gather(&case), Ok(Facts::new()));
    }
}
