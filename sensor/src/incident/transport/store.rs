//! `type = "store"`: the local history, which `sensor store incidents` shows.

use std::sync::Arc;

use super::{Kind, Settings};
use crate::config::{item::Item, reader::Table, set};

/// The type `store`.
pub static KIND: Kind = Kind {
    name: "store",
    number: 48,
    read,
};

/// How many incidents are kept where nobody says.
const KEPT: u32 = 1_000;

#[derive(Debug)]
struct History {
    keep: u32,
}

fn read(table: &mut Table<'_>) -> Arc<dyn Settings> {
    let mut keep = KEPT;
    set(&mut keep, table.take("keep"), |item: &Item<'_>| {
        item.integer(1..=100_000)
    });
    Arc::new(History { keep })
}

impl Settings for History {
    fn shown(&self) -> Vec<(&'static str, toml::Value)> {
        vec![("keep", i64::from(self.keep).into())]
    }
}
