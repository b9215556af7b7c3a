//! `[[custom_metrics]]`, read; what their values may be is in `custom_check`.

use std::collections::BTreeMap;

use super::custom_check::check;
use super::{Aggregate, CustomMetric, Find, Instrument, Scale};
use crate::config::item::{Choice, Item};
use crate::config::reader::Table;

/// Reads all of them. What has the wrong type is noted and then passes for
/// something harmless, so that the rest is checked all the same.
pub(super) fn read(tables: Vec<Table<'_>>) -> Vec<CustomMetric> {
    let (metrics, items): (Vec<_>, Vec<_>) = tables.into_iter().enumerate().map(one).unzip();
    for fault in check(&metrics) {
        let items: Option<&BTreeMap<&str, Item<'_>>> = items.get(fault.index);
        if let Some(item) = items.and_then(|items| items.get(fault.key)) {
            item.fault(fault.message);
        }
    }
    metrics
}

fn one<'d>(
    (index, mut table): (usize, Table<'d>),
) -> (CustomMetric, BTreeMap<&'static str, Item<'d>>) {
    let mut items = BTreeMap::new();
    for key in ["name", "file"] {
        items.extend(table.require(key).map(|item| (key, item)));
    }
    for key in ["field", "regex", "unit", "scale", "instrument", "aggregate"] {
        items.extend(table.take(key).map(|item| (key, item)));
    }
    match (items.get("field"), items.get("regex")) {
        (Some(_), Some(regex)) => {
            regex.fault("field is there too; keep one of the two".to_owned());
        }
        (None, None) => {
            let message = "is missing (or regex): where in the file the number stands";
            table.missing("field", message.to_owned());
        }
        _ => {}
    }
    table.finish();

    let text = |key| items.get(key).and_then(Item::string);
    let field = || Find::Field(text("field").unwrap_or_else(|| "field".to_owned()));
    let metric = CustomMetric {
        name: text("name").unwrap_or_else(|| format!("metric.{index}")),
        file: text("file").unwrap_or_else(|| "/proc/{pid}/status".to_owned()),
        find: text("regex").map_or_else(field, Find::Regex),
        unit: text("unit").unwrap_or_else(|| "1".to_owned()),
        scale: Scale::new(items.get("scale").and_then(Item::number).unwrap_or(1.0)),
        instrument: choice::<Instrument>(items.get("instrument")),
        aggregate: choice::<Aggregate>(items.get("aggregate")),
    };
    (metric, items)
}

fn choice<C: Choice + Default>(item: Option<&Item<'_>>) -> C {
    item.and_then(Item::choice).unwrap_or_default()
}
