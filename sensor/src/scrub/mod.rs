//! Secrets vanish here, before anything leaves the process.
//!
//! Command lines and log text come from foreign programs, and people put
//! passwords into both. A [`Scrubber`] replaces them by `********` and leaves
//! every other byte as it was. It errs on the side of the mask where a word
//! such as `password` has a value behind it, and on the side of the text
//! where it has none.
//!
//! One search for a few literals (`rules`) lets ordinary input pass; only
//! behind a literal do the words, shapes and programs look closer.

mod args;
mod lines;
mod names;
mod pair;
mod programs;
mod rules;
mod shapes;
mod spans;
mod text;
mod value;
mod words;

#[cfg(test)]
mod tests;

use std::io::{self, BufRead, Write};
use std::sync::atomic::{AtomicU64, Ordering};

use lines::Lines;
use rules::Rules;
pub use spans::MASK;

/// What to mask besides the built-in words and formats, and what not.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ScrubConfig {
    /// Words that announce a secret, on top of the built-in ones. Case and
    /// separators don't matter.
    pub words: Vec<String>,
    /// Regular expressions; every match is masked, within one line.
    pub patterns: Vec<String>,
    /// Words that are harmless here, though built in or part of a name with
    /// a built-in word.
    pub keep: Vec<String>,
}

/// A scrubber that cannot be built.
#[derive(Debug, thiserror::Error)]
pub enum ScrubError {
    /// A pattern is no regular expression.
    #[error("scrub pattern `{pattern}` is no valid regular expression")]
    Pattern {
        /// The pattern as it was configured.
        pattern: String,
        /// What is wrong with it.
        source: Box<regex::Error>,
    },
    /// A word has no letter, or too many to be found in a name.
    #[error("scrub word `{0}` needs 1 to 128 letters besides `_`, `-`, `.` and blanks")]
    Word(String),
    /// The built-in rules and the words together are too large to compile.
    #[error("the scrub rules cannot be compiled")]
    Compile(#[source] Box<dyn std::error::Error + Send + Sync>),
}

/// Masks secrets in arguments and text. Threads may share one.
#[derive(Debug)]
pub struct Scrubber {
    rules: Rules,
    replacements: AtomicU64,
}

impl Scrubber {
    /// Compiles the rules.
    pub fn new(config: &ScrubConfig) -> Result<Self, ScrubError> {
        Ok(Self {
            rules: Rules::new(config)?,
            replacements: AtomicU64::new(0),
        })
    }

    /// Scrubs an argument vector token by token. As many arguments come out
    /// as went in, in the same order.
    pub fn scrub_args(&self, args: &[&[u8]]) -> Vec<Vec<u8>> {
        self.scrub_args_if_needed(args)
            .unwrap_or_else(|| args.iter().map(|arg| arg.to_vec()).collect())
    }

    /// Like [`scrub_args`](Self::scrub_args), but `None` where nothing had to
    /// be masked: then nothing is copied, and mostly nothing is allocated.
    pub fn scrub_args_if_needed(&self, args: &[&[u8]]) -> Option<Vec<Vec<u8>>> {
        args::scrub(self, args)
    }

    /// Scrubs text line by line. Line ends and bytes that are no UTF-8 stay.
    pub fn scrub_text(&self, text: &[u8]) -> Vec<u8> {
        Lines::new(self).all(text)
    }

    /// Scrubs text from a stream until its end. A line above 1 MiB is
    /// processed in pieces, so that memory stays bounded.
    pub fn scrub_stream(&self, input: impl BufRead, output: impl Write) -> io::Result<()> {
        Lines::new(self).stream(input, output)
    }

    /// How many secrets have been masked so far.
    pub fn replacements(&self) -> u64 {
        self.replacements.load(Ordering::Relaxed)
    }

    fn count(&self, replacements: u64) {
        if replacements > 0 {
            self.replacements.fetch_add(replacements, Ordering::Relaxed);
        }
    }
}
