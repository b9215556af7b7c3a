//! The guide of plugins/README.md: what it shows is what happens.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::symlink,
    process::{ChildStdout, Stdio},
};

use sensor_tests::process::{Running, built, wait_for_name};

use super::*;

/// What the shell prints behind the output of each command.
const MARK: &str = "-- done --";

/// The reader's home directory.
const HOME: &str = "/home/me";

/// A command of the guide, and what it shows below.
struct Step {
    line: usize,
    command: String,
    shown: Vec<String>,
}

/// The commands of all ```console blocks.
fn steps(guide: &str) -> Vec<Step> {
    let mut steps: Vec<Step> = Vec::new();
    let mut inside = false;
    for (index, line) in guide.lines().enumerate() {
        if let Some(fence) = line.strip_prefix("```") {
            inside = fence == "console";
        } else if inside && let Some(command) = line.strip_prefix("$ ") {
            steps.push(Step {
                line: index + 1,
                command: command.to_owned(),
                shown: Vec::new(),
            });
        } else if inside {
            steps.last_mut().unwrap().shown.push(line.to_owned());
        }
    }
    steps
}

/// A line in which measured figures are only known to be figures.
fn measured(line: &str, table: bool) -> String {
    let blur = |word: &str| match table && word.starts_with(|char: char| char.is_ascii_digit()) {
        true => "#".to_owned(),
        false => word.to_owned(),
    };
    line.split_whitespace()
        .map(blur)
        .collect::<Vec<_>>()
        .join(" ")
}

fn read_to_mark(output: &mut BufReader<ChildStdout>) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        assert!(
            output.read_line(&mut line).unwrap() > 0,
            "the shell ended: {lines:?}"
        );
        match line.trim_end_matches('\n') {
            MARK => return lines,
            line => lines.push(line.to_owned()),
        }
    }
}

#[test]
fn every_command_shows_what_the_guide_shows() {
    let guide = fs::read_to_string(shipped().join("README.md")).unwrap();
    let steps = steps(&guide);
    assert!(steps.len() > 10);
    let root = tempfile::tempdir().unwrap();
    let [bin, work, home] = ["bin", "work", "home"].map(|name| root.path().join(name));
    for directory in [&bin, &work, &home] {
        fs::create_dir(directory).unwrap();
    }
    symlink(built("sensor-under-test"), bin.join("sensor")).unwrap();
    // Nothing here concerns the services of this host.
    symlink("/bin/true", bin.join("systemctl")).unwrap();
    let home = home.canonicalize().unwrap().display().to_string();
    let mut command = Command::new("sh");
    command.current_dir(&work).env_clear();
    command.env("PATH", format!("{}:/usr/bin:/bin", bin.display()));
    command.env("HOME", &home);
    command.stdin(Stdio::piped());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut shell = Running::start(&mut command);
    let mut input = shell.stdin().unwrap();
    let (output, _errors) = shell.outputs();
    let mut output = BufReader::new(output);
    writeln!(input, "exec 2>&1").unwrap();
    for step in &steps {
        writeln!(input, "{}\necho '{MARK}'", step.command).unwrap();
        let mut printed = read_to_mark(&mut output);
        // Some shells report the end of a job, at a moment of their own.
        printed.retain(|line| !line.contains("Terminated"));
        for line in &mut printed {
            *line = line.replace(&home, HOME);
        }
        let table = step.command.contains("--run-once");
        let blurred = |lines: &[String]| -> Vec<String> {
            lines.iter().map(|line| measured(line, table)).collect()
        };
        assert_eq!(
            blurred(&printed),
            blurred(&step.shown),
            "plugins/README.md:{}: {}",
            step.line,
            step.command
        );
        if let Some(program) = step.command.strip_suffix(" &") {
            writeln!(input, "echo $!\necho '{MARK}'").unwrap();
            let pid = read_to_mark(&mut output).remove(0);
            wait_for_name(pid.parse().unwrap(), program.rsplit('/').next().unwrap());
        }
    }
}
