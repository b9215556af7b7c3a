//! The sensor's own metrics, by name.

use std::sync::{Arc, Mutex, PoisonError};

use opentelemetry::{
    KeyValue,
    metrics::{AsyncInstrument, MeterProvider},
};
use opentelemetry_sdk::metrics::SdkMeterProvider;

use super::Figures;
use crate::{
    export::{ExporterHandle, SignalStats},
    incident::transport::TransportStats,
};

type Shared = Arc<Mutex<Figures>>;

pub(super) fn register(provider: &SdkMeterProvider, figures: &Shared, exporter: ExporterHandle) {
    let meters = Meters {
        meter: provider.meter("sensor"),
        figures: figures.clone(),
    };
    meters.counter("sensor.events.received", "{event}", |figures, observe| {
        for (kind, count) in figures.received {
            observe.observe(count, &[KeyValue::new("kind", kind)]);
        }
    });
    meters.counter("sensor.events.lost", "{event}", |figures, observe| {
        for (kind, count) in figures.lost {
            let attributes = [KeyValue::new("kind", kind), KeyValue::new("stage", "ring")];
            observe.observe(count, &attributes);
        }
        let attributes = [
            KeyValue::new("kind", "any"),
            KeyValue::new("stage", "decode"),
        ];
        observe.observe(figures.rejected, &attributes);
    });
    meters.counter("sensor.events.inferred", "{event}", |figures, observe| {
        observe.observe(figures.inferred, &[]);
    });
    meters.gauge("sensor.ring.bytes", "By", |figures, observe| {
        for (state, bytes) in figures.ring {
            observe.observe(bytes, &[KeyValue::new("state", state)]);
        }
    });
    meters.gauge("sensor.table.processes", "{process}", |figures, observe| {
        observe.observe(figures.processes, &[]);
    });
    meters.counter("sensor.table.evicted", "{process}", |figures, observe| {
        observe.observe(figures.evicted, &[]);
    });
    meters.gauge("sensor.cache.bytes", "By", |figures, observe| {
        for (cache, used) in &figures.caches {
            observe.observe(used.bytes, &[KeyValue::new("cache", *cache)]);
        }
    });
    meters.counter("sensor.cache.evicted", "{entry}", |figures, observe| {
        for (cache, used) in &figures.caches {
            observe.observe(used.evicted, &[KeyValue::new("cache", *cache)]);
        }
    });
    meters.counter(
        "sensor.collection.deferred",
        "{look}",
        |figures, observe| {
            observe.observe(figures.deferred, &[]);
        },
    );
    meters.counter("sensor.groups.folded", "{process}", |figures, observe| {
        observe.observe(figures.folded, &[]);
    });
    meters.counter("sensor.proc.reads", "{read}", |figures, observe| {
        observe.observe(figures.proc_reads, &[]);
    });
    meters.counter("sensor.proc.failures", "{read}", |figures, observe| {
        for (reason, count) in figures.proc_failures {
            observe.observe(count, &[KeyValue::new("reason", reason)]);
        }
    });
    meters.counter(
        "sensor.custom_metrics.failures",
        "{read}",
        |figures, observe| {
            for failures in &figures.custom_failures {
                let attributes = [
                    KeyValue::new("plugin", failures.plugin.to_string()),
                    KeyValue::new("metric", failures.metric.clone()),
                    KeyValue::new("reason", failures.reason),
                ];
                observe.observe(failures.count, &attributes);
            }
        },
    );
    meters.counter("sensor.incidents", "{incident}", |figures, observe| {
        observe.observe(figures.incidents, &[]);
    });
    meters.counter(
        "sensor.incidents.dropped",
        "{incident}",
        |figures, observe| {
            for (stage, count) in figures.incidents_dropped {
                observe.observe(count, &[KeyValue::new("stage", stage)]);
            }
        },
    );
    transports(&meters);
    receiver(&meters);
    meters.counter(
        "sensor.scrub.replacements",
        "{replacement}",
        |figures, observe| {
            observe.observe(figures.scrubbed, &[]);
        },
    );
    meters.counter("sensor.store.writes", "{write}", |figures, observe| {
        observe.observe(figures.store_writes, &[]);
    });
    meters.counter("sensor.store.failures", "{write}", |figures, observe| {
        observe.observe(figures.store_failures, &[]);
    });
    meters.counter("sensor.log.failures", "{line}", |figures, observe| {
        observe.observe(figures.log_failures, &[]);
    });
    meters.counter("sensor.hook.runs", "{run}", |figures, observe| {
        for (hook, runs, _) in &figures.hooks {
            observe.observe(*runs, &[KeyValue::new("hook", *hook)]);
        }
    });
    meters.gauge("sensor.hook.mean", "ns", |figures, observe| {
        for (hook, runs, ns) in figures.hooks.iter().filter(|(_, runs, _)| *runs > 0) {
            observe.observe(ns / runs, &[KeyValue::new("hook", *hook)]);
        }
    });
    meters.gauge("sensor.memory.rss", "By", |figures, observe| {
        observe.observe(figures.rss_bytes, &[]);
    });
    meters.seconds("sensor.collection.duration", |figures| {
        figures.collection_seconds
    });
    meters.seconds("sensor.cpu.time", |figures| figures.cpu_seconds);
    meters.export(exporter);
}

fn transports(meters: &Meters) {
    fn each(
        figures: &Figures,
        observe: &dyn AsyncInstrument<u64>,
        value: fn(&TransportStats) -> u64,
    ) {
        for one in &figures.transports {
            let attributes = [
                KeyValue::new("transport", one.kind),
                KeyValue::new("target", one.target.clone()),
            ];
            observe.observe(value(one), &attributes);
        }
    }
    meters.counter(
        "sensor.transport.delivered",
        "{incident}",
        |figures, observe| {
            each(figures, observe, |one| one.sent.delivered_records);
        },
    );
    meters.counter("sensor.transport.failures", "{try}", |figures, observe| {
        each(figures, observe, |one| one.sent.failures);
    });
    meters.counter(
        "sensor.transport.refused",
        "{incident}",
        |figures, observe| {
            each(figures, observe, |one| one.sent.refused_records);
        },
    );
    meters.counter(
        "sensor.transport.dropped",
        "{incident}",
        |figures, observe| {
            each(figures, observe, |one| one.sent.dropped_records);
            let nowhere = [KeyValue::new("transport", "none")];
            observe.observe(figures.homeless, &nowhere);
        },
    );
    meters.counter(
        "sensor.transport.fallback",
        "{incident}",
        |figures, observe| {
            each(figures, observe, |one| one.fallen_back);
        },
    );
    meters.gauge(
        "sensor.transport.queue.items",
        "{incident}",
        |figures, observe| {
            each(figures, observe, |one| one.sent.queue_items as u64);
        },
    );
}

fn receiver(meters: &Meters) {
    meters.counter(
        "sensor.receiver.accepted",
        "{request}",
        |figures, observe| {
            for (signal, count) in figures.receiver.iter().flat_map(|all| &all.accepted) {
                observe.observe(*count, &[KeyValue::new("signal", *signal)]);
            }
        },
    );
    meters.counter(
        "sensor.receiver.refused",
        "{request}",
        |figures, observe| {
            for (reason, count) in figures.receiver.iter().flat_map(|all| &all.refused) {
                observe.observe(*count, &[KeyValue::new("reason", *reason)]);
            }
        },
    );
    meters.counter(
        "sensor.receiver.incidents",
        "{incident}",
        |figures, observe| {
            if let Some(all) = &figures.receiver {
                observe.observe(all.incidents, &[]);
            }
        },
    );
    meters.counter(
        "sensor.receiver.unmatched",
        "{incident}",
        |figures, observe| {
            if let Some(all) = &figures.receiver {
                observe.observe(all.unmatched, &[]);
            }
        },
    );
}

struct Meters {
    meter: opentelemetry::metrics::Meter,
    figures: Shared,
}

type Observe = fn(&Figures, &dyn AsyncInstrument<u64>);

type Of = fn(&SignalStats) -> u64;

impl Meters {
    fn counter(&self, name: &'static str, unit: &'static str, observe: Observe) {
        let figures = self.figures.clone();
        self.meter
            .u64_observable_counter(name)
            .with_unit(unit)
            .with_callback(move |to| observe(&lock(&figures), to))
            .build();
    }

    fn gauge(&self, name: &'static str, unit: &'static str, observe: Observe) {
        let figures = self.figures.clone();
        self.meter
            .u64_observable_gauge(name)
            .with_unit(unit)
            .with_callback(move |to| observe(&lock(&figures), to))
            .build();
    }

    fn seconds(&self, name: &'static str, value: fn(&Figures) -> f64) {
        let figures = self.figures.clone();
        self.meter
            .f64_observable_gauge(name)
            .with_unit("s")
            .with_callback(move |to| to.observe(value(&lock(&figures)), &[]))
            .build();
    }

    fn export(&self, exporter: ExporterHandle) {
        let each = |value: Of| {
            let exporter = exporter.clone();
            move |to: &dyn AsyncInstrument<u64>| {
                let stats = exporter.stats();
                for (signal, stats) in [("metrics", stats.metrics), ("logs", stats.logs)] {
                    to.observe(value(&stats), &[KeyValue::new("signal", signal)]);
                }
            }
        };
        let counters: [(&str, &str, Of); 5] = [
            ("sensor.export.attempts", "{request}", |stats| {
                stats.attempts
            }),
            ("sensor.export.failures", "{request}", |stats| {
                stats.failures
            }),
            ("sensor.export.delivered", "{record}", |stats| {
                stats.delivered_records
            }),
            ("sensor.export.rejected", "{record}", |stats| {
                stats.rejected_records + stats.refused_records
            }),
            ("sensor.queue.dropped", "{record}", |stats| {
                stats.dropped_records
            }),
        ];
        for (name, unit, value) in counters {
            let counter = self.meter.u64_observable_counter(name).with_unit(unit);
            counter.with_callback(each(value)).build();
        }
        let gauges: [(&str, &str, Of); 3] = [
            ("sensor.queue.items", "{request}", |stats| {
                stats.queue_items as u64
            }),
            ("sensor.queue.bytes", "By", |stats| stats.queue_bytes as u64),
            ("sensor.queue.oldest_age", "s", |stats| {
                stats.oldest_age.map_or(0, |age| age.as_secs())
            }),
        ];
        for (name, unit, value) in gauges {
            let gauge = self.meter.u64_observable_gauge(name).with_unit(unit);
            gauge.with_callback(each(value)).build();
        }
    }
}

fn lock(figures: &Shared) -> std::sync::MutexGuard<'_, Figures> {
    figures.lock().unwrap_or_else(PoisonError::into_inner)
}
