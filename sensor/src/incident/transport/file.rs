//! `type = "file"`: JSON lines in a file of the sensor's own, which is rotated.

use std::{path::PathBuf, sync::Arc};

use super::{Kind, Settings};
use crate::config::{item::Item, reader::Table, set};

/// The type `file`.
pub static KIND: Kind = Kind {
    name: "file",
    number: 24,
    read,
};

#[derive(Debug, Clone)]
struct Lines {
    path: PathBuf,
    /// The file is rotated before it gets larger.
    max_bytes: u64,
    /// How many rotated files are kept.
    keep: u32,
}

fn read(table: &mut Table<'_>) -> Arc<dyn Settings> {
    let mut lines = Lines {
        path: PathBuf::from("/var/log/sensor/incidents.jsonl"),
        max_bytes: 10 << 20,
        keep: 5,
    };
    let path = table.take("path");
    set(&mut lines.path, path, |item: &Item<'_>| {
        item.name().map(PathBuf::from)
    });
    set(&mut lines.max_bytes, table.take("max_bytes"), |item| {
        item.integer(4_096..=1 << 40)
    });
    set(&mut lines.keep, table.take("keep"), |item| {
        item.integer(0..=1_000)
    });
    Arc::new(lines)
}

impl Settings for Lines {
    fn shown(&self) -> Vec<(&'static str, toml::Value)> {
        let max_bytes = i64::try_from(self.max_bytes).unwrap_or(i64::MAX);
        vec![
            ("path", self.path.display().to_string().into()),
            ("max_bytes", max_bytes.into()),
            ("keep", i64::from(self.keep).into()),
        ]
    }
}
