use std::{
    fs,
    process::{Child, Command, Stdio},
};

use super::*;
use crate::{
    app::setup::{self, Wish},
    config::Config,
    engine::Publish,
    export::HostResource,
    plugin::{MatchOn, Plugin},
};

const INTERVAL: Duration = Duration::from_secs(60);

/// Ended when dropped.
struct Children(Vec<Child>);

impl Children {
    fn start(count: usize) -> Self {
        let one = || {
            Command::new("cat")
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .spawn()
        };
        let children = Self((0..count).map(|_| one().unwrap()).collect());
        // In the middle of an exec they still have our name.
        let named = |child: &Child| {
            let name = fs::read_to_string(format!("/proc/{}/comm", child.id()));
            name.is_ok_and(|name| name == "cat\n")
        };
        let deadline = Instant::now() + Duration::from_secs(40);
        while !children.0.iter().all(named) {
            assert!(Instant::now() < deadline, "they have no name");
        }
        children
    }
}

impl Drop for Children {
    fn drop(&mut self) {
        for child in &mut self.0 {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

fn pump() -> (Pump, WallOffset) {
    let mut plugin = Plugin::host();
    plugin.match_on = MatchOn::Name;
    plugin.group_by = crate::plugin::GroupBy::None;
    plugin.services[0].pattern = "^cat$".to_owned();
    let host = HostResource::detect();
    let wish = Wish {
        publish: Publish::Enabled,
        interval: None,
        incidents: false,
    };
    setup::pump(&[plugin], &Config::default(), None, None, &host, &wish).unwrap()
}

#[test]
fn looks_beyond_the_budget_are_put_off_and_none_is_left_out() {
    let children = Children::start(300);
    let (mut pump, offset) = pump();
    let mut out = Vec::new();
    let mut collecting = Collecting::new([INTERVAL], offset, Duration::from_millis(1));
    let begin = Instant::now();
    let mut rounds = 0;
    let report = loop {
        rounds += 1;
        match collecting.collect_due(&mut pump, &mut out) {
            Some(report) => break report,
            None => {
                let next = collecting.next().unwrap();
                assert!(next > Instant::now() - PERIOD && next <= Instant::now() + PERIOD);
                // Of this period everything is used up.
                let deferred = collecting.deferred();
                collecting.period = Instant::now();
                assert!(collecting.collect_due(&mut pump, &mut out).is_none());
                assert!(collecting.deferred() > deferred);
                // Another one.
                collecting.period -= PERIOD;
            }
        }
    };
    assert!(rounds > 1, "300 looks take longer than 1 ms");
    assert!(collecting.deferred() > 0);
    // All of them, each with its figures.
    let [service] = report.services.as_slice() else {
        panic!("{:?}", report.services);
    };
    for child in &children.0 {
        assert!(service.pids.contains(&child.id()));
    }
    let names: Vec<&str> = service.metrics.iter().map(|metric| &*metric.name).collect();
    assert!(names.contains(&"process.memory.usage"), "{names:?}");
    assert!(collecting.next().unwrap() > begin + INTERVAL / 2);
}

#[test]
fn the_last_collection_waits_for_nothing() {
    let children = Children::start(100);
    let (mut pump, offset) = pump();
    let mut collecting = Collecting::new([INTERVAL], offset, Duration::from_nanos(1));
    let mut out = Vec::new();
    let _ = collecting.collect_due(&mut pump, &mut out);
    let report = collecting.collect_all(&mut pump, &mut out);
    for child in &children.0 {
        assert!(report.services[0].pids.contains(&child.id()));
    }
}
