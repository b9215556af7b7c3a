//! What the store costs.

use sensor_tests::sensor::skipped;

use super::*;

const INTERVALS: usize = 20;
const SIGNALS: usize = 2;

/// Counted by strace: calls that wait for the disk. A transaction has two,
/// because the file can be read beside its owner; it holds both signals.
#[test]
fn an_interval_is_one_sync_a_signal() {
    let directory = tempfile::tempdir().unwrap();
    let trace = directory.path().join("trace");
    if Command::new("strace").arg("-V").output().is_err() {
        skipped("an_interval_is_one_sync_a_signal", "needs strace");
        return;
    }
    let collector = Collector::start();
    let host = Host::new();
    host.open(&collector);
    let watched = host.plugins.watch(true);
    let _lone = member(&watched);
    let lines = host.start();
    wait_reports(&lines, 3);
    let mut command = Command::new("strace");
    command.args([
        "-f",
        "-e",
        "trace=fsync,fdatasync,sync_file_range,msync,sync,syncfs",
    ]);
    command
        .args(["-p", &lines.pid().to_string(), "-o"])
        .arg(&trace);
    command.stdin(Stdio::null()).stderr(Stdio::piped());
    let strace = Running::start(command.stdout(Stdio::piped()));
    let syncs = || {
        let text = std::fs::read_to_string(&trace).unwrap_or_default();
        text.lines().filter(|line| line.contains("sync(")).count()
    };
    // It is attached when the first is seen.
    let deadline = Instant::now() + LIMIT;
    while syncs() == 0 {
        wait_reports(&lines, 1);
        assert!(Instant::now() < deadline, "strace sees nothing");
    }
    // In this order, and the other way round in the end: what is written late
    // only adds intervals.
    let reports = lines.said().lines.len();
    let before = syncs();
    for number in 0..INTERVALS {
        short(&watched, &format!("cost-{number}"));
        wait_reports(&lines, 1);
    }
    let counted = syncs() - before;
    let intervals = lines.said().lines.len() - reports;
    println!("{counted} syncs in {intervals} intervals");
    assert!(
        counted > 0 && counted <= SIGNALS * (intervals + 1),
        "{counted} syncs in {intervals} intervals"
    );
    strace.signal(libc::SIGINT);
    let _ = strace.wait();
    terminate(lines);
}
