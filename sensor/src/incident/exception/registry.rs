//! The parsers that there are, and the one test that every line has to pass
//! before any of them is asked.

use std::sync::{Arc, LazyLock};

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind, packed};

use super::{Begin, ExceptionParser, First, Sign};

/// A set of parsers.
pub struct Parsers {
    list: Vec<Box<dyn ExceptionParser>>,
    /// All texts that first lines have in them.
    signs: AhoCorasick,
    /// The same with vector instructions, several times as fast; there are at
    /// most 64 texts for them, and four bytes of each should be rare.
    packed: Option<packed::Searcher>,
    /// Who waits for a text: bit n is the nth parser; [`LABEL`].
    waiting: Vec<u64>,
    /// Who waits for a line that begins with the name of a class.
    classes: u64,
    /// Who waits for one behind a tab.
    indented: u64,
    /// Who waits for a word with a dot, alone.
    functions: u64,
    /// Who waits for a line that has one behind other words.
    labels: u64,
}

/// From so many bytes on vector instructions are worth what they prepare.
const LONG: usize = 64;
/// The line may have a name behind other words.
const LABEL: u64 = 1 << 32;
/// What such names end with.
const ENDINGS: [&str; 2] = ["Exception", "Error"];

impl std::fmt::Debug for Parsers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let languages = self.list.iter().map(|parser| parser.language());
        f.debug_list().entries(languages).finish()
    }
}

impl Parsers {
    /// These parsers, at most 32. Where two make the same of a trace, the
    /// first one has it.
    ///
    /// # Errors
    ///
    /// The signs make no automaton (too many or too long).
    ///
    /// # Panics
    ///
    /// There are more than 32 parsers.
    pub fn new(list: Vec<Box<dyn ExceptionParser>>) -> Result<Self, aho_corasick::BuildError> {
        assert!(list.len() <= 32, "{} parsers", list.len());
        let mut texts: Vec<&'static str> = Vec::new();
        let mut waiting: Vec<u64> = Vec::new();
        let (mut classes, mut indented, mut functions, mut labels) = (0, 0, 0, 0);
        let mut wait = |text: &'static str, who: u64| {
            if let Some(known) = texts.iter().position(|known| *known == text) {
                waiting[known] |= who;
            } else {
                texts.push(text);
                waiting.push(who);
            }
        };
        for (number, parser) in list.iter().enumerate() {
            for sign in parser.signs() {
                match *sign {
                    Sign::Class => classes |= 1 << number,
                    Sign::Indented => indented |= 1 << number,
                    Sign::Function => functions |= 1 << number,
                    Sign::Label => labels |= 1 << number,
                    Sign::Text(text) => wait(text, 1 << number),
                }
            }
        }
        if labels != 0 {
            ENDINGS.into_iter().for_each(|ending| wait(ending, LABEL));
        }
        // A text within another one is found with it, not after it.
        for (inner, text) in texts.iter().enumerate() {
            for (outer, other) in texts.iter().enumerate() {
                if outer != inner && other.contains(text) {
                    waiting[outer] |= waiting[inner];
                }
            }
        }
        let signs = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .kind(Some(AhoCorasickKind::DFA))
            // That would be the same search again.
            .prefilter(false)
            .build(&texts)?;
        let packed = packed::Config::new()
            .match_kind(packed::MatchKind::LeftmostLongest)
            .builder()
            .extend(&texts)
            .build();
        Ok(Self {
            list,
            signs,
            packed,
            waiting,
            classes,
            indented,
            functions,
            labels,
        })
    }

    /// Tells which parsers see a first line in this one.
    pub(super) fn begin(&self, line: &[u8], found: &mut dyn FnMut(usize, Begin)) {
        if line.is_empty() {
            return;
        }
        let first = First::new(line);
        let mut asked = 0;
        let class = first.is_like_class();
        if class {
            asked |= self.classes;
        } else if first.is_indented_class() {
            asked |= self.indented;
        } else if first.is_function() {
            asked |= self.functions;
        }
        match &self.packed {
            Some(packed) if line.len() >= LONG => {
                for sign in packed.find_iter(line) {
                    asked |= self.waiting[sign.pattern().as_usize()];
                }
            }
            _ => {
                for sign in self.signs.find_iter(line) {
                    asked |= self.waiting[sign.pattern().as_usize()];
                }
            }
        }
        if asked & LABEL != 0 {
            asked &= !LABEL;
            if !class && first.labelled().is_some() {
                asked |= self.labels;
            }
        }
        while asked != 0 {
            let number = asked.trailing_zeros() as usize;
            asked &= asked - 1;
            if let Some(begin) = self.list[number].begins(&first) {
                found(number, begin);
            }
        }
    }

    pub(super) fn get(&self, number: usize) -> &dyn ExceptionParser {
        &*self.list[number]
    }
}

/// The parsers that come with the sensor.
#[must_use]
pub fn shipped() -> Arc<Parsers> {
    static SHIPPED: LazyLock<Arc<Parsers>> = LazyLock::new(|| {
        let list: Vec<Box<dyn ExceptionParser>> = vec![
            Box::new(super::python::Python),
            Box::new(super::java::Java),
            Box::new(super::go::Go),
            Box::new(super::javascript::JavaScript),
            Box::new(super::rust::Rust),
            Box::new(super::ruby::Ruby),
            Box::new(super::csharp::CSharp),
            Box::new(super::php::Php),
            Box::new(super::cpp::Cpp),
            Box::new(super::sanitizer::Sanitizer),
            Box::new(super::elixir::Elixir),
            Box::new(super::dart::Dart),
            Box::new(super::kernel::Kernel),
        ];
        #[expect(clippy::expect_used, reason = "a few constants, built in every test")]
        Arc::new(Parsers::new(list).expect("shipped signs make an automaton"))
    });
    SHIPPED.clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_signs_are_found_with_vector_instructions() {
        let shipped = shipped();
        let texts = shipped.signs.patterns_len();
        assert!(texts <= 64, "{texts} texts");
        assert_eq!(
            shipped.packed.is_some(),
            cfg!(target_arch = "x86_64") || cfg!(target_arch = "aarch64")
        );
    }
}
