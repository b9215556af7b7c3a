//! `type = "spool"`: each incident is a file of a directory.

use std::{path::PathBuf, sync::Arc};

use crate::{
    config::reader::Table,
    export::otlp::Outcome,
    incident::transport::{BuildError, Kind, Parcel, Sending, Settings, Surroundings, Transport},
};

/// The type.
pub static KIND: Kind = Kind {
    name: "spool",
    // The next number that is free; see docs/STORE.md.
    number: 56,
    read,
};

#[derive(Debug)]
struct Spool {
    directory: PathBuf,
}

/// Asks for every key; what is missing or wrong is reported with its line.
fn read(table: &mut Table<'_>) -> Arc<dyn Settings> {
    let directory = table.require("directory").and_then(|item| item.name());
    Arc::new(Spool {
        directory: directory.unwrap_or_default().into(),
    })
}

impl Settings for Spool {
    fn shown(&self) -> Vec<(&'static str, toml::Value)> {
        let directory = self.directory.display().to_string();
        vec![("directory", directory.into())]
    }

    fn build(&self, _: &Surroundings) -> Result<Box<dyn Transport>, BuildError> {
        Ok(Box::new(Writer {
            directory: self.directory.clone(),
        }))
    }
}

struct Writer {
    directory: PathBuf,
}

impl Transport for Writer {
    fn target(&self) -> String {
        format!("spool {}", self.directory.display())
    }

    fn send<'a>(&'a mut self, parcel: &'a Parcel) -> Sending<'a> {
        let json = parcel.json().clone();
        let id = parcel.object();
        let id = id.get("sensor.incident.id").and_then(|id| id.as_str());
        let path = self
            .directory
            .join(format!("{}.json", id.unwrap_or("unknown")));
        // A file system may hang, and a transport must not.
        let written = tokio::task::spawn_blocking(move || std::fs::write(path, json));
        Box::pin(async move {
            match written.await {
                Ok(Ok(())) => Outcome::Delivered {
                    rejected: 0,
                    message: String::new(),
                },
                // It is tried again, and goes to the fallback meanwhile.
                Ok(Err(error)) => Outcome::Retry {
                    after: None,
                    reason: error.to_string(),
                },
                // Never again: the fallback gets it at once.
                Err(_) => Outcome::Refused {
                    reason: "the writer failed".to_owned(),
                },
            }
        })
    }
}
