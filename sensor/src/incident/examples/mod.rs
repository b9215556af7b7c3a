//! The examples of docs/EXTENDING.md, and that they do what it says.

mod provider;
mod transport;

use std::{path::Path, sync::Arc, time::Duration};

use serde_json::json;

use super::{
    context::{Case, Gatherer},
    transport::{Kind, Outlet, OutletConfig, PATIENCE, Parcel, Surroundings},
};
use crate::{
    config::{incident::transports, reader::Document},
    export::HostResource,
    process::event::{Subject, Value},
    units::{BootNanos, WallNanos},
};

#[test]
fn the_document_has_the_examples() {
    let document = include_str!("../../../../docs/EXTENDING.md");
    for example in [include_str!("provider.rs"), include_str!("transport.rs")] {
        let block = format!("```rust\n{example}```\n");
        assert!(
            document.contains(&block),
            "docs/EXTENDING.md lacks:\n{block}"
        );
    }
}

#[test]
fn the_provider_gathers() {
    let case = Case {
        process: Some(Subject {
            pid: std::process::id(),
            parent_pid: None,
            creation_time: WallNanos(0),
            start: BootNanos(0),
            executable_path: None,
            args: None,
            user_id: None,
            cgroup: None,
        }),
        ..Case::default()
    };
    let facts = Gatherer::of([&provider::KIND]).gather(&Arc::new(case));
    assert!(
        matches!(facts["limits.open_files"], Value::Int(1..)),
        "{facts:?}"
    );
}

#[test]
fn the_transport_carries() {
    static KINDS: &[&Kind] = &[&transport::KIND];
    let directory = tempfile::tempdir().unwrap();
    let text = format!(
        "[[transport]]\ntype = 'spool'\ndirectory = '{}'\n",
        directory.path().display()
    );
    let document = Document::parse(Path::new("f"), &text);
    let listed = transports(document.root().tables("transport"), KINDS);
    assert!(document.into_notes().problems.is_empty());
    let outlet = Outlet::start(OutletConfig {
        transports: listed,
        surroundings: Surroundings {
            otlp: None,
            host: HostResource::detect(),
            shelf: None,
        },
        waiting: Vec::new(),
        queue_max_bytes: 1 << 20,
        queue_max_age: Duration::from_secs(60),
        patience: PATIENCE,
    });
    let outlet = outlet.unwrap();
    let incident = json!({"sensor.incident.id": "7"});
    outlet.offer(&Parcel::of_json(&incident));
    outlet.shutdown(Duration::from_secs(10));
    let written = std::fs::read_to_string(directory.path().join("7.json")).unwrap();
    assert_eq!(written, incident.to_string());
}
