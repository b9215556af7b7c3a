//! Lines of the Linux kernel: processes killed for want of memory, and those
//! that a fault ended. What dmesg and syslog put before a line may be there.
//!
//! The texts are those of mm/oom_kill.c (`dump_header`, `__oom_kill_process`)
//! and arch/x86: mm/fault.c (`show_signal_msg`), kernel/traps.c.

use super::{
    Begin, Exception, ExceptionParser, First, Language, Next, Sign, State,
    finish::{ERROR, FATAL},
    place::{self, leading_number},
};
use crate::incident::find::Find;

pub struct Kernel;

/// What led to a kill, up to the line that tells who was killed.
const REPORT: u32 = 0;
/// After that line.
const KILLED: u32 = 1;
/// After the line of a fault.
const FAULT: u32 = 2;

const INVOKED: &str = " invoked oom-killer: ";
const CONSTRAINT: &str = "oom-kill:constraint=";
const KILL: [&str; 4] = [
    "Out of memory: Killed process ",
    "Out of memory: Kill process ",
    "Memory cgroup out of memory: Killed process ",
    "Memory cgroup out of memory: Kill process ",
];
const OLD_KILLED: &str = "Killed process ";
const SEGFAULT: &str = ": segfault at ";
const PROTECTION: &str = " general protection";
const TRAP: &str = " trap ";
const PANIC: &str = "Kernel panic - not syncing: ";

/// How lines of a report begin once dmesg's time is off.
const STARTS: [&str; 22] = [
    "CPU:",
    "Hardware name:",
    "Call Trace:",
    "Workqueue:",
    "RIP:",
    "Code:",
    "RSP:",
    "RAX:",
    "RDX:",
    "RBP:",
    "R10:",
    "R13:",
    "memory: usage",
    "memory+swap: usage",
    "swap: usage",
    "kmem: usage",
    "Memory cgroup ",
    "Tasks ",
    "Mem-Info:",
    "active_anon",
    "Node ",
    "[ ",
];

impl ExceptionParser for Kernel {
    fn language(&self) -> Language {
        Language::Kernel
    }

    fn signs(&self) -> &'static [Sign] {
        &[
            Sign::Text(INVOKED),
            Sign::Text(CONSTRAINT),
            Sign::Text("ut of memory: Kill"),
            Sign::Text(SEGFAULT),
            Sign::Text(PROTECTION),
            Sign::Text(TRAP),
            Sign::Text(PANIC),
        ]
    }

    fn begins(&self, line: &First<'_>) -> Option<Begin> {
        let text = bare(line.text()?);
        let part = if text.has(INVOKED) && text.has("gfp_mask=") || text.starts_with(CONSTRAINT) {
            REPORT
        } else if KILL.iter().any(|kill| text.starts_with(kill)) {
            KILLED
        } else if fault(text).is_some() || text.starts_with(PANIC) {
            FAULT
        } else {
            return None;
        };
        Some(Begin::Sure(State { part, number: 0 }))
    }

    fn goes_on(&self, state: &mut State, line: &[u8]) -> Next {
        let Ok(whole) = std::str::from_utf8(line) else {
            return Next::No;
        };
        let text = bare(whole);
        match state.part {
            REPORT if KILL.iter().any(|kill| text.starts_with(kill)) => {
                state.part = KILLED;
                Next::Part
            }
            REPORT if text.len() < whole.len() || is_report(text) => Next::Part,
            REPORT => Next::Maybe,
            KILLED if text.starts_with(OLD_KILLED) || text.starts_with("oom_reaper: ") => {
                Next::Part
            }
            FAULT if text.starts_with("Code: ") => Next::Last,
            _ => Next::No,
        }
    }

    fn parse(&self, text: &str) -> Option<Exception> {
        let lines = text.rows().map(bare);
        let first = lines.clone().next()?;
        if let Some((name, pid)) = fault(first) {
            return Some(Exception {
                message: Some(first.to_owned()),
                pid,
                severity: ERROR,
                ..Exception::new(Language::Kernel, name)
            });
        }
        if let Some(message) = first.strip_prefix(PANIC) {
            return Some(Exception {
                message: Some(message.to_owned()),
                severity: FATAL,
                ..Exception::new(Language::Kernel, "kernel panic")
            });
        }
        // The line that tells who was killed says most.
        let killed = lines
            .clone()
            .find(|line| KILL.iter().any(|kill| line.starts_with(kill)));
        let pid = killed.and_then(victim).or_else(|| {
            let line = lines.clone().find(|line| line.starts_with(CONSTRAINT))?;
            let (_, rest) = line.cut(",pid=")?;
            u32::try_from(leading_number(rest)?.0).ok()
        });
        Some(Exception {
            message: Some(killed.unwrap_or(first).to_owned()),
            pid,
            severity: FATAL,
            ..Exception::new(Language::Kernel, "oom-kill")
        })
    }
}

/// The line without `kernel: ` and `[  123.456] `.
fn bare(line: &str) -> &str {
    let line = match line.place("kernel: ") {
        // `Nov 22 05:46:47 shop kernel: `
        Some(at) if at == 0 || at < 80 && line[..at].ends_with(' ') => {
            &line[at + "kernel: ".len()..]
        }
        _ => line,
    };
    let Some((time, rest)) = line.strip_prefix('[').and_then(|rest| rest.cut("] ")) else {
        return line;
    };
    // dmesg -T has a date in words here.
    let date = time.len() == 24 && time.as_bytes()[13] == b':';
    let seconds = time.has(".")
        && time
            .bytes()
            .all(|byte| byte.is_ascii_digit() || b" .".contains(&byte));
    if date || seconds { rest } else { line }
}

/// A line of a report about memory.
fn is_report(text: &str) -> bool {
    text.starts_with([' ', '\t'])
        || text.starts_with(CONSTRAINT)
        || text.ends_with(" pages RAM")
        || text.ends_with("kB")
        || text.has(" pages ")
        || STARTS.iter().any(|start| text.starts_with(start))
}

/// The pid in `… Killed process 4711 (name) …`.
fn victim(line: &str) -> Option<u32> {
    let (_, rest) = line.cut(" process ")?;
    u32::try_from(leading_number(rest)?.0).ok()
}

/// What kind of fault a line tells of, and of which process.
fn fault(text: &str) -> Option<(&'static str, Option<u32>)> {
    if let Some((program, rest)) = text.cut(SEGFAULT) {
        let address = rest.split(' ').next().is_some_and(|address| {
            !address.is_empty() && address.bytes().all(|byte| byte.is_ascii_hexdigit())
        });
        let pid = pid(program)?;
        return (address && rest.has(" ip ")).then_some(("segfault", Some(pid)));
    }
    // `traps: till[4711] trap divide error ip:55d0 sp:7ffd error:0 in till[55d0+1000]`
    let rest = text.strip_prefix("traps: ").unwrap_or(text);
    if let Some((program, behind)) = rest.cut(PROTECTION)
        && behind.has(" ip:")
    {
        return Some(("general protection fault", Some(pid(program)?)));
    }
    if let Some((program, behind)) = rest.cut(TRAP)
        && behind.has(" ip:")
    {
        let name = [
            "divide error",
            "invalid opcode",
            "int3",
            "stack segment",
            "bounds",
        ]
        .into_iter()
        .find(|name| behind.starts_with(name))
        .unwrap_or("trap");
        return Some((name, Some(pid(program)?)));
    }
    // The kernel's own: `general protection fault, probably for non-canonical
    // address 0x…: 0000 [#1] SMP`.
    (text.starts_with("general protection fault") && text.has("[#"))
        .then_some(("general protection fault", None))
}

/// The pid in `name[4711]`; the name may have blanks and brackets.
fn pid(program: &str) -> Option<u32> {
    let (_, pid) = program.strip_suffix(']')?.rcut("[")?;
    u32::try_from(place::number(pid)?).ok()
}
