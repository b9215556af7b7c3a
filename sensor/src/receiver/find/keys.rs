//! Attributes by key.

use std::borrow::Cow;

use opentelemetry_proto::tonic::common::v1::{AnyValue, KeyValue, any_value::Value};

/// The attributes of a span, an event, a record or a resource.
#[derive(Debug, Clone, Copy)]
pub(super) struct Keys<'a>(pub &'a [KeyValue]);

impl<'a> Keys<'a> {
    fn get(self, key: &str) -> Option<&'a Value> {
        let mut all = self.0.iter();
        let found = all.find(|attribute| attribute.key == key)?;
        found.value.as_ref()?.value.as_ref()
    }

    /// The first of the keys that has text.
    pub fn text(self, keys: &[&str]) -> Option<&'a str> {
        keys.iter().find_map(|key| match self.get(key) {
            Some(Value::StringValue(text)) => Some(text.as_str()),
            _ => None,
        })
    }

    /// The first of the keys that has a whole number, or one as text.
    pub fn int(self, keys: &[&str]) -> Option<i64> {
        keys.iter().find_map(|key| match self.get(key)? {
            Value::IntValue(number) => Some(*number),
            Value::StringValue(text) => text.trim().parse().ok(),
            _ => None,
        })
    }

    /// The first of the keys, whatever it has, as text.
    pub fn any(self, keys: &[&str]) -> Option<Cow<'a, str>> {
        keys.iter().find_map(|key| shown(self.get(key)?))
    }
}

/// A value as text; `None` where it says nothing.
pub(super) fn text_of(value: &AnyValue) -> Option<Cow<'_, str>> {
    value.value.as_ref().and_then(shown)
}

fn shown(value: &Value) -> Option<Cow<'_, str>> {
    let text = match value {
        Value::StringValue(text) => Cow::Borrowed(text.as_str()),
        Value::BytesValue(bytes) => String::from_utf8_lossy(bytes),
        _ => json(value, 0).to_string().into(),
    };
    Some(text).filter(|text| !text.is_empty())
}

/// Deeper values are left out.
const DEPTH: usize = 32;

fn json(value: &Value, depth: usize) -> serde_json::Value {
    let inner = |value: Option<&AnyValue>| match value.and_then(|value| value.value.as_ref()) {
        Some(value) if depth < DEPTH => json(value, depth + 1),
        _ => serde_json::Value::Null,
    };
    match value {
        Value::StringValue(text) => text.as_str().into(),
        Value::BoolValue(flag) => (*flag).into(),
        Value::IntValue(number) => (*number).into(),
        Value::DoubleValue(number) => (*number).into(),
        Value::BytesValue(bytes) => String::from_utf8_lossy(bytes).into(),
        Value::StringValueStrindex(_) => serde_json::Value::Null,
        Value::ArrayValue(list) => {
            let each = list.values.iter().map(|value| inner(Some(value)));
            serde_json::Value::Array(each.collect())
        }
        Value::KvlistValue(list) => {
            let pairs = list.values.iter();
            let pairs = pairs.map(|pair| (pair.key.clone(), inner(pair.value.as_ref())));
            serde_json::Value::Object(pairs.collect())
        }
    }
}
