//! `type = "store"`: the local history, which `sensor store incidents` shows.

use std::sync::Arc;

use super::{
    BuildError, Kind, Parcel, Sending, Settings, Surroundings, Transport, delivered, retry,
};
use crate::{
    config::{item::Item, reader::Table, set},
    export::Shelf,
};

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

    fn build(&self, surroundings: &Surroundings) -> Result<Box<dyn Transport>, BuildError> {
        let Some(shelf) = &surroundings.shelf else {
            return Err(BuildError::Unavailable("there is no store".to_owned()));
        };
        Ok(Box::new(Record {
            shelf: Arc::clone(shelf),
            keep: u64::from(self.keep),
        }))
    }

    /// The queue would be in the same file.
    fn is_durable(&self) -> bool {
        false
    }
}

struct Record {
    shelf: Arc<Shelf>,
    keep: u64,
}

impl Transport for Record {
    fn target(&self) -> String {
        "the store".to_owned()
    }

    fn send<'a>(&'a mut self, parcel: &'a Parcel) -> Sending<'a> {
        let (shelf, json, keep) = (Arc::clone(&self.shelf), parcel.json().clone(), self.keep);
        Box::pin(async move {
            let written = tokio::task::spawn_blocking(move || shelf.keep_incident(&json, keep));
            match written.await {
                Ok(Ok(())) => delivered(),
                Ok(Err(reason)) => retry(reason),
                Err(_) => retry("the store did not answer"),
            }
        })
    }
}
