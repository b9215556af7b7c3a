//! try
use sensor::*;
fn main() {
    let k = source::ebpf::Kernel::attach(8 << 20).unwrap();
    let attached = clock::boot();
    let engine = engine::Engine::new(engine::Config {
        matcher: plugin::matcher::Matcher::default(),
        registry: aggregate::registry::Registry::new(vec![], "x".into()),
        scrubber: scrub::Scrubber::default(),
        publish: engine::Publish::All,
        processes: 65536,
        offset: clock::offset(),
        attached: Some(attached),
        page_size: 4096,
        known: engine::Known {
            io: true,
            runqueue: true,
        },
    });
    let pump = pump::Pump::new(
        Some(k),
        engine,
        procfs::Proc::open().unwrap(),
        collect::scan::Wanted::ALL,
    );
    eprintln!("ready");
    app::events::stream(
        pump,
        std::env::args().nth(2).is_some(),
        Some(std::time::Duration::from_secs(
            std::env::args().nth(1).unwrap().parse().unwrap(),
        )),
    )
    .unwrap();
}
