//! Log formats: one file each behind one trait, in one registry.
//!
//! A format says what a line says about itself: level, time, logger, message.
//! docs/EXTENDING.md shows how to add one.

mod apache;
mod bracket;
mod console;
pub mod custom;
mod dotnet;
pub(super) mod head;
pub(super) mod json;
pub(super) mod jul;
mod klog;
mod layout;
mod logfmt;
mod nest;
mod nginx;
mod zap;

use std::{borrow::Cow, fmt, sync::Arc};

use super::{level::Level, time::When};
use crate::incident::exception::{Exception, Frame};
pub use custom::{CustomError, CustomFormat};

/// What a line says about itself.
#[derive(Debug, Default)]
pub struct Entry<'a> {
    /// When.
    pub time: Option<When>,
    /// How bad; `None` where the line doesn't say.
    pub level: Option<Level<'a>>,
    /// Who.
    pub logger: Option<Cow<'a, str>>,
    /// What, without time, level and logger.
    pub message: Option<Cow<'a, str>>,
    /// An exception that the line carries whole.
    pub exception: Option<Box<Exception>>,
    /// The writing process, where its pid is that of the host.
    pub pid: Option<u32>,
    /// The place in the code that wrote the line.
    pub place: Option<Box<Frame>>,
}

/// Reads the lines of one format.
pub trait LogFormat: fmt::Debug + Send + Sync {
    /// As in `--format` and `sensor.log.format`.
    fn name(&self) -> &str;

    /// Whether a line may begin with this byte: asked before all else.
    fn begins(&self, first: u8) -> bool;

    /// Reads a line, which has no line end, colours or NULs. `None`: it is of
    /// another format. `sure` where a person said that the text has this one:
    /// then doubt counts for it.
    fn read<'a>(&self, line: &'a str, sure: bool) -> Option<Entry<'a>>;

    /// Whether lines that [`super::gate`] finds nothing in may be incidents
    /// all the same.
    fn is_own(&self) -> bool {
        false
    }
}

/// The formats that are known.
#[derive(Debug, Clone)]
pub struct Formats {
    all: Vec<Arc<dyn LogFormat>>,
    /// Who is asked about a line that begins with a byte.
    asked: Vec<Vec<usize>>,
    /// The place of log4j, whose kin writes records of two lines.
    java: Option<usize>,
}

impl Default for Formats {
    fn default() -> Self {
        Self::with([])
    }
}

/// The built-in formats, in the order in which they are asked.
fn shipped() -> [Arc<dyn LogFormat>; 8] {
    [
        Arc::new(json::Json),
        Arc::new(bracket::Bracket),
        Arc::new(klog::Klog),
        Arc::new(nginx::Nginx),
        Arc::new(apache::Apache),
        Arc::new(layout::LOG4J),
        Arc::new(layout::PYTHON),
        Arc::new(logfmt::Logfmt),
    ]
}

impl Formats {
    /// The built-in formats and those of a configuration, which are asked
    /// first.
    #[must_use]
    pub fn with(custom: impl IntoIterator<Item = Arc<dyn LogFormat>>) -> Self {
        let mut all: Vec<_> = custom.into_iter().collect();
        all.extend(shipped());
        let begin = |byte| {
            let places = all.iter().enumerate();
            let places = places.filter(|(_, format)| format.begins(byte));
            places.map(|(place, _)| place).collect()
        };
        let asked = (0..=u8::MAX).map(begin).collect();
        let java = all.iter().position(|format| format.name() == "log4j");
        Self { all, asked, java }
    }

    /// All of them, in the order in which they are asked.
    pub fn iter(&self) -> impl Iterator<Item = &dyn LogFormat> {
        self.all.iter().map(AsRef::as_ref)
    }

    /// By its place in that order.
    pub(super) fn get(&self, index: usize) -> Option<&dyn LogFormat> {
        self.all.get(index).map(AsRef::as_ref)
    }

    /// The places of those that a line may be of which begins with this byte.
    pub(super) fn asked(&self, first: u8) -> &[usize] {
        self.asked
            .get(usize::from(first))
            .map_or(&[], Vec::as_slice)
    }

    /// The place of log4j.
    pub(super) fn java(&self) -> Option<usize> {
        self.java
    }

    /// The place of a name.
    pub(super) fn find(&self, name: &str) -> Option<usize> {
        self.all.iter().position(|format| format.name() == name)
    }

    /// Every name that `--format` takes: formats and envelopes.
    #[must_use]
    pub fn names(&self) -> Vec<&str> {
        let formats = self.iter().map(LogFormat::name);
        formats.chain(super::envelope::NAMES).collect()
    }
}
