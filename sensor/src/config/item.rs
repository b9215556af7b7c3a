//! One value of a file, read as the type that its key wants.

use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::duration::{format_duration, parse_duration};
use super::reader::{Document, Table, join};

/// Longer texts are cut where they are repeated in a message.
const MAX_SHOWN_CHARS: usize = 60;

/// A value that has one of a fixed list of names.
pub trait Choice: Copy + 'static {
    /// Every value with its name in the file.
    const NAMES: &'static [(&'static str, Self)];

    /// The value with this name.
    ///
    /// # Errors
    /// A message with the nearest name and the list.
    fn from_name(name: &str) -> Result<Self, String> {
        if let Some((_, value)) = Self::NAMES.iter().find(|(known, _)| *known == name) {
            return Ok(*value);
        }
        let (shown, list) = (shown(name), Self::list());
        Err(format!("`{shown}` is none of the possible values: {list}"))
    }

    /// All names, for a message.
    #[must_use]
    fn list() -> String {
        let names: Vec<&str> = Self::NAMES.iter().map(|(name, _)| *name).collect();
        names.join(", ")
    }

    /// The name of the value.
    #[must_use]
    fn name(self) -> &'static str
    where
        Self: PartialEq,
    {
        let found = Self::NAMES.iter().find(|(_, value)| *value == self);
        found.map_or("", |(name, _)| name)
    }
}

/// A value, its dotted key and its line. What is of another type than asked
/// for becomes a recorded problem, and the answer is `None`.
#[derive(Clone)]
pub struct Item<'d> {
    document: &'d Document<'d>,
    key: String,
    line: usize,
    value: &'d DeValue<'d>,
}

impl<'d> Item<'d> {
    pub(super) fn new(
        document: &'d Document<'d>,
        key: String,
        line: usize,
        value: &'d DeValue<'d>,
    ) -> Self {
        Self {
            document,
            key,
            line,
            value,
        }
    }

    /// The dotted key.
    #[must_use]
    pub fn key(&self) -> &str {
        &self.key
    }

    /// The line, from 1; of an array element, its own.
    #[must_use]
    pub fn line(&self) -> usize {
        self.line
    }

    /// Records a fault of this value.
    pub fn fault(&self, message: String) {
        self.document
            .fault(Some(self.line), self.key.clone(), message);
    }

    /// Any text.
    #[must_use]
    pub fn string(&self) -> Option<String> {
        self.or_type(self.value.as_str().map(str::to_owned), "a string")
    }

    /// Text that is not empty.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        let text = self.string()?;
        if text.is_empty() {
            self.fault("must not be empty".to_owned());
            return None;
        }
        Some(text)
    }

    /// Any text, or a whole number as text.
    #[must_use]
    pub fn string_or_integer(&self) -> Option<String> {
        let text = match self.value {
            DeValue::Integer(number) => i128::from_str_radix(number.as_str(), number.radix())
                .ok()
                .map(|number| number.to_string()),
            other => other.as_str().map(str::to_owned),
        };
        self.or_type(text, "a string or a whole number")
    }

    /// True or false.
    #[must_use]
    pub fn boolean(&self) -> Option<bool> {
        self.or_type(self.value.as_bool(), "true or false")
    }

    /// A whole number in a range.
    #[must_use]
    pub fn integer<T>(&self, range: RangeInclusive<T>) -> Option<T>
    where
        T: TryFrom<i128> + PartialOrd + std::fmt::Display,
    {
        let integer = self.or_type(self.value.as_integer(), "a whole number")?;
        let value = i128::from_str_radix(integer.as_str(), integer.radix())
            .ok()
            .and_then(|value| T::try_from(value).ok())
            .filter(|value| range.contains(value));
        if value.is_none() {
            self.fault(format!(
                "{} is out of range; it must be from {} to {}",
                shown(&integer.to_string()),
                range.start(),
                range.end()
            ));
        }
        value
    }

    /// A number, with or without a fraction; infinity and NaN are none.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        let (text, radix) = match self.value {
            DeValue::Integer(number) => (number.as_str(), number.radix()),
            DeValue::Float(number) => (number.as_str(), 10),
            _ => return self.or_type(None, "a number"),
        };
        let number = match radix {
            10 => text.parse().ok(),
            radix => i128::from_str_radix(text, radix).ok().map(|n| n as f64),
        };
        let finite = number.filter(|number: &f64| number.is_finite());
        if finite.is_none() {
            self.fault(format!("{} is not a finite number", shown(text)));
        }
        finite
    }

    /// A duration in a range: `"10s"`, or a number of seconds.
    #[must_use]
    pub fn duration(&self, range: RangeInclusive<Duration>) -> Option<Duration> {
        let text = match self.value {
            DeValue::String(text) => text.as_ref(),
            DeValue::Integer(number) if number.radix() == 10 => number.as_str(),
            DeValue::Float(number) => number.as_str(),
            _ => return self.or_type(None, "a duration such as \"10s\" or a number of seconds"),
        };
        let checked = parse_duration(text)
            .map_err(|error| error.to_string())
            .and_then(|duration| in_range(duration, &range));
        checked.map_err(|message| self.fault(message)).ok()
    }

    /// One of the names of `C`.
    #[must_use]
    pub fn choice<C: Choice>(&self) -> Option<C> {
        let wanted = format!("one of {}", C::list());
        let name = self.or_type(self.value.as_str(), &wanted)?;
        C::from_name(name)
            .map_err(|message| self.fault(message))
            .ok()
    }

    /// The elements of an array, each with its own line.
    #[must_use]
    pub fn elements(&self) -> Option<Vec<Self>> {
        let array = self.or_type(self.value.as_array(), "an array")?;
        let elements = array.iter().map(|element| Self {
            document: self.document,
            key: self.key.clone(),
            line: self.document.line(element.span().start),
            value: element.get_ref(),
        });
        Some(elements.collect())
    }

    /// Whether it is an array without elements.
    #[must_use]
    pub fn is_empty_array(&self) -> bool {
        self.value.as_array().is_some_and(|array| array.is_empty())
    }

    /// An array of texts; elements that are none are recorded and left out.
    #[must_use]
    pub fn strings(&self) -> Option<Vec<(Self, String)>> {
        let elements = self.elements()?.into_iter();
        let strings = elements.filter_map(|element| {
            let text = element.name()?;
            Some((element, text))
        });
        Some(strings.collect())
    }

    /// A table of texts with free keys, by key; values that are no text are
    /// recorded and left out.
    #[must_use]
    pub fn string_map(&self) -> Option<Vec<(Self, String, String)>> {
        let entries = self.table()?.iter();
        let strings = entries.filter_map(|(name, value)| {
            let item = Self {
                document: self.document,
                key: join(&self.key, name.get_ref()),
                line: self.document.line(name.span().start),
                value: value.get_ref(),
            };
            if item.is_table() {
                let name = shown(name.get_ref());
                item.fault(format!(
                    "expected a string, found a table; put a name with dots into quotes: \"{name}.…\""
                ));
                return None;
            }
            let text = item.string()?;
            Some((item, name.get_ref().to_string(), text))
        });
        Some(strings.collect())
    }

    /// A table of tables with free keys, by key; what is no table is recorded
    /// and left out.
    #[must_use]
    pub fn tables(&self) -> Vec<(String, Table<'d>)> {
        let entries = self.table().into_iter().flatten();
        let tables = entries.filter_map(|(name, value)| {
            let item = Self {
                document: self.document,
                key: join(&self.key, name.get_ref()),
                line: self.document.line(name.span().start),
                value: value.get_ref(),
            };
            let entries = item.table()?;
            let table = Table::new(self.document, item.key, Some(item.line), Some(entries));
            Some((name.get_ref().to_string(), table))
        });
        tables.collect()
    }

    /// Whether it is a table.
    #[must_use]
    pub fn is_table(&self) -> bool {
        matches!(self.value, DeValue::Table(_))
    }

    pub(super) fn table(&self) -> Option<&'d DeTable<'d>> {
        self.or_type(self.value.as_table(), "a table")
    }

    fn or_type<T>(&self, value: Option<T>, wanted: &str) -> Option<T> {
        if value.is_none() {
            let found = match self.value {
                DeValue::String(_) => "a string",
                DeValue::Integer(_) => "a whole number",
                DeValue::Float(_) => "a number with a fraction",
                DeValue::Boolean(_) => "true or false",
                DeValue::Datetime(_) => "a date or time",
                DeValue::Array(_) => "an array",
                DeValue::Table(_) => "a table",
            };
            self.fault(format!("wrong type: expected {wanted}, found {found}"));
        }
        value
    }
}

/// Checks a duration against its bounds.
///
/// # Errors
/// A message with the bounds.
pub fn in_range(duration: Duration, range: &RangeInclusive<Duration>) -> Result<Duration, String> {
    if range.contains(&duration) {
        return Ok(duration);
    }
    Err(format!(
        "{} is out of range; it must be from {} to {}",
        format_duration(duration),
        format_duration(*range.start()),
        format_duration(*range.end())
    ))
}

/// Foreign text as it may stand in a message: escaped, and cut where long.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut shown: String = text
        .chars()
        .take(MAX_SHOWN_CHARS)
        .flat_map(|c| {
            let escape = c.is_control().then(|| c.escape_default());
            let plain = (!c.is_control()).then_some(c);
            escape.into_iter().flatten().chain(plain)
        })
        .collect();
    if text.chars().nth(MAX_SHOWN_CHARS).is_some() {
        shown.push('…');
    }
    shown
}
