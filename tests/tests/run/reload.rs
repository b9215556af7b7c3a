//! Plugins that come, change, break and go while the sensor runs.

use std::{fs, io::Write, path::Path};

use sensor_tests::plugins::{plugin_text, sum};
use serde_json::json;

use super::{
    top::{cpu_seconds, used},
    *,
};

/// Waits for a line of the log.
fn said(lines: &Lines, text: &str) {
    lines.wait(&format!("{text:?}"), |said| {
        said.errors.contains(text).then_some(())
    });
}

/// How a change is made known.
fn changed(lines: &Lines, signal: bool) {
    if signal {
        lines.signal(libc::SIGHUP);
    }
}

fn a_life_of_plugins(signal: bool) {
    let plugins = Plugins::new();
    let kept = plugins.watch(false);
    let (name, other) = (plugins.unique(), plugins.unique());
    let programs = [&name, &other].map(|name| plugins.copy("workload", name));
    let lines = start(&plugins);
    let steady = members(&kept, 2, "2");
    let pids = pids(&steady);
    let whole = |service: &Value| service["pids"] == json!(pids);
    let before = wait_service(&lines, &kept.name, "two members", whole);

    // Added: those that are there already count with their life.
    let start = |program| {
        let mut command = std::process::Command::new(program);
        used(command.args(["until-eof", "2", "20000"]).env_clear())
    };
    let (one, two) = (start(&programs[0]), start(&programs[1]));
    let theirs = |one: &Running| cpu_seconds(one.pid()) - 1e-9;
    plugins.plugin(&name, &format!("^{name}$"), "");
    changed(&lines, signal);
    said(&lines, &format!("plugins reloaded: added {name}"));
    let service = wait_service(&lines, &name, "the first", |service| {
        service["pids"] == json!([one.pid()])
    });
    let cpu = |service: &Value| sum(service, "process.cpu.time", None).unwrap();
    assert!(cpu(&service) >= theirs(&one), "{service}");
    assert_eq!(sum(&service, "sensor.process.starts", None), Some(0.0));

    // Changed: members move, what they used stays.
    plugins.plugin(&name, &format!("^{other}$"), "");
    changed(&lines, signal);
    said(&lines, &format!("plugins reloaded: changed {name}"));
    let moved = wait_service(&lines, &name, "the second", |service| {
        service["pids"] == json!([two.pid()])
    });
    assert!(cpu(&moved) >= cpu(&service) + theirs(&two), "{moved}");

    // Broken: it goes on, and the fault is told once, with its place.
    let broken = plugin_text(&name, "(", "");
    plugins.write(&name, &broken);
    changed(&lines, signal);
    let fault = "plugin.toml:5: service.process_name: ";
    said(&lines, fault);
    lines.signal(libc::SIGHUP);
    said(
        &lines,
        "SIGHUP: nothing has changed; what is wrong was said before",
    );
    let still = wait_service(&lines, &name, "the second, still", |_| true);
    assert_eq!(still["pids"], json!([two.pid()]));

    // Repaired, and back to what it was: nothing counts twice.
    plugins.plugin(&name, &format!("^({name}|{other})$"), "");
    changed(&lines, signal);
    said(&lines, &format!("plugin `{name}` is right again: reloaded"));
    let both = {
        let mut both = [one.pid(), two.pid()];
        both.sort_unstable();
        both
    };
    let again = wait_service(&lines, &name, "both", |service| {
        service["pids"] == json!(both)
    });
    assert!(cpu(&again) < cpu(&moved) + 0.01, "{again}");

    // Removed: it ends.
    fs::remove_dir_all(plugins.path().join(&name)).unwrap();
    changed(&lines, signal);
    said(&lines, &format!("plugins reloaded: removed {name}"));
    let end = wait_service(&lines, &name, "its end", |service| {
        service["process_count"] == 0
    });
    assert_eq!(end["metrics"], json!([]));

    // The other did not notice.
    let after = wait_service(&lines, &kept.name, "two members", whole);
    for counter in ["process.cpu.time", "process.paging.faults"] {
        let value = |service| sum(service, counter, None).unwrap();
        // They wait, so they use next to nothing.
        assert!(value(&after) >= value(&before), "{counter}: {after}");
        assert!(value(&after) < value(&before) + 50.0, "{counter}: {after}");
    }
    assert_eq!(sum(&after, "sensor.process.starts", None), Some(2.0));
    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
    assert_eq!(said.errors.matches(fault).count(), 1, "{}", said.errors);
    for report in &said.lines {
        let Some(service) = super::service(report, &kept.name) else {
            continue;
        };
        assert!(service["process_count"].as_u64() <= Some(2), "{service}");
    }
}

#[test]
fn plugins_live_and_change_by_signal() {
    a_life_of_plugins(true);
}

#[test]
fn plugins_live_and_change_by_their_files() {
    a_life_of_plugins(false);
}

#[test]
fn a_signal_without_a_change_does_nothing_and_says_so() {
    let plugins = Plugins::new();
    let watched = plugins.watch(false);
    let lines = start(&plugins);
    lines.signal(libc::SIGHUP);
    said(&lines, "SIGHUP: nothing has changed");
    let one = members(&watched, 1, "1");
    wait_service(&lines, &watched.name, "a member", |service| {
        service["pids"] == json!(pids(&one))
    });
    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
    assert!(!said.errors.contains("reloaded"), "{}", said.errors);
}

#[test]
fn half_a_file_is_not_loaded() {
    let plugins = Plugins::new();
    let (name, late) = (plugins.unique(), plugins.unique());
    plugins.plugin(&name, &format!("^{name}$"), "");
    let lines = start(&plugins);
    // Half of it is right, and means another service.
    let text = plugin_text(&name, "^nobody$", "");
    let path = plugins.path().join(&name).join("plugin.toml");
    let mut file = fs::File::create(&path).unwrap();
    let (half, rest) = text.split_at(text.find("[otel_config]").unwrap());
    file.write_all(half.as_bytes()).unwrap();
    // Another plugin is taken in meanwhile.
    plugins.plugin(&late, &format!("^{late}$"), "");
    said(&lines, &format!("plugins reloaded: added {late}\n"));
    file.write_all(rest.as_bytes()).unwrap();
    drop(file);
    said(&lines, &format!("plugins reloaded: changed {name}\n"));
    let (_, said) = lines.interrupt();
    assert_eq!(
        said.errors.matches("reloaded").count(),
        2,
        "{}",
        said.errors
    );
    assert!(!said.errors.contains("ERROR"), "{}", said.errors);
}

#[test]
fn starts_and_exits_are_counted_through_reloads() {
    const PROCESSES: u32 = 60;
    let plugins = Plugins::new();
    let watched = plugins.watch(false);
    let other = plugins.unique();
    let lines = start(&plugins);
    let mut used = 0;
    for number in 0..PROCESSES {
        let ended = sensor_tests::process::run(&mut watched.command(&["spin", "5000"]));
        used += ended.usage.cpu_ns();
        if number % 10 == 5 {
            // A rule of another plugin, and so a look at everybody.
            plugins.plugin(&other, &format!("^{other}{number}"), "");
            lines.signal(libc::SIGHUP);
        }
        if number == 5 {
            said(&lines, &format!("added {other}"));
        }
    }
    said(&lines, &format!("changed {other}"));
    let number = f64::from(PROCESSES);
    let service = wait_service(&lines, &watched.name, "all exits", |service| {
        sum(service, "sensor.process.exits", None) == Some(number)
    });
    assert_eq!(sum(&service, "sensor.process.starts", None), Some(number));
    // A millisecond of each is before its exec, or after its end.
    let used = used as f64 / 1e9 - 0.001 * number;
    let cpu = sum(&service, "process.cpu.time", None);
    assert!(cpu >= Some(used), "{cpu:?}, not {used}");
    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
}

#[test]
fn the_last_plugin_gone_leaves_the_built_in_one() {
    let plugins = Plugins::new();
    let watched = plugins.watch(false);
    let lines = start(&plugins);
    fs::remove_dir_all(plugins.path().join(&watched.name)).unwrap();
    said(
        &lines,
        &format!("plugins reloaded: added host; removed {}", watched.name),
    );
    lines.wait("the host's groups", |said| {
        let services = said.lines.last()?["services"].as_array()?;
        services
            .iter()
            .any(|service| service["plugin"] == "host")
            .then_some(())
    });
    // And back.
    plugins.plugin(&watched.name, &format!("^{}$", watched.name), "");
    said(
        &lines,
        &format!("plugins reloaded: added {}; removed host", watched.name),
    );
    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
}

#[test]
fn a_log_that_was_renamed_is_begun_again() {
    let plugins = Plugins::new();
    let _ = plugins.watch(false);
    let (log, old) = (plugins.root().join("log"), plugins.root().join("log.1"));
    let args = ["run", "--no-ebpf", "--interval", "200ms"];
    let mut command = sensor(args);
    command.args(["--output", "json", "--plugins"]);
    command.arg(plugins.path()).arg("--log-file").arg(&log);
    let lines = Lines::start(&mut command);
    lines.wait("a report", |said| said.lines.first().map(drop));
    fs::rename(&log, &old).unwrap();
    lines.signal(libc::SIGHUP);
    let told = |path: &Path| {
        let text = fs::read_to_string(path).unwrap_or_default();
        text.contains("SIGHUP: nothing has changed")
    };
    lines.wait("a new log", |_| told(&log).then_some(()));
    assert!(!told(&old));
    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
}
