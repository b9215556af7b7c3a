//! The keys of the configuration file and what their values may be.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::export::{Headers, check_endpoint, check_header};
use super::item::{Choice, Item};
use super::logs;
use super::pattern::check_pattern;
use super::problem::Problem;
use super::reader::{Document, Table};
use super::{Config, Origin, OtlpFile, incident, receiver};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 3_600);

/// Time between two collections: often enough to harm nobody.
pub(crate) const INTERVALS: std::ops::RangeInclusive<Duration> = Duration::from_millis(100)..=DAY;
/// Groups of one service.
pub(crate) const GROUPS: std::ops::RangeInclusive<usize> = 1..=100_000;

pub(super) fn config(path: &Path, text: &str) -> Result<Config, Vec<Problem>> {
    let document = Document::parse(path, text);
    let mut config = read(&document);
    let notes = document.into_notes();
    if !notes.problems.is_empty() {
        return Err(notes.problems);
    }
    let present = notes.present.into_iter();
    config.origins = present.map(|key| (key, Origin::File)).collect();
    Ok(config)
}

/// Reads every key; faults are noted in the document.
pub(super) fn read(document: &Document<'_>) -> Config {
    let mut config = Config::default();
    let mut root = document.root();
    if let Some(plugins) = root.take("plugins").and_then(|item| item.strings()) {
        config.plugins = plugins.into_iter().map(|(_, dir)| dir.into()).collect();
    }
    set(&mut config.interval, root.take("interval"), |item| {
        item.duration(INTERVALS)
    });
    let mut host = root.table("host");
    set(&mut config.host, host.take("enabled"), |item| item.choice());
    host.finish();
    kernel(&mut config, root.table("kernel"));
    bounds(&mut config, &mut root);
    let mut store = root.table("store");
    set(&mut config.store.path, store.take("path"), optional_path);
    set(
        &mut config.store.strict,
        store.take("strict"),
        Item::boolean,
    );
    store.finish();
    let mut export = root.table("export");
    otlp(&mut config.otlp, export.table("otlp"));
    export.finish();
    scrub(&mut config, root.table("scrub"));
    incident::read(&mut config.incident, root.table("incident"));
    receiver::read(&mut config.receiver, root.table("receiver"));
    config.log_formats = logs::read(root.table("logs"));
    let mut telemetry = root.table("telemetry");
    set(
        &mut config.telemetry,
        telemetry.take("enabled"),
        Item::boolean,
    );
    telemetry.finish();
    root.finish();
    config
}

fn kernel(config: &mut Config, mut table: Table<'_>) {
    let kernel = &mut config.kernel;
    set(&mut kernel.ebpf, table.take("ebpf"), |item| item.choice());
    set(&mut kernel.ring_bytes, table.take("ring_bytes"), |item| {
        item.integer(4_096..=1 << 30)
    });
    set(&mut kernel.max_latency, table.take("max_latency"), |item| {
        item.duration(MILLISECOND..=SECOND)
    });
    set(&mut kernel.pin, table.take("pin"), Item::boolean);
    table.finish();
}

fn bounds(config: &mut Config, root: &mut Table<'_>) {
    let mut table = root.table("limits");
    let limits = &mut config.limits;
    // The kernel's own bound of pids (include/linux/threads.h, PID_MAX_LIMIT).
    set(&mut limits.processes, table.take("processes"), |item| {
        item.integer(1..=4_194_304)
    });
    set(&mut limits.groups, table.take("groups"), |item| {
        item.integer(GROUPS)
    });
    table.finish();

    let mut table = root.table("args");
    let args = &mut config.args;
    set(&mut args.capture, table.take("capture"), Item::boolean);
    set(&mut args.max_bytes, table.take("max_bytes"), |item| {
        item.integer(1..=1 << 20)
    });
    table.finish();

    let mut table = root.table("queue");
    let queue = &mut config.queue;
    set(&mut queue.max_bytes, table.take("max_bytes"), |item| {
        item.integer(4_096..=1 << 50)
    });
    set(&mut queue.max_age, table.take("max_age"), |item| {
        item.duration(SECOND..=365 * DAY)
    });
    table.finish();
}

fn otlp(otlp: &mut OtlpFile, mut table: Table<'_>) {
    if let Some(item) = table.take("endpoint") {
        // An empty endpoint is none, so that a template may leave it blank.
        otlp.endpoint = item.string().filter(|text| !text.is_empty());
        if let Some(Err(message)) = otlp.endpoint.as_deref().map(check_endpoint) {
            item.fault(message);
        }
    }
    set(&mut otlp.protocol, table.take("protocol"), |item| {
        item.choice().map(Some)
    });
    set(&mut otlp.gzip, table.take("compression"), |item| {
        item.choice().map(|Compression(gzip)| Some(gzip))
    });
    set(&mut otlp.timeout, table.take("timeout"), |item| {
        item.duration(MILLISECOND..=3_600 * SECOND).map(Some)
    });
    if let Some(headers) = table.take("headers").and_then(|item| item.string_map()) {
        let checked = headers.into_iter().filter_map(|(item, name, value)| {
            let checked = check_header(&name, &value);
            checked.map_err(|message| item.fault(message)).ok()
        });
        otlp.headers = Some(Headers(checked.collect()));
    }
    let mut tls = table.table("tls");
    set(&mut otlp.ca, tls.take("ca"), optional_path);
    set(
        &mut otlp.certificate,
        tls.take("certificate"),
        optional_path,
    );
    set(&mut otlp.key, tls.take("key"), optional_path);
    tls.finish();
    table.finish();
}

fn scrub(config: &mut Config, mut table: Table<'_>) {
    let scrub = &mut config.scrub;
    for (item, pattern) in texts(table.take("patterns")) {
        match check_pattern(&pattern) {
            Ok(()) => scrub.patterns.push(pattern),
            Err(message) => item.fault(message),
        }
    }
    for (key, words) in [("words", &mut scrub.words), ("keep", &mut scrub.keep)] {
        words.extend(texts(table.take(key)).into_iter().map(|(_, word)| word));
    }
    table.finish();
}

pub(super) fn texts(item: Option<Item<'_>>) -> Vec<(Item<'_>, String)> {
    item.and_then(|item| item.strings()).unwrap_or_default()
}

/// `gzip` is true.
#[derive(Clone, Copy)]
pub(super) struct Compression(pub(super) bool);

impl Choice for Compression {
    const NAMES: &'static [(&'static str, Self)] = &[("gzip", Self(true)), ("none", Self(false))];
}

/// An empty path is none.
#[expect(
    clippy::option_option,
    reason = "outer: of the right type; inner: not empty"
)]
pub(crate) fn optional_path(item: &Item<'_>) -> Option<Option<PathBuf>> {
    let text = item.string()?;
    Some((!text.is_empty()).then(|| text.into()))
}

/// Replaces a default where a value is there and of the right type.
pub(crate) fn set<'d, T>(
    place: &mut T,
    item: Option<Item<'d>>,
    read: impl FnOnce(&Item<'d>) -> Option<T>,
) {
    if let Some(value) = item.as_ref().and_then(read) {
        *place = value;
    }
}
