//! What a collector says that it received.

use std::collections::BTreeMap;

/// Attributes as they are printed, by key.
pub type Attributes = BTreeMap<String, String>;

/// A log record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// Its event name.
    pub name: String,
    /// Its attributes.
    pub attributes: Attributes,
}

/// A data point.
#[derive(Debug, Clone, PartialEq)]
pub struct Point {
    /// Attributes of the resource.
    pub resource: Attributes,
    /// Name of the metric.
    pub metric: String,
    /// It is a sum that never falls.
    pub is_monotonic: bool,
    /// Its own attributes.
    pub attributes: Attributes,
    /// From when it counts, ns.
    pub start: u64,
    /// Of when it is, ns.
    pub time: u64,
    /// The number; of a histogram, how many values.
    pub value: f64,
}

/// All of it, in the order of arrival within a signal.
#[derive(Debug, Default)]
pub struct Received {
    /// Log records.
    pub records: Vec<Record>,
    /// Data points.
    pub points: Vec<Point>,
}

impl Record {
    /// An attribute that is text.
    #[must_use]
    pub fn text(&self, key: &str) -> Option<&str> {
        text(self.attributes.get(key)?)
    }
}

impl Point {
    /// An attribute of the resource that is text.
    #[must_use]
    pub fn of(&self, key: &str) -> Option<&str> {
        text(self.resource.get(key)?)
    }
}

fn text(value: &str) -> Option<&str> {
    value.strip_prefix("Str(")?.strip_suffix(')')
}

/// Where the attributes belong that come next.
#[derive(Clone, Copy)]
enum Place {
    Resource,
    Point,
    Record,
    Elsewhere,
}

impl Received {
    /// Reads what [`Collector::output`](crate::collector::Collector::output)
    /// returned.
    #[must_use]
    pub fn parse(output: &str) -> Self {
        let mut received = Self::default();
        let mut resource = Attributes::new();
        let mut point = Point {
            resource: Attributes::new(),
            metric: String::new(),
            is_monotonic: false,
            attributes: Attributes::new(),
            start: 0,
            time: 0,
            value: 0.0,
        };
        // What is being printed: there when the line behind its attributes is.
        let mut record: Option<Record> = None;
        let mut place = Place::Elsewhere;
        for line in output.lines() {
            let line = line.trim();
            if let Some(attribute) = line.strip_prefix("-> ") {
                let Some((key, value)) = attribute.split_once(": ") else {
                    continue;
                };
                match (place, key) {
                    (Place::Resource, _) => {
                        resource.insert(key.to_owned(), value.to_owned());
                    }
                    (Place::Point, _) => {
                        point.attributes.insert(key.to_owned(), value.to_owned());
                    }
                    (Place::Record, _) => {
                        if let Some(record) = &mut record {
                            record.attributes.insert(key.to_owned(), value.to_owned());
                        }
                    }
                    (Place::Elsewhere, "Name") => value.clone_into(&mut point.metric),
                    (Place::Elsewhere, "IsMonotonic") => point.is_monotonic = value == "true",
                    (Place::Elsewhere, _) => {}
                }
                continue;
            }
            let Some((key, value)) = line.split_once(':').map(|(k, v)| (k, v.trim())) else {
                if line.contains("DataPoints #") {
                    point.attributes.clear();
                    place = Place::Elsewhere;
                } else if line.starts_with("Metric #") {
                    point.is_monotonic = false;
                    point.attributes.clear();
                }
                continue;
            };
            match key.trim_end() {
                "Resource attributes" => {
                    resource.clear();
                    place = Place::Resource;
                }
                "Data point attributes" => place = Place::Point,
                "EventName" => {
                    record = Some(Record {
                        name: value.to_owned(),
                        attributes: Attributes::new(),
                    });
                    place = Place::Elsewhere;
                }
                "Trace ID" => received.records.extend(record.take()),
                "Attributes" => place = Place::Record,
                "StartTimestamp" => point.start = value.parse().unwrap_or(0),
                "Timestamp" => point.time = value.parse().unwrap_or(0),
                "Value" | "Count" => {
                    point.value = value.parse().unwrap_or(f64::NAN);
                    point.resource.clone_from(&resource);
                    received.points.push(point.clone());
                    place = Place::Elsewhere;
                }
                _ => place = Place::Elsewhere,
            }
        }
        received
    }

    /// The points of one metric of one service, in order of arrival.
    pub fn of<'a>(&'a self, service: &str, metric: &str) -> impl Iterator<Item = &'a Point> {
        self.points.iter().filter(move |point| {
            point.metric == metric && point.of("service.name") == Some(service)
        })
    }
}
