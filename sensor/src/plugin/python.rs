//! Python as far as constants go: the tokens of a file, cut into logical
//! lines. Nothing is executed, and nothing else is understood.
//!
//! Own code, because what exists brings a whole compiler (rustpython-parser,
//! ruff), needs C (tree-sitter), or recurses as deep as its input wants
//! (py_literal). Facts are from the Python Language Reference, "Lexical
//! analysis".

mod literal;
mod text;

pub(super) use literal::{Literal, literal};

use std::iter::Peekable;
use std::str::CharIndices;

/// A token of a logical line.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Token {
    /// Line that it begins in, from 1.
    pub(super) line: usize,
    /// What it is.
    pub(super) kind: Kind,
}

/// What a token is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Kind {
    /// A name or a keyword.
    Name(String),
    /// A number as it is written.
    Number(String),
    /// The text of a string literal, or why it has none.
    Text(Result<String, &'static str>),
    /// One character of punctuation.
    Sign(char),
    /// An operator that looks like an assignment, but is none: `==`, `+=`.
    Operator,
}

/// A logical line: what stands between two newlines that count.
#[derive(Debug, Default)]
pub(super) struct Line {
    /// It is indented, so it belongs to something above.
    pub(super) indented: bool,
    /// Never empty.
    pub(super) tokens: Vec<Token>,
}

/// A place where the text is not Python.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// Line, from 1.
    pub(super) line: usize,
    /// What is wrong.
    pub(super) message: &'static str,
}

/// Cuts a file into logical lines.
pub(super) fn lines(source: &str) -> (Vec<Line>, Vec<Fault>) {
    let source = source.strip_prefix('\u{feff}').unwrap_or(source);
    // Universal newlines: Python never sees another one.
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let mut lexer = Lexer {
        source: &source,
        chars: source.char_indices().peekable(),
        line: 1,
        faults: Vec::new(),
    };
    let mut lines = Vec::new();
    while let Some(line) = lexer.logical_line() {
        if !line.tokens.is_empty() {
            lines.push(line);
        }
    }
    (lines, lexer.faults)
}

struct Lexer<'s> {
    source: &'s str,
    chars: Peekable<CharIndices<'s>>,
    line: usize,
    faults: Vec<Fault>,
}

impl Lexer<'_> {
    /// The next logical line, which has no token where it is blank.
    fn logical_line(&mut self) -> Option<Line> {
        self.peek()?;
        let indented = self.blanks();
        let mut tokens = Vec::new();
        // Lines of the brackets that are open.
        let mut open: Vec<usize> = Vec::new();
        while let Some((at, char)) = self.next() {
            match char {
                '\n' if open.is_empty() => break,
                '\n' | ' ' | '\t' | '\x0c' => {}
                '#' => self.comment(),
                '\\' if self.take('\n') => {}
                '(' | '[' | '{' => open.push(self.line),
                ')' | ']' | '}' => drop(open.pop()),
                _ => {}
            }
            if matches!(char, '\n' | ' ' | '\t' | '\x0c' | '#' | '\\') {
                continue;
            }
            let line = self.line;
            let kind = self.token(at, char);
            // Of an indented line nobody wants to know more.
            if !indented || tokens.is_empty() {
                tokens.push(Token { line, kind });
            }
        }
        if let Some(&line) = open.first() {
            self.fault(line, "the bracket that is opened here is not closed");
        }
        Some(Line { indented, tokens })
    }

    fn token(&mut self, at: usize, char: char) -> Kind {
        match char {
            '"' | '\'' => self.string("", char),
            '0'..='9' => self.number(at),
            '.' if self.peek().is_some_and(|next| next.is_ascii_digit()) => self.number(at),
            '_' => self.word(at),
            letter if letter.is_alphabetic() => self.word(at),
            // `=` alone assigns; what ends or begins with it does not.
            '=' if self.take('=') => Kind::Operator,
            '!' | '<' | '>' | '+' | '-' | '*' | '/' | '%' | '&' | '|' | '^' | '@' | ':' => {
                // `**=`, `//=`, `>>=`, `<<=`
                let twice = matches!(char, '*' | '/' | '<' | '>') && self.take(char);
                match self.take('=') || twice {
                    true => Kind::Operator,
                    false => Kind::Sign(char),
                }
            }
            sign => Kind::Sign(sign),
        }
    }

    /// A name, or the letters before a string.
    fn word(&mut self, at: usize) -> Kind {
        let word = self.while_(at, |char| char.is_alphanumeric() || char == '_');
        let prefix = word.len() <= 2 && word.chars().all(|char| "rRbBuUfFtT".contains(char));
        match self.peek() {
            Some(quote @ ('"' | '\'')) if prefix => {
                self.next();
                self.string(&word.to_ascii_lowercase(), quote)
            }
            _ => Kind::Name(word),
        }
    }

    fn number(&mut self, at: usize) -> Kind {
        let mut text = self.while_(at, |char| {
            char.is_ascii_alphanumeric() || matches!(char, '_' | '.')
        });
        // The sign of an exponent: 1e-5, but not 0x1e-5.
        let hex = text.starts_with("0x") || text.starts_with("0X");
        if !hex && text.ends_with(['e', 'E']) {
            let from = self.peek_at();
            if self.take('+') || self.take('-') {
                text.push_str(&self.while_(from, |char| char.is_ascii_digit() || char == '_'));
            }
        }
        Kind::Number(text)
    }

    /// The text from `at`, as long as characters are wanted.
    fn while_(&mut self, at: usize, wanted: impl Fn(char) -> bool) -> String {
        while self.peek().is_some_and(&wanted) {
            self.next();
        }
        let end = self.peek_at();
        self.source.get(at..end).unwrap_or_default().to_owned()
    }

    fn comment(&mut self) {
        while self.peek().is_some_and(|char| char != '\n') {
            self.next();
        }
    }

    /// Passes blanks over; whether there were any.
    fn blanks(&mut self) -> bool {
        let mut indented = false;
        while let Some(char @ (' ' | '\t' | '\x0c')) = self.peek() {
            // A form feed begins the line anew.
            indented = char != '\x0c';
            self.next();
        }
        indented
    }

    fn fault(&mut self, line: usize, message: &'static str) {
        self.faults.push(Fault { line, message });
    }

    fn peek(&mut self) -> Option<char> {
        self.chars.peek().map(|&(_, char)| char)
    }

    fn peek_at(&mut self) -> usize {
        let end = self.source.len();
        self.chars.peek().map_or(end, |&(at, _)| at)
    }

    fn next(&mut self) -> Option<(usize, char)> {
        let next = self.chars.next();
        if let Some((_, '\n')) = next {
            self.line += 1;
        }
        next
    }

    /// Takes a character, if it is the next one.
    fn take(&mut self, wanted: char) -> bool {
        let there = self.peek() == Some(wanted);
        if there {
            self.next();
        }
        there
    }
}
