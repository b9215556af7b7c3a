//! How the commands end, and what they say then.

use std::{fs, os::unix::process::CommandExt, process::Command};

use sensor_tests::collector::Ports;

use sensor_tests::sensor::end;

use super::*;

fn once(plugins: &Plugins) -> Command {
    let mut command = sensor(["--run-once", "--output", "json"]);
    command.arg("--plugins").arg(plugins.path());
    command
}

#[test]
fn nothing_matched_is_1_and_names_the_pattern() {
    let plugins = Plugins::new();
    let one = plugins.watch(false);
    let (code, stdout, stderr) = end(&mut once(&plugins));
    assert_eq!(code, Some(1), "{stderr}");
    let message = format!("No processes found matching '^{}$'", one.name);
    assert!(stderr.lines().any(|line| line == message), "{stderr}");
    // The object is printed in any case (contract S12).
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert_eq!(report["services"], serde_json::json!([]));

    // One of two is enough for 0; the other is named.
    let two = plugins.watch(false);
    let _members = members(&two, 1, "0");
    let (code, stdout, stderr) = end(&mut once(&plugins));
    assert_eq!(code, Some(0), "{stderr}");
    assert_eq!(stderr.trim_end(), message);
    let report: Value = serde_json::from_str(&stdout).unwrap();
    assert!(service(&report, &one.name).is_none(), "{report}");
    assert!(service(&report, &two.name).is_some(), "{report}");
}

#[test]
fn wrong_usage_is_2() {
    for args in [
        vec!["--no-such-flag"],
        vec!["run", "--interval", "soon"],
        vec!["run", "--interval", "0"],
        vec!["events", "--ring-bytes", "0"],
        vec!["events", "--duration", "-1s"],
        vec!["run", "--output", "yaml"],
        vec!["run", "--agent-host", "http://collector"],
        vec!["run", "--agent-port", "0"],
        vec!["run", "--protocol", "udp"],
        vec!["no-such-command"],
        vec!["--run-once", "--duration", "1s"],
    ] {
        let (code, stdout, stderr) = end(&mut sensor(&args));
        assert_eq!((code, stdout.as_str()), (Some(2), ""), "{args:?}: {stderr}");
        assert!(
            !stderr.is_empty() && !stderr.contains("panicked"),
            "{stderr}"
        );
    }
}

#[test]
fn missing_inputs_are_66() {
    let plugins = Plugins::new();
    let _one = plugins.watch(false);
    let missing = plugins.root().join("missing");
    let missing = missing.to_str().unwrap();
    let flag = plugins.flag();
    for args in [
        vec!["--run-once", "--plugins", missing],
        vec!["run", "--plugins", missing],
        vec!["events", "--plugins", missing],
        vec!["--run-once", "--config", missing],
        vec!["events", "--config", missing],
        vec!["--run-once", "--plugins", &flag, "--plugin", "nobody"],
    ] {
        let (code, stdout, stderr) = end(&mut sensor(&args));
        assert_eq!(
            (code, stdout.as_str()),
            (Some(66), ""),
            "{args:?}: {stderr}"
        );
        let named = stderr.contains(missing) || stderr.contains("nobody");
        assert!(named, "{args:?}: {stderr}");
    }
}

#[test]
fn faults_in_configuration_are_78_and_named_with_their_place() {
    let plugins = Plugins::new();
    plugins.write("broken", "[plugin]\nname = \"broken\"\nversion = 7\n[service]\nnamespace = \"x\"\nprocess_name = \"(\"\n");
    let (code, _, stderr) = end(&mut once(&plugins));
    assert_eq!(code, Some(78), "{stderr}");
    assert!(stderr.contains("plugin.toml"), "{stderr}");
    let mut run = sensor(["run", "--duration", "5s", "--plugins", &plugins.flag()]);
    assert_eq!(end(&mut run).0, Some(78));

    let config = plugins.root().join("sensor.toml");
    fs::write(&config, "interval = \"soon\"\n\n[kernell]\npin = true\n").unwrap();
    let config = config.to_str().unwrap();
    for args in [
        vec!["--run-once", "--config", config],
        vec!["run", "--duration", "5s", "--config", config],
        vec!["events", "--duration", "5s", "--config", config],
    ] {
        let (code, stdout, stderr) = end(&mut sensor(&args));
        assert_eq!(
            (code, stdout.as_str()),
            (Some(78), ""),
            "{args:?}: {stderr}"
        );
        // All problems at once, with file and line.
        assert!(
            stderr.contains(config) && stderr.contains("kernell"),
            "{stderr}"
        );
        assert!(stderr.contains("interval"), "{stderr}");
    }

    // A plugin that is broken does not stop one that is not.
    let good = plugins.watch(false);
    let _members = members(&good, 1, "0");
    let (code, stdout, stderr) = end(&mut once(&plugins));
    assert_eq!(code, Some(0), "{stderr}");
    assert!(stdout.contains(&good.name), "{stdout}");
    assert!(stderr.contains("broken"), "{stderr}");
}

#[test]
fn a_directory_of_plugins_that_the_configuration_names_must_be_there() {
    let root = tempfile::tempdir().unwrap();
    let config = root.path().join("sensor.toml");
    let away = root.path().join("away");
    fs::write(&config, format!("plugins = ['{}']\n", away.display())).unwrap();
    let config = config.to_str().unwrap();
    for args in [
        vec!["--run-once", "--config", config],
        vec!["run", "--duration", "5s", "--config", config],
        vec!["plugin", "list", "--config", config],
        vec!["plugin", "check", "--config", config],
    ] {
        let (code, _, stderr) = end(&mut sensor(&args));
        assert_eq!(code, Some(66), "{args:?}: {stderr}");
        assert!(stderr.contains("away: does not exist"), "{stderr}");
    }
    // No configuration at all is none to be missed.
    let (code, _, stderr) = end(&mut sensor(["config", "check", "--config", "/dev/null"]));
    assert_eq!(code, Some(0), "{stderr}");
}

#[test]
fn signals_that_mean_nothing_here_do_not_end_it() {
    let plugins = Plugins::new();
    let _ = plugins.watch(false);
    let args = ["run", "--output", "json", "--plugins", &plugins.flag()];
    let lines = Lines::start(&mut sensor(args));
    lines.wait("a report", |said| said.lines.first().map(drop));
    for signal in [libc::SIGUSR1, libc::SIGUSR2, libc::SIGALRM, libc::SIGXFSZ] {
        lines.signal(signal);
    }
    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
}

#[test]
fn a_file_that_cannot_be_opened_is_named_with_why_and_who_names_it() {
    let plugins = Plugins::new();
    let _one = plugins.watch(false);
    let file = plugins.root().join("sensor.toml");
    let text = "[export.otlp]\nendpoint = 'https://localhost:1'\n";
    let why = "No such file or directory (os error 2)";
    let remedy = "cannot read `/away.pem`; set export.otlp.tls.ca to a readable PEM file";
    let by_variable = "(an environment variable sets export.otlp.tls.ca)";
    for (more, variable, said) in [
        ("tls.ca = '/away.pem'\n", "", format!("{remedy}: {why}")),
        ("", "CA_CERT_PATH", format!("{remedy}: {why} {by_variable}")),
    ] {
        fs::write(&file, format!("{text}{more}")).unwrap();
        let mut command = once(&plugins);
        command.arg("--config").arg(&file);
        if !variable.is_empty() {
            command.env(variable, "/away.pem");
        }
        let (code, _, stderr) = end(&mut command);
        assert_eq!(code, Some(78), "{stderr}");
        assert_eq!(stderr.trim_end(), format!("sensor: {said}"));
    }
    let (code, _, stderr) = end(once(&plugins).args(["--log-file", "/away/log"]));
    assert_eq!(code, Some(73), "{stderr}");
    let said = format!("sensor: cannot open the log /away/log: {why}");
    assert_eq!(stderr.trim_end(), said);
}

#[test]
fn how_to_export_without_where_to_is_told() {
    let plugins = Plugins::new();
    let watched = plugins.watch(false);
    let _members = members(&watched, 1, "0");
    for how in [&["--tls"][..], &["--protocol", "http"], &[]] {
        let (code, _, stderr) = end(once(&plugins).args(how));
        assert_eq!(code, Some(0), "{stderr}");
        let told = stderr.contains("nothing is exported: --tls and --protocol say how");
        assert_eq!(told, !how.is_empty(), "{how:?}: {stderr}");
    }
}

#[test]
fn a_full_disk_is_70_and_said_to_be_one() {
    let plugins = Plugins::new();
    let watched = plugins.watch(false);
    let _members = members(&watched, 1, "0");
    let flag = plugins.flag();
    let seconds = ["--interval", "100ms", "--duration", "2"];
    for args in [
        vec!["--run-once"],
        [&["run"], &seconds[..]].concat(),
        [&["run", "--no-ebpf", "--output", "json"], &seconds[..]].concat(),
        vec!["events", "--duration", "1"],
        vec!["events", "--json", "--duration", "1"],
    ] {
        let mut command = sensor(&args);
        let full = fs::File::create("/dev/full").unwrap();
        let output = command.args(["--plugins", &flag]).stdout(full).output();
        let output = output.unwrap();
        let stderr = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(70), "{args:?}: {stderr}");
        let said = "sensor: cannot write: No space left on device (os error 28)";
        assert!(
            stderr.lines().any(|line| line == said),
            "{args:?}: {stderr}"
        );
    }
}

#[test]
fn a_limit_of_files_is_an_error_not_an_end_without_a_word() {
    let plugins = Plugins::new();
    let _one = plugins.watch(false);
    let flag = plugins.flag();
    // Nobody has named a store, so the look goes on without one.
    for (args, ends, says) in [
        (["--run-once", "--plugins", &flag], 1, "No processes found"),
        (["plugin", "new", "limited"], 73, "File too large"),
    ] {
        let mut command = sensor(args);
        command.current_dir(plugins.root());
        let none = libc::rlimit {
            rlim_cur: 0,
            rlim_max: 0,
        };
        let limited = move || {
            // SAFETY: setrlimit is safe between fork and exec.
            match unsafe { libc::setrlimit(libc::RLIMIT_FSIZE, &raw const none) } {
                0 => Ok(()),
                _ => Err(std::io::Error::last_os_error()),
            }
        };
        // SAFETY: see there.
        unsafe { command.pre_exec(limited) };
        let (code, _, stderr) = end(&mut command);
        assert_eq!(code, Some(ends), "{args:?}: {stderr}");
        assert!(stderr.contains(says), "{args:?}: {stderr}");
    }
}

#[test]
fn an_endpoint_that_is_away_is_69_and_the_figures_are_printed() {
    let plugins = Plugins::new();
    let watched = plugins.watch(false);
    let _members = members(&watched, 1, "0");
    let port = Ports::free().grpc.to_string();
    for protocol in ["grpc", "http"] {
        let (code, stdout, stderr) = end(once(&plugins)
            .args(["--agent-host", "127.0.0.1", "--agent-port", &port])
            .args(["--protocol", protocol]));
        assert_eq!(code, Some(69), "{stderr}");
        let report: Value = serde_json::from_str(&stdout).unwrap();
        assert!(service(&report, &watched.name).is_some(), "{report}");
        let start = format!("Failed to export metrics: 127.0.0.1:{port}: ");
        let told = stderr.lines().filter(|line| line.contains(&start)).count();
        assert_eq!(told, 1, "{stderr}");
    }
}
