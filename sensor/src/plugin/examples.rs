//! `[[examples]]`, tried on the matcher that will be used.

use std::path::Path;

use super::matcher::{Args, Candidate, Matcher, process_name};
use super::{Entry, Example, MatchOn, Plugin};
use crate::config::Problem;
use crate::config::item::shown;

/// A pid that is not the sensor's own.
const PID: u32 = 0;
const OWN_PID: u32 = u32::MAX;
/// `comm` is cut at this length (include/linux/sched.h, TASK_COMM_LEN - 1).
const COMM_BYTES: usize = 15;

impl Entry {
    /// Tries the plugin's examples, whatever else is wrong with its file: only
    /// where patterns are at fault nothing can be said of them.
    pub fn try_examples(&mut self) {
        let of_matching = |problem: &Problem| {
            let table = |key: &str| {
                let table = key.split('.').next().unwrap_or_default();
                ["service", "metadata", "match"].contains(&table)
            };
            problem.key.as_deref().is_none_or(table)
        };
        if !self.problems.iter().any(of_matching) {
            let failed = check_examples(&self.plugin, &self.file);
            self.problems.extend(failed);
            self.problems.sort();
        }
    }
}

/// Checks that every example of a plugin, which was read from `file`, matches
/// one of its services where it must, and none where it must not. Whether the
/// plugin is switched on, and for which user and cgroup, makes no difference.
#[must_use]
pub fn check_examples(plugin: &Plugin, file: &Path) -> Vec<Problem> {
    if plugin.examples.is_empty() {
        return Vec::new();
    }
    let alone = Plugin {
        enabled: true,
        user: None,
        cgroup: None,
        ..plugin.clone()
    };
    let problem = |line, message: String| Problem {
        line,
        key: Some("examples".to_owned()),
        ..Problem::file(file, message)
    };
    let matcher = match Matcher::new(&[alone], OWN_PID) {
        Ok(matcher) => matcher,
        Err(error) => return vec![problem(None, error.to_string())],
    };
    let mut matched = Vec::new();
    let mut problems = Vec::new();
    for example in &plugin.examples {
        let process = Process::new(example);
        let args: Vec<&[u8]> = process.args.iter().map(String::as_bytes).collect();
        matcher.matches(&process.candidate(&args), &mut matched);
        if matched.is_empty() == example.matches {
            let message = explain(plugin, example, &process);
            problems.push(problem(Some(example.line), message));
        }
    }
    problems
}

/// The process that an example describes. What it leaves out is as it would
/// be for a program that was started in the simplest way.
struct Process {
    comm: Vec<u8>,
    exe: String,
    args: Vec<String>,
}

impl Process {
    fn new(example: &Example) -> Self {
        let first = example.args.as_ref().and_then(|args| args.first());
        let given = [Some(&example.name), example.exe.as_ref(), first];
        let mut given = given.into_iter().flatten().filter(|text| !text.is_empty());
        let program = given.next().cloned().unwrap_or_default();
        let name = program.rsplit('/').next().unwrap_or_default();
        let name = match example.name.is_empty() {
            true => name,
            false => &example.name,
        };
        let comm = name.as_bytes();
        Self {
            comm: comm.get(..COMM_BYTES).unwrap_or(comm).to_owned(),
            exe: example.exe.clone().unwrap_or_else(|| program.clone()),
            args: example
                .args
                .clone()
                .unwrap_or_else(|| vec![program.clone()]),
        }
    }

    #[allow(
        clippy::needless_update,
        reason = "what an example cannot say stays unknown, whatever it is"
    )]
    fn candidate<'a>(&'a self, args: &'a [&'a [u8]]) -> Candidate<'a> {
        Candidate {
            pid: PID,
            comm: &self.comm,
            argv0: args.first().copied(),
            exe: Some(self.exe.as_bytes()),
            args: Some(Args::List(args)),
            ..Candidate::default()
        }
    }

    /// What patterns are searched in.
    fn text(&self, on: MatchOn) -> String {
        match on {
            MatchOn::Name => {
                let argv0 = self.args.first().map(String::as_bytes);
                let name = process_name(&self.comm, argv0, Some(self.exe.as_bytes()));
                String::from_utf8_lossy(name).into_owned()
            }
            MatchOn::Exe => self.exe.clone(),
            MatchOn::Cmdline => self.args.join(" "),
        }
    }
}

fn explain(plugin: &Plugin, example: &Example, process: &Process) -> String {
    let text = shown(&process.text(plugin.match_on));
    let (what, key, given) = match plugin.match_on {
        MatchOn::Name => ("name", "name", true),
        MatchOn::Exe => ("executable", "exe", example.exe.is_some()),
        MatchOn::Cmdline => ("command line", "args", example.args.is_some()),
    };
    let patterns: Vec<String> = plugin
        .services
        .iter()
        .map(|service| format!("`{}`", shown(&service.pattern)))
        .collect();
    let patterns = patterns.join(", ");
    let hint = match given {
        true => String::new(),
        false => format!("; the example has no {key}, which the pattern is searched in"),
    };
    match example.matches {
        true => {
            format!("must match and does not: the {what} `{text}`, the pattern {patterns}{hint}")
        }
        false => {
            format!("must not match and does: the {what} `{text}`, the pattern {patterns}{hint}")
        }
    }
}
