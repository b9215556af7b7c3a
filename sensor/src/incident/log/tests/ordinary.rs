//! What other programs print is no incident.

use super::*;

/// Lines as other programs print them, none of them an incident; `#` stands
/// for a number.
const LINES: &[&str] = &[
    // Builds
    "   Compiling sensor v0.1.# (/srv/sensor)",
    "error: could not compile `sensor` (lib) due to # previous errors",
    "error[E0308]: mismatched types",
    "  --> src/main.rs:#:5",
    "/srv/a.c:#:3: error: 'x' undeclared (first use in this function)",
    "make: *** [Makefile:#: all] Error 2",
    "npm ERR! code ELIFECYCLE",
    "ERROR: Could not find a version that satisfies the requirement a==#",
    "[ERROR] Failed to execute goal org.apache.maven.plugins:maven-compiler-plugin:3.#",
    "FAILED tests/test_a.py::test_# - assert 1 == 2",
    "E   AssertionError: assert # == 2",
    "fatal: not a git repository (or any of the parent directories): .git",
    "2023-05-20T14:30:22.#Z error: cannot find crate",
    "2023-05-20T14:30:22.#Z ##[group]Run tests",
    // Access logs
    "10.0.0.# - - [20/May/2023:14:30:22 +0000] \"GET /error HTTP/1.1\" 500 12 \"-\" \"curl/8\"",
    "10.0.0.# - alice [20/May/2023:14:30:22 +0000] \"GET /fatal/ERROR HTTP/1.1\" 200 # \"-\" \"-\"",
    // Packages
    "2023-05-20 14:30:22 status installed libgpg-error0:amd64 1.46-#",
    "2023-05-20 14:30:22 configure libc-bin:amd64 2.36-# <none>",
    "Setting up liberror-perl (0.17029-#) ...",
    "Get:# http://deb.debian.org/debian bookworm/main amd64 liberror-perl all 0.17029-2 [29.0 kB]",
    // The kernel
    "[    0.#00000] Command line: BOOT_IMAGE=/vmlinuz panic=10 errors=remount-ro",
    "[   12.#00000] EXT4-fs (sda1): mounted filesystem with ordered data mode. Opts: errors=remount-ro",
    "[   12.#00000] ACPI: PCI: Interrupt link LNKA configured for IRQ 10",
    "May 20 14:30:22 host kernel: [   12.#00000] audit: type=1400 audit(1.2:#): apparmor=\"STATUS\"",
    "May 20 14:30:22 host systemd[1]: Started Daily apt upgrade and clean activities.",
    "May 20 14:30:22 host sshd[#]: error: kex_exchange_identification: Connection closed",
    "May 20 14:30:22 host CRON[#]: (root) CMD (command -v debian-sa1 > /dev/null)",
    "<14>May 20 14:30:22 host app[#]: no errors",
    "<30>1 2023-05-20T14:30:22Z host app # - - ready",
    // Logs below ERROR
    "INFO:root:error count is #",
    "WARNING:root:ERROR is near",
    "2023-05-20 14:30:22,123 - my.mod - INFO - ERROR rate is #",
    "2023-05-20 14:30:22,123 WARN [main] com.a.B - java.lang.Exception ignored",
    "14:30:22.123 [main] DEBUG com.a.B - at com.a.B.c(B.java:#)",
    "2023-05-20 14:30:22.123  INFO # --- [           main] c.e.Foo : no ERROR",
    "I0520 14:30:22.123456    # file.go:12] error is nil",
    "W0520 14:30:22.123456    # file.go:12] error is near",
    "2023/05/20 14:30:22 [notice] #1: signal process started",
    "2023/05/20 14:30:22 [warn] #1: error_page is odd",
    "[Sat May 20 14:30:22.123456 2023] [mpm_event:notice] [pid #:tid 34] AH00489: configured, errors fine",
    "time=\"2023-05-20T14:30:22Z\" level=info msg=\"error count\" n=#",
    "level=warn msg=\"ERROR near\" n=#",
    "{\"level\":\"info\",\"msg\":\"error\",\"n\":#}",
    "{\"level\":\"warn\",\"msg\":\"fatal\",\"n\":#}",
    "{\"level\":30,\"time\":1684593022123,\"msg\":\"error #\"}",
    "{\"severity\":\"NOTICE\",\"message\":\"panic: no\",\"n\":#}",
    "{\"name\":\"error\",\"value\":#}",
    "{\"level\":#,\"name\":\"goblin\"}",
    "{\"error\":\"not found\",\"status\":#}",
    "[INFO][2023-05-20 14:30:22] MyModule - KeyError: #",
    // Prose and tables
    "An error is a deviation from what is right or true, number #.",
    "FATAL ERROR is the title of chapter #.",
    "ERROR",
    "ERROR - ",
    "error",
    "2023-05-20 14:30:22 Saw an ERROR in the output #",
    "at noon, # people were there (see note:12)",
    "Caused by: a long illness, # years",
    "Exception to the rule: #",
    "id,level,message",
    "#,ERROR,\"a cell\"",
    " id | level |  message",
    "----+-------+----------",
    "  # | ERROR | a row",
    "panic buying went on for # days",
    "  File \"/srv/a.py\", line #, in f",
    "\tat com.a.B.c(B.java:#)",
    "goroutine # is fine",
    "key=value other=error n=#",
    "PATH=/usr/bin level",
    "",
    "    ",
    "=== # errors ===",
];

#[test]
fn no_line_of_other_programs_is_an_incident() {
    for line in LINES {
        for number in ["1", "42"] {
            check(&line.replace('#', number), &[]);
        }
    }
}

#[test]
fn nor_are_many_of_them_in_any_order() {
    // A fixed walk. Frames stay out: behind a line such as `KeyError: 7` they
    // make a trace.
    let lines: Vec<_> = LINES
        .iter()
        .filter(|line| !line.starts_with(['\t', ' ']))
        .collect();
    let mut text = String::new();
    let mut at = 1;
    for round in 0..20_000_usize {
        at = (at * 31 + round * 7 + 3) % lines.len();
        text.push_str(&lines[at].replace('#', &round.to_string()));
        text.push('\n');
    }
    check_none(&text);
}

fn check_none(text: &str) {
    let found: Vec<String> = parse(text)
        .iter()
        .map(|one| format!("{} <- {:?}", shown(one), one.origin.original))
        .collect();
    assert!(
        found.is_empty(),
        "{} incidents, such as {:#?}",
        found.len(),
        &found[..found.len().min(5)]
    );
}
