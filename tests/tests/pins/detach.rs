//! What stays in the kernel, and what does not.

use sensor_tests::{bpffs::no_bpffs, sensor::end};

use super::*;

/// Names of the kernel's programs whose hooks are ours.
fn detach() -> (Option<i32>, String, String) {
    end(&mut sensor(["detach"]))
}

#[test]
fn without_pin_nothing_stays() {
    if !own_bpffs("without_pin_nothing_stays") {
        return;
    }
    let mut host = Host::new();
    host.more.clear();
    let _watched = host.plugins.watch(false);
    for signal in [libc::SIGTERM, libc::SIGKILL] {
        let lines = host.start();
        assert_eq!(pins(), [""; 0]);
        lines.signal(signal);
        let _ = lines.end();
        assert_eq!(pins(), [""; 0]);
    }
    // What a daemon with pins has left, one without takes away.
    host.more = vec!["--pin".to_owned()];
    let _ = host.start().interrupt();
    assert!(!pins().is_empty());
    host.more.clear();
    let lines = host.start();
    assert_eq!(pins(), [""; 0]);
    let (_, said) = lines.interrupt();
    assert!(
        said.errors.contains("going on with the hooks"),
        "{}",
        said.errors
    );
}

#[test]
fn detach_removes_every_pin() {
    if !own_bpffs("detach_removes_every_pin") {
        return;
    }
    let nothing = (Some(0), "nothing was pinned\n".to_owned(), String::new());
    assert_eq!(detach(), nothing);
    let host = Host::new();
    let _watched = host.plugins.watch(false);
    let _ = host.start().interrupt();
    let left = pins();
    let hooks = left.iter().filter(|pin| pin.contains("/link_")).count();
    assert!(hooks >= 4, "{left:?}");
    let (code, out, err) = detach();
    let said = format!("removed {} pins, {hooks} of them hooks\n", left.len());
    assert_eq!((code, out.as_str(), err.as_str()), (Some(0), &*said, ""));
    assert_eq!(pins(), [""; 0]);
    assert_eq!(detach(), nothing);

    // Of a daemon that runs, too; it goes on, and its hooks end with it.
    let lines = host.start();
    let (code, out, _) = detach();
    assert_eq!(code, Some(0));
    assert!(out.contains(&format!("(pid {})", lines.pid())), "{out}");
    let said = lines.said().lines.len();
    lines.wait("more reports", |now| {
        (now.lines.len() > said + 1).then_some(())
    });
    let _ = lines.interrupt();
    assert_eq!(pins(), [""; 0]);
}

#[test]
fn two_daemons_do_not_share_pins() {
    if !own_bpffs("two_daemons_do_not_share_pins") {
        return;
    }
    let (one, other) = (Host::new(), Host::new());
    let watched = one.plugins.watch(false);
    other.plugins.write(
        &watched.name,
        &std::fs::read_to_string(one.plugins.path().join(&watched.name).join("plugin.toml"))
            .unwrap(),
    );
    let first = one.start();
    let before = pins();
    let second = other.start();
    let both = pins();
    assert!(before.iter().all(|pin| both.contains(pin)), "{both:?}");
    assert_eq!(both.len(), 2 * before.len());
    for number in 0..30 {
        let code = (number % 3).to_string();
        let _ = sensor_tests::process::run(&mut watched.command(&["exit", &code]));
    }
    for lines in [&first, &second] {
        lines.wait("all exits", |said| {
            let told = told(&said.lines, &watched.name)?;
            (told == [30.0, 10.0, 10.0, 10.0, 30.0]).then_some(())
        });
    }
    for lines in [first, second] {
        let _ = lines.interrupt();
    }
    assert_eq!(pins(), both);
}

#[test]
fn without_a_bpf_file_system_it_goes_on_without_pins() {
    if !no_bpffs("without_a_bpf_file_system_it_goes_on_without_pins") {
        return;
    }
    let mut host = Host::new();
    let _watched = host.plugins.watch(false);
    let (ended, said) = host.start().interrupt();
    assert_eq!(ended.status, 0);
    let warning = "cannot pin: no BPF file system at /sys/fs/bpf \
                   (mount -t bpf bpf /sys/fs/bpf); going on without";
    assert!(said.errors.contains(warning), "{}", said.errors);
    assert_eq!(detach().0, Some(0));

    // Who requires eBPF, and pins, gets both or nothing.
    let config = host.plugins.root().join("sensor.toml");
    std::fs::write(&config, "[kernel]\nebpf = \"require\"\npin = true\n").unwrap();
    host.more = vec!["--config".to_owned(), config.display().to_string()];
    let (code, _, err) = end(&mut host.command());
    assert_eq!(code, Some(73), "{err}");
    assert!(err.contains("no BPF file system"), "{err}");
}
