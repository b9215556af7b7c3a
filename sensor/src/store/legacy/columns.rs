//! The columns of a table, read from the text that created it.

/// A column, as a row has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name, in lower case.
    pub name: String,
    /// Its value is the number of the row, and the row itself holds NULL.
    pub is_row_number: bool,
}

/// A word of SQL.
#[derive(Debug, PartialEq, Eq)]
enum Word {
    /// As it stands there, in lower case.
    Bare(String),
    /// A name in quotes.
    Quoted(String),
    /// Any other character.
    Sign(char),
}

/// Words at which a constraint of the table begins, not a column.
const CONSTRAINTS: [&str; 5] = ["constraint", "primary", "unique", "check", "foreign"];

/// The stored columns of `CREATE TABLE … (…)`, in their order; empty where the
/// text is none.
#[must_use]
pub fn columns(sql: &str) -> Vec<Column> {
    let words = words(sql);
    let open = words.iter().position(|word| *word == Word::Sign('('));
    let Some(open) = open else {
        return Vec::new();
    };
    let mut columns = Vec::new();
    let mut keys = Vec::new();
    let mut depth = 0_usize;
    let mut part: Vec<&Word> = Vec::new();
    for word in &words[open + 1..] {
        match word {
            Word::Sign('(') => depth += 1,
            Word::Sign(')') if depth == 0 => break,
            Word::Sign(')') => depth -= 1,
            Word::Sign(',') if depth == 0 => {
                take(&part, &mut columns, &mut keys);
                part.clear();
                continue;
            }
            _ => {}
        }
        part.push(word);
    }
    take(&part, &mut columns, &mut keys);
    if let [key] = keys.as_slice() {
        for (column, is_integer) in &mut columns {
            column.is_row_number |= *is_integer && column.name == *key;
        }
    }
    columns.into_iter().map(|(column, _)| column).collect()
}

/// Takes in what stands between two commas; with each column, whether its type
/// is `INTEGER`.
fn take(part: &[&Word], columns: &mut Vec<(Column, bool)>, keys: &mut Vec<String>) {
    let bare = |word: &str| part.iter().any(|one| is(one, word));
    let name = match part.first() {
        Some(Word::Bare(word)) if CONSTRAINTS.contains(&word.as_str()) => {
            if bare("primary") {
                let inside = part.iter().skip_while(|one| ***one != Word::Sign('('));
                keys.extend(inside.filter_map(|word| match word {
                    Word::Bare(name) | Word::Quoted(name) => Some(name.to_lowercase()),
                    Word::Sign(_) => None,
                }));
            }
            return;
        }
        Some(Word::Bare(name)) => name.clone(),
        Some(Word::Quoted(name)) => name.to_lowercase(),
        _ => return,
    };
    // What is computed when it is read has no place in the row.
    if bare("as") && !bare("stored") {
        return;
    }
    let is_integer = part.get(1).is_some_and(|word| is(word, "integer"))
        && !matches!(part.get(2), Some(Word::Bare(more)) if !is_constraint_of_column(more));
    let column = Column {
        name,
        is_row_number: is_integer && bare("primary") && !bare("desc"),
    };
    columns.push((column, is_integer));
}

fn is(word: &Word, text: &str) -> bool {
    matches!(word, Word::Bare(bare) if bare == text)
}

/// Whether a word behind a type is no part of the type.
fn is_constraint_of_column(word: &str) -> bool {
    [
        "primary",
        "not",
        "null",
        "unique",
        "default",
        "check",
        "collate",
        "references",
        "constraint",
        "generated",
        "as",
    ]
    .contains(&word)
}

fn words(sql: &str) -> Vec<Word> {
    let mut words = Vec::new();
    let mut rest = sql.trim_start();
    while let Some(first) = rest.chars().next() {
        let behind = &rest[first.len_utf8()..];
        rest = match first {
            '-' if behind.starts_with('-') => after(behind, "\n"),
            '/' if behind.starts_with('*') => after(&behind[1..], "*/"),
            '"' | '`' | '\'' | '[' => {
                let close = if first == '[' { ']' } else { first };
                let (name, after) = quoted(behind, close);
                words.push(Word::Quoted(name));
                after
            }
            _ if is_part_of_word(first) => {
                let end = rest.find(|c| !is_part_of_word(c)).unwrap_or(rest.len());
                words.push(Word::Bare(rest[..end].to_lowercase()));
                &rest[end..]
            }
            _ if first.is_whitespace() => behind,
            _ => {
                words.push(Word::Sign(first));
                behind
            }
        };
    }
    words
}

fn is_part_of_word(char: char) -> bool {
    char.is_alphanumeric() || char == '_' || char == '$'
}

/// What is behind `end`.
fn after<'a>(text: &'a str, end: &str) -> &'a str {
    text.split_once(end).map_or("", |(_, after)| after)
}

/// A name up to its closing quote, which stands for itself where it is twice.
fn quoted(text: &str, close: char) -> (String, &str) {
    let mut name = String::new();
    let mut chars = text.char_indices().peekable();
    while let Some((at, char)) = chars.next() {
        if char != close {
            name.push(char);
        } else if close != ']' && chars.peek().is_some_and(|&(_, next)| next == close) {
            name.push(char);
            chars.next();
        } else {
            return (name, &text[at + char.len_utf8()..]);
        }
    }
    (name, "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_found_by_name_however_they_were_written() {
        for (sql, expected, row_number) in [
            (
                "CREATE TABLE hosts(id TEXT PRIMARY KEY, hostname TEXT)",
                "id hostname",
                None,
            ),
            (
                "create table \"a (b\" (\n  [ID] integer primary key autoincrement, -- a, b\n  \
                 `Full, name` VARCHAR(10, 2) DEFAULT ('a,b'), /* x, */ \"q\"\"q\" CHECK (x IN (1, 2)),\n  \
                 PRIMARY KEY (q), UNIQUE(a, b), FOREIGN KEY (x) REFERENCES y(z))",
                "id full, name q\"q",
                Some(0),
            ),
            (
                "CREATE TABLE t(a TEXT, b INTEGER, PRIMARY KEY (b))",
                "a b",
                Some(1),
            ),
            ("CREATE TABLE t(a INT PRIMARY KEY, b)", "a b", None),
            (
                "CREATE TABLE t(a, g AS (a + 1), s GENERATED ALWAYS AS (a) STORED)",
                "a s",
                None,
            ),
            (
                "CREATE TABLE t(a, b INTEGER, PRIMARY KEY (a, b))",
                "a b",
                None,
            ),
            ("nonsense", "", None),
            ("CREATE TABLE t(\"", "", None),
        ] {
            let found = columns(sql);
            let names: Vec<_> = found.iter().map(|column| column.name.as_str()).collect();
            let number = found.iter().position(|column| column.is_row_number);
            assert_eq!(
                (names.join(" ").trim(), number),
                (expected, row_number),
                "{sql}"
            );
        }
    }
}
