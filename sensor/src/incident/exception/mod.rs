//! Exceptions in text: one language a file behind one trait.
//!
//! A parser never sees a stream. [`Assembler`] asks it of each line whether a
//! trace begins or goes on there, and hands it the whole text of a trace once,
//! when it has ended.

mod alone;
mod assemble;
mod before;
mod cpp;
mod csharp;
mod dart;
mod elixir;
mod finish;
mod first;
mod go;
mod head;
mod java;
mod javascript;
mod kernel;
mod php;
mod place;
mod prose;
mod python;
mod registry;
mod ruby;
mod rust;
mod sanitizer;
#[cfg(test)]
mod tests;

use compact_str::CompactString;

pub use alone::frames_alone;
pub use assemble::{Assembler, MAX_BYTES, MAX_LINES, Piece, parse_text};
pub use finish::{MAX_CAUSES, MAX_FRAMES};
pub use first::First;
pub(super) use java::is_library as is_java_library;
pub(super) use place::is_package;
pub(super) use python::is_library as is_python_library;
pub use registry::{Parsers, shipped};

/// An exception as it was printed.
#[derive(Debug, Clone, PartialEq)]
pub struct Exception {
    /// The language that printed it.
    pub language: Language,
    /// `exception.type`; empty where the text ends before it is named.
    pub name: String,
    /// `exception.message`, with its line breaks; `None` where there was none.
    pub message: Option<String>,
    /// Innermost first.
    pub frames: Vec<Frame>,
    /// Nearest first, flattened.
    pub causes: Vec<Cause>,
    /// ERROR (17), or 21 for what ends a program or a host.
    pub severity: u8,
    /// `exception.stacktrace`: the text as printed. The assembler fills it in.
    pub text: String,
    /// Pid that the text itself names (kernel lines).
    pub pid: Option<u32>,
    /// Frames that were left out of the middle.
    pub frames_omitted: u64,
    /// Causes that were left out of the middle.
    pub causes_omitted: u64,
}

impl Exception {
    /// Whether it counts only where a logger said ERROR: Go's put stacks, which
    /// say nothing of an exception, behind lines of other levels as well, and
    /// PHP's put the object into the line of what is merely deprecated.
    #[must_use]
    pub fn needs_error(&self) -> bool {
        match self.language {
            Language::Go => self.name.is_empty(),
            Language::Php => php::is_whole(&self.text),
            _ => false,
        }
    }

    /// Type and message, as far as they are known.
    #[must_use]
    pub fn headline(&self) -> String {
        let message = self.message.as_deref().unwrap_or_default();
        match (self.name.as_str(), message) {
            ("", message) => message.to_owned(),
            (name, "") => name.to_owned(),
            (name, message) => format!("{name}: {message}"),
        }
    }
}

/// One line of a stack. Nearly all names fit into a string without an allocation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frame {
    /// As printed, without the argument list.
    pub function: Option<CompactString>,
    /// Module, package or class, where it was split from the function.
    pub module: Option<CompactString>,
    /// File as printed.
    pub file: Option<CompactString>,
    /// From 1.
    pub line: Option<u64>,
    /// As printed.
    pub column: Option<u64>,
    /// False for standard libraries and packages.
    pub in_app: bool,
}

/// An exception behind, or within, another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cause {
    /// Its type, as of [`Exception::name`]; empty where nothing names it.
    pub name: String,
    /// Its message.
    pub message: Option<String>,
    /// Innermost first.
    pub frames: Vec<Frame>,
    /// How it belongs to the incident.
    pub relation: Relation,
}

/// How a cause belongs to its exception.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Relation {
    /// It was raised because of this one.
    Cause,
    /// It was raised while this one was handled.
    Context,
    /// It was put aside.
    Suppressed,
    /// It is a part of a group.
    Member,
}

/// The languages, as in `language`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Language {
    Python,
    /// Also Kotlin and Scala.
    Java,
    Go,
    JavaScript,
    Rust,
    Ruby,
    CSharp,
    Php,
    /// Also the sanitizers.
    Cpp,
    Elixir,
    Dart,
    Kernel,
    /// Not known: reported by a type and a message alone.
    Unknown,
}

/// Reads the traces of one language.
pub trait ExceptionParser: Send + Sync {
    /// Whose traces.
    fn language(&self) -> Language;

    /// One of these is in every first line. Lines without any sign of any
    /// parser are most of all lines; one search finds that out.
    fn signs(&self) -> &'static [Sign];

    /// Whether a trace could begin with this line, which has one of the signs.
    fn begins(&self, line: &First<'_>) -> Option<Begin>;

    /// Whether the trace goes on with this line. `state` is the parser's own.
    fn goes_on(&self, state: &mut State, line: &[u8]) -> Next;

    /// Reads a whole trace, lines separated by `\n`. `None` where it is none
    /// after all: then its lines are ordinary text.
    fn parse(&self, text: &str) -> Option<Exception>;
}

/// What tells a line that a trace may begin with from all others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sign {
    /// It has this text in it.
    Text(&'static str),
    /// It begins with what looks like the name of a class.
    Class,
    /// It begins with a tab, and the name of a class for sure.
    Indented,
    /// It is one word with a dot in it.
    Function,
    /// It has such a name behind other words: `Cannot serve: IOError: closed`.
    Label,
}

/// A first line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begin {
    /// It is a trace, whatever follows.
    Sure(State),
    /// It is one only if the next lines go on with it. If a trace is open that
    /// is not sure of this line, it ends here.
    Likely(State),
    /// As `Likely`, but only where no trace is open.
    Maybe(State),
}

/// What a parser remembers between two lines of a trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct State {
    /// Which part of the trace the last line was.
    pub part: u32,
    /// A number of the parser's choice.
    pub number: u32,
}

/// What a line is to an open trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// A part, and the trace is one for sure.
    Part,
    /// A part, unless another trace begins with it: a line of a message that
    /// no later line will confirm.
    Weak,
    /// A part only if a later line is one: a blank line, a line of a message.
    Maybe,
    /// Its last line.
    Last,
    /// No part of it: the trace ended before.
    No,
    /// No part of it, nor are so many lines before it that were taken for
    /// such.
    Back(u32),
}
