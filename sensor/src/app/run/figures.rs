//! What the sensor says about itself.

use crate::{
    app::{collecting::Collecting, logging},
    export::Keeper,
    pump::Pump,
    selfmon::{self, Figures},
    source::ebpf::Kernel,
};

/// As it is now; what belongs to incidents is not in it.
pub(super) fn figures(
    pump: &mut Pump,
    collecting: &Collecting,
    keeper: Option<&Keeper>,
) -> Figures {
    let stats = pump.engine.stats();
    let loss = pump.loss();
    let reads = pump.proc.counts();
    let (store_writes, store_failures) = keeper.map(Keeper::counts).unwrap_or_default();
    let (cpu_seconds, rss_bytes) = selfmon::own_cost(&mut pump.proc);
    Figures {
        received: [
            ("fork", stats.forks),
            ("exec", stats.execs),
            ("exit", stats.exits),
        ],
        lost: [
            ("fork", loss.fork),
            ("exec", loss.exec),
            ("exit", loss.exit),
            ("late", loss.late + stats.late),
            ("rename", loss.rename),
            ("scheduler", loss.scheduler + pump.uncounted()),
            ("output", loss.output),
            ("tap", loss.tap),
            ("group", loss.group),
        ],
        rejected: pump.rejected(),
        inferred: stats.inferred,
        ring: pump.ring_use(),
        processes: pump.engine.table().len() as u64,
        evicted: pump.engine.table().evicted(),
        caches: pump.engine.caches().to_vec(),
        deferred: collecting.deferred(),
        folded: pump.engine.registry().folded(),
        proc_reads: reads.reads,
        proc_failures: [
            ("gone", reads.gone),
            ("denied", reads.denied),
            ("too_long", reads.too_long),
            ("malformed", reads.malformed),
            ("other", reads.other),
        ],
        collection_seconds: collecting.took().as_secs_f64(),
        custom_failures: collecting.custom_failures(),
        incidents: 0,
        incidents_dropped: [("engine", stats.unmourned), ("words", 0)],
        transports: Vec::new(),
        homeless: 0,
        receiver: None,
        scrubbed: pump.engine.scrubbed_count(),
        store_writes,
        store_failures,
        log_failures: logging::failed_writes(),
        hooks: pump.kernel.as_ref().map(Kernel::costs).unwrap_or_default(),
        cpu_seconds,
        rss_bytes,
    }
}
