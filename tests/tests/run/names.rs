//! Whose names metrics have: OpenTelemetry's, those of the Python framework,
//! or both.

use std::{collections::BTreeMap, fs, process::Command};

use sensor_tests::{collector::Collector, plugins::points, sensor::LIMIT};

use super::{otlp::exporting, proc::at_rest, top::used, *};

/// Name, unit, instrument and display name, as users of the framework have
/// them in their dashboards.
const LEGACY: [(&str, &str, &str, &str); 16] = [
    ("cpu_usage", "%", "gauge", "CPU Usage"),
    ("memory_usage", "%", "gauge", "Memory Usage"),
    (
        "process_count",
        "processes",
        "updowncounter",
        "Process Count",
    ),
    ("thread_count", "threads", "updowncounter", "Thread Count"),
    ("disk_read_bytes", "bytes", "counter", "Disk Read Bytes"),
    ("disk_write_bytes", "bytes", "counter", "Disk Write Bytes"),
    (
        "open_file_descriptors",
        "descriptors",
        "updowncounter",
        "Open File Descriptors",
    ),
    (
        "voluntary_ctx_switches",
        "switches",
        "counter",
        "Voluntary Ctx Switches",
    ),
    (
        "nonvoluntary_ctx_switches",
        "switches",
        "counter",
        "Nonvoluntary Ctx Switches",
    ),
    (
        "avg_threads_per_process",
        "threads",
        "gauge",
        "Avg Threads Per Process",
    ),
    (
        "max_threads_per_process",
        "threads",
        "gauge",
        "Max Threads Per Process",
    ),
    (
        "min_threads_per_process",
        "threads",
        "gauge",
        "Min Threads Per Process",
    ),
    (
        "cpu_user_time_total",
        "seconds",
        "counter",
        "CPU User Time Total",
    ),
    (
        "cpu_system_time_total",
        "seconds",
        "counter",
        "CPU System Time Total",
    ),
    ("memory_rss_total", "bytes", "gauge", "Memory Rss Total"),
    ("memory_vms_total", "bytes", "gauge", "Memory Vms Total"),
];

fn naming(naming: &str, prefix: bool) -> String {
    format!("[metrics]\nnaming = \"{naming}\"\nprefix = {prefix}\n")
}

/// Unit and kind of each metric of a service.
fn metrics(service: &Value) -> BTreeMap<String, (String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let metrics = service["metrics"].as_array().unwrap().iter();
    metrics
        .map(|one| (text(&one["name"]), (text(&one["unit"]), text(&one["kind"]))))
        .collect()
}

fn legacy(prefix: &str) -> BTreeMap<String, (String, String)> {
    LEGACY
        .iter()
        .map(|(name, unit, kind, _)| {
            let name = format!("{prefix}{name}");
            (name, ((*unit).to_owned(), (*kind).to_owned()))
        })
        .collect()
}

fn once(plugins: &Plugins) -> Value {
    let output = sensor(["--run-once", "--output", "json", "--plugins"])
        .arg(plugins.path())
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(0), "{errors}");
    serde_json::from_slice(&output.stdout).unwrap()
}

#[test]
fn legacy_figures_equal_proc() {
    let plugins = Plugins::new();
    let watched = plugins.watch_with(&naming("instana", false));
    let mut members = members(&watched, 2, "6");
    members.extend(super::members(&watched, 1, "1"));
    let of = |pid: u32, file: &str| fs::read_to_string(format!("/proc/{pid}/{file}")).unwrap();
    let field = |text: &str, key: &str| -> f64 {
        let line = text.lines().find_map(|line| line.strip_prefix(key));
        line.unwrap()
            .split_whitespace()
            .next()
            .unwrap()
            .parse()
            .unwrap()
    };
    let pids = pids(&members);
    let sum = |figure: &dyn Fn(u32) -> f64| pids.iter().map(|&pid| figure(pid)).sum::<f64>();
    // SAFETY: no memory is involved.
    let page = unsafe { libc::sysconf(libc::_SC_PAGESIZE) } as f64;
    let statm = |pid, at: usize| -> f64 {
        let text = of(pid, "statm");
        page * text.split(' ').nth(at).unwrap().parse::<f64>().unwrap()
    };
    let tasks = |pid, key: &'static str| -> f64 {
        fs::read_dir(format!("/proc/{pid}/task"))
            .unwrap()
            .map(|task| fs::read_to_string(task.unwrap().path().join("status")).unwrap())
            .map(|status| field(&status, key))
            .sum()
    };
    let memory = field(&fs::read_to_string("/proc/meminfo").unwrap(), "MemTotal:") * 1024.0;
    let theirs = || {
        let rss = sum(&|pid| statm(pid, 1));
        let threads: Vec<f64> = pids
            .iter()
            .map(|&pid| field(&of(pid, "status"), "Threads:"))
            .collect();
        let all_threads: f64 = threads.iter().sum();
        assert!(all_threads > 3.0, "{threads:?}");
        [
            ("process_count", 3.0),
            ("thread_count", all_threads),
            ("avg_threads_per_process", all_threads / 3.0),
            (
                "max_threads_per_process",
                threads.iter().copied().fold(0.0, f64::max),
            ),
            (
                "min_threads_per_process",
                threads.iter().copied().fold(1e9, f64::min),
            ),
            ("memory_rss_total", rss),
            ("memory_vms_total", sum(&|pid| statm(pid, 0))),
            ("memory_usage", 100.0 * rss / memory / 3.0),
            (
                "disk_read_bytes",
                sum(&|pid| field(&of(pid, "io"), "\nread_bytes:".trim())),
            ),
            (
                "disk_write_bytes",
                sum(&|pid| field(&of(pid, "io"), "write_bytes:")),
            ),
            (
                "open_file_descriptors",
                sum(&|pid| fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count() as f64),
            ),
            (
                "voluntary_ctx_switches",
                sum(&|pid| tasks(pid, "voluntary_ctxt_switches:")),
            ),
            (
                "nonvoluntary_ctx_switches",
                sum(&|pid| tasks(pid, "nonvoluntary_ctxt_switches:")),
            ),
        ]
    };
    let (report, theirs) = at_rest(&pids, || (once(&plugins), theirs()));
    let service = service(&report, &watched.name).unwrap();
    // One look is no rate.
    let mut expected = legacy("");
    expected.remove("cpu_usage");
    assert_eq!(metrics(service), expected);

    for (name, theirs) in theirs {
        let ours = &points(service, name).unwrap()[0]["value"];
        let close = (ours.as_f64().unwrap() - theirs).abs() <= theirs.abs() * 1e-12;
        assert!(close, "{name} is {ours}, not {theirs}");
        let whole = !["avg_threads_per_process", "memory_usage"].contains(&name);
        assert_eq!(ours.is_i64(), whole, "{name}: {ours}");
    }
    for name in ["cpu_user_time_total", "cpu_system_time_total"] {
        assert!(
            points(service, name).unwrap()[0]["value"].is_f64(),
            "{service}"
        );
    }
}

#[test]
fn names_are_prefixed_or_both() {
    let plugins = Plugins::new();
    let prefixed = plugins.watch_with(&naming("instana", true));
    let both = plugins.watch_with(&naming("both", true));
    let semconv = plugins.watch_with(&naming("semconv", true));
    let _members: Vec<_> = [&prefixed, &both, &semconv]
        .into_iter()
        .flat_map(|watched| members(watched, 1, "1"))
        .collect();
    let report = once(&plugins);
    let of = |watched: &Watched| metrics(service(&report, &watched.name).unwrap());
    let expected = |watched: &Watched| {
        let mut legacy = legacy(&format!("{}.", watched.name));
        legacy.retain(|name, _| !name.ends_with(".cpu_usage"));
        legacy
    };
    assert_eq!(of(&prefixed), expected(&prefixed));
    let plain = of(&semconv);
    assert!(plain.contains_key("process.cpu.time"));
    assert!(
        plain.keys().all(|name| name.contains("process.")),
        "{plain:?}"
    );
    let mut all = plain;
    all.extend(expected(&both));
    assert_eq!(of(&both), all);
}

#[test]
fn people_see_the_same_table_whatever_the_names() {
    let plugins = Plugins::new();
    let watched = plugins.watch_with("[metrics]\nnaming = \"instana\"\nper_process_top = 1\n");
    let members = members(&watched, 2, "3");
    let output = sensor(["--run-once", "--plugins"])
        .arg(plugins.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    let mut lines = text
        .lines()
        .skip_while(|line| !line.starts_with(&watched.name));
    let row: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    // Name, members, no rate yet, CPU time, memory, threads of both.
    assert_eq!((row[1], row[2]), ("2", "-"), "{text}");
    assert_ne!(row[3], "-", "{text}");
    assert_eq!(row[5], "6", "{text}");
    let top: Vec<&str> = lines.next().unwrap().split_whitespace().collect();
    assert!(
        pids(&members).iter().any(|pid| top[0] == pid.to_string()),
        "{text}"
    );
    assert_eq!(top[1], watched.name, "{text}");
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
}

#[test]
fn people_see_which_group_a_row_is_of() {
    let plugins = Plugins::new();
    let name = plugins.unique();
    plugins.plugin(&name, &name, "[match]\ngroup_by = \"executable\"\n");
    let programs = ["short", "of-a-name-that-has-more-than-twenty-two-letters-1"];
    let _members = programs.map(|tail| {
        let program = plugins.copy("workload", &format!("{name}{tail}"));
        used(Command::new(program).args(["until-eof", "1", "30000"]))
    });
    let output = sensor(["--run-once", "--plugins"])
        .arg(plugins.path())
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    // Of what is cut, the ends tell the rows apart.
    for end in ["short)", "letters-1)"] {
        assert!(text.contains(end), "{text}");
    }
    assert!(
        text.lines().all(|line| line.chars().count() <= 80),
        "{text}"
    );
}

#[test]
fn usage_is_a_rate_of_one_core() {
    let plugins = Plugins::new();
    let watched = plugins.watch_with(&naming("instana", false));
    let _idle = members(&watched, 1, "1");
    let _busy = Running::start(&mut watched.command(&["spin-forever"]));
    let lines = start(&plugins);
    let usage = |service: &Value| Some(points(service, "cpu_usage")?[0]["value"].as_f64().unwrap());
    // A core of 100 %, divided among two. The machine may be busy.
    wait_service(&lines, &watched.name, "half a core", |service| {
        usage(service).is_some_and(|usage| usage > 15.0 && usage < 60.0)
    });
    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
    let mut services = said
        .lines
        .iter()
        .filter_map(|report| service(report, &watched.name));
    assert_eq!(
        usage(services.next().unwrap()),
        None,
        "two looks are needed"
    );
    for service in services {
        assert!(
            usage(service).is_some_and(|usage| usage < 110.0),
            "{service}"
        );
    }
}

#[test]
fn legacy_names_arrive_with_type_unit_and_display_name() {
    let collector = Collector::start();
    let plugins = Plugins::new();
    let attributes =
        "[attributes]\n\"deployment.environment\" = \"production\"\nteam = \"tills\"\n";
    let plain = plugins.watch_with(&(naming("instana", false) + attributes));
    let prefixed = plugins.watch_with(&naming("both", true));
    let _members = [members(&plain, 2, "1"), members(&prefixed, 1, "1")];
    let lines = exporting(&plugins, &collector);
    let of = |output: &str, watched: &Watched, last: &str| {
        let name = format!("-> service.name: Str({})", watched.name);
        let last = format!("-> Name: {last}");
        // The last one may not be printed whole yet.
        let mut whole: Vec<&str> = super::otlp::resources(output).collect();
        whole.pop();
        whole
            .into_iter()
            .rfind(|resource| resource.contains(&name) && resource.contains(&last))
            .map(str::to_owned)
    };
    let prefix = format!("{}.", prefixed.name);
    let rate = format!("{prefix}cpu_usage");
    let output = collector.wait_until("rates of both services", LIMIT, |output| {
        of(output, &plain, "cpu_usage").is_some() && of(output, &prefixed, &rate).is_some()
    });
    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
    for (watched, prefix) in [(&plain, ""), (&prefixed, prefix.as_str())] {
        let resource = of(&output, watched, &format!("{prefix}cpu_usage")).unwrap();
        let metrics: Vec<&str> = resource.split("-> Name: ").skip(1).collect();
        for (name, unit, kind, display) in LEGACY {
            let head = format!("{prefix}{name}\n");
            let mut found = metrics.iter().filter(|metric| metric.starts_with(&head));
            let metric = found
                .next()
                .unwrap_or_else(|| panic!("{name} in {resource}"));
            assert!(found.next().is_none(), "{name} twice in {resource}");
            let data = match kind {
                "gauge" => "-> DataType: Gauge",
                "counter" => "-> IsMonotonic: true",
                _ => "-> IsMonotonic: false",
            };
            for line in [
                &format!("-> Unit: {unit}\n"),
                &format!("-> Description: {display}\n"),
                data,
            ] {
                assert!(metric.contains(line), "{line} in {metric}");
            }
        }
        let others = metrics.len() - LEGACY.len();
        assert_eq!(others == 0, prefix.is_empty(), "{resource}");
    }
    let resource = of(&output, &plain, "cpu_usage").unwrap();
    for line in [
        "-> service.version: Str(1.0)",
        "-> deployment.environment: Str(production)",
        "-> team: Str(tills)",
    ] {
        assert!(resource.contains(line), "{line} in {resource}");
    }
}
