//! Where a message ends. Nothing marks its lines, so this is told by what is
//! around them:
//!
//! - A message is whole at its first line where it is the `repr` of a key,
//!   where there is none, where it is the very text that the innermost line of
//!   the program raises (`raise ValueError("closed")`), or where the
//!   interpreter raised one of its own types, whose messages have one line.
//! - Otherwise a line goes on with it that is indented, closes a bracket,
//!   comes after one that ends as nothing ends (`:`, `,`, an open bracket), or
//!   has a label that drivers of databases use.
//! - Lines without any mark do, too, but only a few of them: up to a line with
//!   a head, to the next trace, or to the end of the text, which is where an
//!   interpreter that dies stops writing. More of them are the text of
//!   somebody else, and none of them is a part.

/// Most lines in a row that have no mark.
const MOST_UNMARKED: u32 = 10;
/// Most lines of a message that nothing confirms.
const MOST: u32 = 200;

/// Within [`Evidence`]: no line of the program was seen.
const NOTHING: u32 = 0;
/// The line raises nothing: the interpreter, or a module in C, did.
const INTERPRETER: u32 = 1;
/// What the line raises cannot be told.
const UNKNOWN: u32 = 2;

/// What the interpreter itself raises, always with one line.
const ONE_LINE: [&[u8]; 30] = [
    b"AttributeError",
    b"BlockingIOError",
    b"BrokenPipeError",
    b"ChildProcessError",
    b"ConnectionAbortedError",
    b"ConnectionRefusedError",
    b"ConnectionResetError",
    b"EOFError",
    b"FileExistsError",
    b"FileNotFoundError",
    b"IndexError",
    b"InterruptedError",
    b"IsADirectoryError",
    b"KeyError",
    b"KeyboardInterrupt",
    b"MemoryError",
    b"ModuleNotFoundError",
    b"NameError",
    b"NotADirectoryError",
    b"OSError",
    b"OverflowError",
    b"PermissionError",
    b"RecursionError",
    b"StopIteration",
    b"TimeoutError",
    b"TypeError",
    b"UnboundLocalError",
    b"UnicodeDecodeError",
    b"UnicodeEncodeError",
    b"ZeroDivisionError",
];

/// What the innermost line of the program says of the message, in 24 bits:
/// nothing, or length and sum of the text that is raised.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Evidence(pub u32);

impl Evidence {
    /// Nothing is known.
    pub const NONE: Self = Self(NOTHING);

    /// Takes in one more line of a frame: a line of the program, or what
    /// points into it.
    #[must_use]
    pub fn line(self, line: &[u8]) -> Self {
        let text = line.trim_ascii();
        // loguru shows the values below.
        let shows = ["│", "└"]
            .iter()
            .any(|bar| text.starts_with(bar.as_bytes()));
        let points = shows || text.iter().all(|byte| matches!(byte, b'^' | b'~' | b' '));
        if points || text.starts_with(b"[Previous line") {
            return self;
        }
        // Of a statement of several lines, no single one tells.
        if self != Self::NONE {
            return Self(UNKNOWN);
        }
        let raises = [b"raise".as_slice(), b"assert"]
            .iter()
            .any(|word| text.starts_with(word) || memchr::memmem::find(text, word).is_some());
        if !raises {
            return Self(INTERPRETER);
        }
        Self(literal(text).map_or(UNKNOWN, mark))
    }

    /// Whether a message ends with its first line, `Type: message`.
    #[must_use]
    pub fn is_whole(self, line: &[u8]) -> bool {
        let Some(colon) = memchr::memchr(b':', line) else {
            return true;
        };
        let (name, message) = line.split_at(colon);
        let message = message.strip_prefix(b": ").unwrap_or_default();
        // The system's own words, and a file: one line, whoever raises it.
        let system = message.starts_with(b"[Errno ");
        match self.0 {
            _ if system => true,
            _ if name == b"KeyError" && !message.is_empty() => true,
            NOTHING | UNKNOWN => false,
            INTERPRETER => ONE_LINE.contains(&name) && !message.is_empty(),
            literal => literal == mark(message),
        }
    }
}

/// The text in quotes that a line raises, where nothing is put into it.
fn literal(line: &[u8]) -> Option<&[u8]> {
    let open = memchr::memchr2(b'"', b'\'', line)?;
    let quote = *line.get(open)?;
    // Of other kinds, such as f"" and r"", the text may differ.
    let before = line.get(open.checked_sub(1)?)?;
    let rest = line.get(open + 1..)?;
    let end = memchr::memchr(quote, rest)?;
    let (text, behind) = rest.split_at(end);
    let plain = matches!(before, b'(' | b' ') && !text.contains(&b'\\') && !text.is_empty();
    let closed = behind.get(1..)?.starts_with(b")") || behind.len() == 1;
    (plain && closed).then_some(text)
}

/// Length and sum of a text, in 24 bits.
fn mark(text: &[u8]) -> u32 {
    let length = u32::try_from(text.len().clamp(1, 255)).unwrap_or(255);
    let sum = text.iter().fold(0_u16, |sum, &byte| {
        sum.wrapping_mul(31).wrapping_add(byte.into())
    });
    length << 16 | u32::from(sum)
}

/// How far a message got, in 24 bits.
#[derive(Debug, Clone, Copy, Default)]
pub struct Progress {
    lines: u32,
    /// Lines without a mark since the last one that has one.
    unmarked: u32,
    /// The last line ended as if more followed.
    open: bool,
}

/// What a line is to a message.
pub enum Taken {
    /// A part.
    Part(Progress),
    /// None, and so many lines before it are none either.
    No(u32),
}

impl Progress {
    /// After the first line.
    #[must_use]
    pub fn first(line: &[u8]) -> Self {
        Self {
            open: is_unfinished(line),
            ..Self::default()
        }
    }

    /// From 24 bits.
    #[must_use]
    pub fn unpack(bits: u32) -> Self {
        Self {
            lines: bits & 0xfff,
            unmarked: bits >> 12 & 0xff,
            open: bits >> 20 & 1 == 1,
        }
    }

    /// In 24 bits.
    #[must_use]
    pub fn pack(self) -> u32 {
        self.lines | self.unmarked << 12 | u32::from(self.open) << 20
    }

    /// Takes in a line that begins nothing else.
    #[must_use]
    pub fn line(self, line: &[u8]) -> Taken {
        let marked = self.open || is_marked(line);
        if self.lines >= MOST {
            return Taken::No(0);
        }
        if !marked && self.unmarked >= MOST_UNMARKED {
            return Taken::No(self.unmarked);
        }
        Taken::Part(Self {
            lines: self.lines + 1,
            unmarked: if marked { 0 } else { self.unmarked + 1 },
            open: is_unfinished(line),
        })
    }
}

/// Indented, a bracket that closes, a label.
fn is_marked(line: &[u8]) -> bool {
    let labels: [&[u8]; 10] = [
        b"LINE ",
        b"DETAIL: ",
        b"HINT: ",
        b"CONTEXT: ",
        b"QUERY: ",
        b"[SQL: ",
        b"[parameters: ",
        b"(Background on",
        b"Reason: ",
        b"HTTP response ",
    ];
    matches!(line.first(), Some(b' ' | b'\t' | b')' | b']' | b'}' | b'>'))
        || labels.iter().any(|label| line.starts_with(label))
}

/// Whether more must follow.
fn is_unfinished(line: &[u8]) -> bool {
    matches!(
        line.trim_ascii_end().last(),
        Some(b':' | b',' | b'(' | b'[' | b'{' | b'\\')
    )
}
