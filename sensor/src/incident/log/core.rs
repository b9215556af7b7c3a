//! Lines find their source.

use std::hash::Hasher;

use hashbrown::HashMap;
use twox_hash::XxHash64;

use super::{
    clean::{self, clean},
    draft::{Around, Maker},
    envelope::{
        self, Opened,
        export::{Export, Taken},
    },
    format::{Formats, LogFormat, json},
    lines::Line,
    options::LogOptions,
    order::Order,
    partials::{Partial, Partials},
    source::{At, Sink, Source, Tools},
};
use crate::incident::record::Incident;

/// Most sources at once.
pub const SOURCES_MAX: usize = 1_024;
/// Most bytes that all of them hold.
pub const HELD_MAX: usize = 12 << 20;
/// Most envelopes one in the other.
const DEPTH_MAX: u8 = 4;
/// The source of text without envelopes.
const ROOT: u64 = 0;

/// All state but that of the lines.
#[derive(Debug)]
pub struct Core {
    inner: Inner,
    export: Export,
    /// Place of the JSON format, where lines of it are the usual ones.
    json: Option<usize>,
}

#[derive(Debug)]
struct Inner {
    maker: Maker,
    formats: std::sync::Arc<Formats>,
    forced: Option<usize>,
    /// The only envelope that is opened first.
    envelope: Option<&'static str>,
    own: bool,
    root: Source,
    others: HashMap<u64, Slot>,
    partials: Partials,
    order: Order,
    lines: u64,
    held: usize,
}

#[derive(Debug, Default)]
struct Slot {
    source: Source,
    used: u64,
}

impl Core {
    pub fn new(options: &LogOptions) -> Self {
        let formats = std::sync::Arc::clone(&options.formats);
        let named = options.format.as_deref();
        let forced = named.and_then(|name| formats.find(name));
        let envelope = envelope::NAMES
            .into_iter()
            .find(|name| Some(*name) == named);
        let json = formats
            .find("json")
            .filter(|json| forced.is_none_or(|forced| forced == *json));
        let own = match forced {
            Some(forced) => formats.get(forced).is_some_and(LogFormat::is_own),
            None => formats.iter().any(LogFormat::is_own),
        };
        let inner = Inner {
            maker: Maker::new(options.clone()),
            formats,
            forced,
            envelope,
            own,
            root: Source::default(),
            others: HashMap::new(),
            partials: Partials::default(),
            order: Order::default(),
            lines: 0,
            held: 0,
        };
        Self {
            inner,
            export: Export::default(),
            json: json.filter(|_| !own),
        }
    }

    pub fn set_now(&mut self, now: u64) {
        self.inner.maker.options.now = now;
        self.inner.maker.clock.now = now;
    }

    pub fn skipped(&self) -> u64 {
        self.inner.partials.skipped()
    }

    pub fn line(&mut self, line: Line<'_>, found: &mut dyn FnMut(Incident)) {
        let mut bytes = line.bytes;
        if self.inner.lines == 0 {
            bytes = bytes.strip_prefix(clean::MARK).unwrap_or(bytes);
        }
        self.inner.lines += 1 << 8;
        if self.inner.root.is(self.json) && !self.export.is_open() && is_ordinary_json(bytes) {
            self.inner.ordinary(found);
            return;
        }
        if self.export.is_open() || bytes.first() == Some(&b'_') {
            match self.export.line(Line { bytes, ..line }) {
                Taken::No => {}
                Taken::Part => return,
                Taken::End => {
                    let (record, raw) = self.export.take();
                    self.inner
                        .opened(record, "journald", Around::NOTHING, &raw, ROOT, 0, found);
                    return;
                }
            }
        }
        let text = match line.is_clean {
            true => bytes.strip_suffix(b"\r").unwrap_or(bytes).into(),
            false => clean(bytes),
        };
        self.inner
            .text(&text, Around::NOTHING, bytes, ROOT, 0, found);
    }

    pub fn quiet(&mut self, found: &mut dyn FnMut(Incident)) {
        self.inner.close_all(found);
    }

    pub fn finish(&mut self, found: &mut dyn FnMut(Incident)) {
        if self.export.is_open() {
            let (record, raw) = self.export.take();
            self.inner
                .opened(record, "journald", Around::NOTHING, &raw, ROOT, 0, found);
        }
        self.inner.finish_partials(found);
        self.inner.close_all(found);
    }
}

/// A whole JSON record that is no incident for sure, nor in an envelope.
fn is_ordinary_json(line: &[u8]) -> bool {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    line.first() == Some(&b'{')
        && line.last() == Some(&b'}')
        && !line.starts_with(b"{\"log\":")
        && !json::may_matter(line)
}

impl Inner {
    /// An ordinary record of the root.
    fn ordinary(&mut self, found: &mut dyn FnMut(Incident)) {
        if self.root.is_open() {
            self.with(ROOT, found, |source, tools, sink| {
                source.end(tools, sink);
            });
        }
    }

    /// Opens the envelope of a text, or hands it to its source.
    fn text(
        &mut self,
        text: &[u8],
        around: &Around<'_>,
        raw: &[u8],
        source: u64,
        depth: u8,
        found: &mut dyn FnMut(Incident),
    ) {
        if let Some(first) = text.first()
            && depth < DEPTH_MAX
            && !(self.own && self.is_own(text))
        {
            for envelope in envelope::asked(*first) {
                let wanted = depth > 0 || self.envelope.is_none_or(|name| name == envelope.name());
                if wanted && let Some(opened) = envelope.open(text) {
                    self.opened(opened, envelope.name(), around, raw, source, depth, found);
                    return;
                }
            }
            if depth == 0 && self.envelope.is_some() {
                return;
            }
        }
        let at = At {
            around,
            raw,
            number: self.lines,
            opened: depth > 0,
        };
        self.lines += 1;
        self.with(source, found, |source, tools, sink| {
            source.line(text, &at, tools, sink)
        });
    }

    /// Whether a person's own format takes the text as it is.
    fn is_own(&self, text: &[u8]) -> bool {
        let text = clean::lossy(text);
        let own = |format: &dyn LogFormat| format.is_own() && format.read(&text, true).is_some();
        match self.forced {
            Some(forced) => self.formats.get(forced).is_some_and(own),
            None => self.formats.iter().any(own),
        }
    }

    #[expect(clippy::too_many_arguments, reason = "the state of one descent")]
    fn opened(
        &mut self,
        opened: Opened<'_>,
        name: &'static str,
        around: &Around<'_>,
        raw: &[u8],
        source: u64,
        depth: u8,
        found: &mut dyn FnMut(Incident),
    ) {
        let mut key = source;
        if opened.source.iter().any(|part| !part.is_empty()) {
            let mut hasher = XxHash64::with_seed(source);
            for part in &opened.source {
                hasher.write(part);
                hasher.write(b"\0");
            }
            key = hasher.finish().max(1);
        }
        let logger = opened.logger.as_deref().or(around.logger);
        let around = Around {
            stream: opened.stream.or(around.stream),
            time: opened.time.or(around.time),
            level: opened.level.as_ref().or(around.level),
            logger,
            pid: opened.pid.or(around.pid),
            envelope: Some(name)
                .filter(|name| !name.is_empty())
                .or(around.envelope),
            kernel: opened.kernel || around.kernel,
        };
        if opened.unfinished {
            self.partials.keep(key, &opened.text, raw, self.lines);
            return;
        }
        match self.partials.take(key, &opened.text, raw) {
            None => {
                let text = clean(&opened.text);
                self.text(&text, &around, raw, key, depth + 1, found);
            }
            Some(Partial { text, raw, .. }) => {
                self.text(&clean(&text), &around, &raw, key, depth + 1, found);
            }
        }
    }

    /// Lines whose last part never came.
    fn finish_partials(&mut self, found: &mut dyn FnMut(Incident)) {
        for (key, partial) in self.partials.drain() {
            let text = clean(&partial.text);
            self.text(&text, Around::NOTHING, &partial.raw, key, 1, found);
        }
    }

    /// Does something with a source and hands out what came of it.
    fn with(
        &mut self,
        key: u64,
        found: &mut dyn FnMut(Incident),
        act: impl FnOnce(&mut Source, &mut Tools<'_>, Sink<'_>),
    ) {
        if key != ROOT && !self.others.contains_key(&key) && self.others.len() >= SOURCES_MAX {
            self.evict(found);
        }
        let Self {
            maker,
            formats,
            forced,
            own,
            root,
            others,
            order,
            lines,
            ..
        } = self;
        let mut tools = Tools {
            maker,
            formats,
            forced: *forced,
            own: *own,
        };
        if key == ROOT && others.is_empty() && order.is_idle() {
            // Nobody else to wait for.
            act(root, &mut tools, &mut |_, incident| found(*incident));
            return;
        }
        let source = if key == ROOT {
            root
        } else {
            let slot = others.entry(key).or_default();
            slot.used = *lines;
            &mut slot.source
        };
        let (first, bytes) = (source.first(), source.bytes());
        act(source, &mut tools, &mut |line, incident| {
            order.done(line, incident)
        });
        order.moved(key, first, source.first());
        self.held = (self.held + source.bytes()).saturating_sub(bytes);
        self.order.release(found);
        self.bound(found);
    }

    /// Closes sources that hold up, or hold, too much.
    fn bound(&mut self, found: &mut dyn FnMut(Incident)) {
        loop {
            let full = (self.held > HELD_MAX)
                .then(|| self.order.oldest())
                .flatten();
            let Some(key) = self.order.overdue().or(full) else {
                return;
            };
            self.close(key, found);
        }
    }

    fn close(&mut self, key: u64, found: &mut dyn FnMut(Incident)) {
        let Self {
            maker,
            formats,
            forced,
            own,
            root,
            others,
            order,
            ..
        } = self;
        let mut tools = Tools {
            maker,
            formats,
            forced: *forced,
            own: *own,
        };
        let source = if key == ROOT {
            Some(root)
        } else {
            others.get_mut(&key).map(|slot| &mut slot.source)
        };
        let Some(source) = source else { return };
        let (first, bytes) = (source.first(), source.bytes());
        source.end(&mut tools, &mut |line, incident| order.done(line, incident));
        order.moved(key, first, None);
        self.held = (self.held + source.bytes()).saturating_sub(bytes);
        order.release(found);
    }

    /// Closes and forgets the source that was silent for the longest time.
    fn evict(&mut self, found: &mut dyn FnMut(Incident)) {
        let oldest = self
            .others
            .iter()
            .min_by_key(|(_, slot)| slot.used)
            .map(|(key, _)| *key);
        if let Some(key) = oldest {
            self.close(key, found);
            self.others.remove(&key);
        }
    }

    fn close_all(&mut self, found: &mut dyn FnMut(Incident)) {
        self.with(ROOT, found, |source, tools, sink| source.end(tools, sink));
        let open = self.others.iter().filter(|(_, slot)| slot.source.is_open());
        let mut open: Vec<_> = open
            .map(|(key, slot)| (slot.source.first(), *key))
            .collect();
        // Not in the order of the map, which is another one each time.
        open.sort_unstable();
        for (_, key) in open {
            self.close(key, found);
        }
        self.order.release(found);
    }
}
