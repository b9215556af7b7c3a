//! What every exception goes through last: bounds, and its text.

use super::{Cause, Exception, Frame, Language};

/// Most frames of one incident: of the exception, and of all causes together.
pub const MAX_FRAMES: usize = 1024;

/// Most causes of one incident.
pub const MAX_CAUSES: usize = 64;

impl Exception {
    /// One that nothing is known of but its type.
    #[must_use]
    pub fn new(language: Language, name: impl Into<String>) -> Self {
        Self {
            language,
            name: name.into(),
            message: None,
            frames: Vec::new(),
            causes: Vec::new(),
            severity: ERROR,
            text: String::new(),
            pid: None,
            frames_omitted: 0,
            causes_omitted: 0,
        }
    }

    /// Cuts it down to the bounds.
    pub(super) fn finish(&mut self, text: String) {
        self.text = text;
        self.frames_omitted += cut_middle(&mut self.frames, MAX_FRAMES);
        self.causes_omitted += cut_middle(&mut self.causes, MAX_CAUSES);
        let mut room = MAX_FRAMES;
        for cause in &mut self.causes {
            self.frames_omitted += cut_middle(&mut cause.frames, room);
            room -= cause.frames.len();
        }
    }
}

/// ERROR of OpenTelemetry.
pub(super) const ERROR: u8 = 17;

/// FATAL of OpenTelemetry.
pub(super) const FATAL: u8 = 21;

/// Keeps the first and the last ones; tells how many went.
fn cut_middle<T>(list: &mut Vec<T>, most: usize) -> u64 {
    let omitted = list.len().saturating_sub(most);
    if omitted > 0 {
        let first = most.div_ceil(2);
        list.drain(first..first + omitted);
    }
    omitted as u64
}

impl Cause {
    /// An exception as a part of another.
    pub(super) fn of(section: Section, relation: super::Relation) -> Self {
        Self {
            name: section.name,
            message: section.message,
            frames: section.frames,
            relation,
        }
    }
}

/// An exception while its text is read.
#[derive(Debug, Default)]
pub(super) struct Section {
    pub name: String,
    pub message: Option<String>,
    /// Blank lines behind the message, which count where another line follows.
    pub blank: usize,
    /// In the order of printing.
    pub frames: Vec<Frame>,
}

impl Section {
    /// One of this first line.
    pub fn of(head: super::head::Head<'_>) -> Self {
        Self {
            name: head.name.to_owned(),
            message: head.message.map(str::to_owned),
            ..Self::default()
        }
    }

    /// Takes in one more line of the message.
    pub fn add_line(&mut self, line: &str) {
        if line.is_empty() {
            self.blank += 1;
            return;
        }
        let message = self.message.get_or_insert_default();
        message.reserve(self.blank + 1 + line.len());
        for _ in 0..=std::mem::take(&mut self.blank) {
            message.push('\n');
        }
        message.push_str(line);
    }

    /// Without the blank lines at the end of the message.
    pub fn trimmed(mut self) -> Self {
        if let Some(message) = &mut self.message {
            message.truncate(message.trim_end().len());
            if message.is_empty() {
                self.message = None;
            }
        }
        self
    }
}
