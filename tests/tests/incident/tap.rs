//! Last words by the hook on system calls: of processes that write into a pipe.

use std::{
    io::{Read, Write},
    process::{Command, Stdio},
    time::Instant,
};

use sensor_tests::{
    process::{Running, python},
    sensor::{LIMIT, Lines, sensor},
};

use super::*;

const TAP: &str = "[logs]\ntap = true\n";
const BROKEN: &str = "
def find(users):
    return users['user_id']

find({})
";

/// Runs a command whose standard error is a pipe that the test holds.
fn piped(command: &mut Command) -> (u32, String) {
    command.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut said = String::new();
    let mut stderr = child.stderr.take().unwrap();
    stderr.read_to_string(&mut said).unwrap();
    child.wait().unwrap();
    (child.id(), said)
}

impl Desk {
    /// Runs a script that waits for a line, and gives it one when the hook
    /// knows of it: that is before the exec is printed.
    fn told(&self, script: &str) -> (u32, String) {
        let script = format!("import sys\nsys.stdin.readline()\n{script}");
        let mut command = self.watched.command(&["-c", &script]);
        command.stdin(Stdio::piped()).stdout(Stdio::null());
        let mut running = Running::start(command.stderr(Stdio::piped()));
        let of = running.pid();
        let mut seen = 0;
        self.events.lines().wait("its exec", |said| {
            let mut new = said.lines[seen..].iter();
            seen = said.lines.len();
            new.any(|line| is(line, "process.exec") && pid(line) == of)
                .then_some(())
        });
        writeln!(running.stdin().unwrap()).unwrap();
        let mut said = String::new();
        running.stderr().read_to_string(&mut said).unwrap();
        let _ = running.wait();
        (of, said)
    }
}

#[test]
fn what_went_into_a_pipe_is_there_where_a_plugin_asks_for_it() {
    let plugins = Plugins::new();
    let watched = plugins.watch_program(&python(), TAP);
    let plain = plugins.watch_program("/bin/sh", "");
    let desk = Desk {
        events: Events::start(&["--plugins", &plugins.flag()]),
        plugins,
        watched,
    };
    // A traceback as it comes: at once, as soon as the interpreter runs. On a
    // machine under load the process may be faster than the sensor.
    let deadline = Instant::now() + LIMIT;
    loop {
        let (of, said) = piped(&mut desk.watched.command(&["-c", BROKEN]));
        let found = desk.incident(of);
        if found["sensor.incident.last_words"] == *said {
            break;
        }
        assert!(Instant::now() < deadline, "{found}");
    }
    for _ in 0..3 {
        let (of, said) = desk.told(BROKEN);
        let found = desk.incident(of);
        assert_eq!(found["sensor.incident.kind"], "exit");
        assert_eq!(found["sensor.incident.cause"], "exit code 1");
        assert_eq!(found["exception.type"], "KeyError", "{found}");
        assert_eq!(found["exception.message"], "'user_id'");
        assert_eq!(found["frames"][0]["function"], "find");
        assert_eq!(found["log.iostream"], "stderr");
        assert!(found["log.file.path"].is_null(), "{found}");
        assert_eq!(found["sensor.incident.last_words"], *said);
    }

    // More at once than is taken, by writev, and of a child that never execs.
    let script = "import os\nos.write(2, b'-' * 100_000 + b'\\nlast\\n')\nos._exit(3)";
    let (of, _) = desk.told(script);
    let found = desk.incident(of);
    let words = found["sensor.incident.last_words"].as_str().unwrap();
    assert!(words.ends_with("-\nlast\n") && words.len() <= 16 << 10);

    let script = "import os\nos.writev(2, [b'one, ', b'two\\n'])\nos._exit(3)";
    let (of, _) = desk.told(script);
    let found = desk.incident(of);
    assert_eq!(found["sensor.incident.last_words"], "one, two\n");

    let script = "import os\nos.writev(2, [b'%d\\n' % n for n in range(1000)])\nos._exit(3)";
    let (of, _) = desk.told(script);
    let found = desk.incident(of);
    assert_eq!(found["sensor.incident.last_words"], "996\n997\n998\n999\n");

    let script = "import os\nif os.fork() == 0:\n    os.write(2, b'child\\n')\n    \
                  os._exit(4)\nos.write(2, b'parent\\n')\nos.wait()\nos._exit(0)";
    let (of, said) = desk.told(script);
    assert!(said.contains("child") && said.contains("parent"));
    let found = desk.events.lines().wait("the incident of a child", |said| {
        let mut all = incidents(&said.lines);
        all.find(|one| one["process.exit.code"] == 4).cloned()
    });
    assert_ne!(pid(&found), of);
    assert_eq!(found["sensor.incident.last_words"], "child\n");

    // Of two streams that part, only the one.
    let script = "import os\nos.write(1, b'out\\n')\nos.write(2, b'err\\n')\nos._exit(3)";
    let (of, _) = desk.told(script);
    let found = desk.incident(of);
    assert_eq!(found["sensor.incident.last_words"], "err\n");

    // Nobody asked for this one.
    let (of, said) = piped(&mut plain.command(&["-c", "echo secret >&2; exit 3"]));
    assert_eq!(said, "secret\n");
    let found = desk.incident(of);
    assert!(found["sensor.incident.last_words"].is_null(), "{found}");

    // A file is read as a file.
    let log = desk.plugins.root().join("err.log");
    let mut command = desk.watched.command(&["-c", BROKEN]);
    let ended = run(command.stderr(std::fs::File::create(&log).unwrap()));
    let found = desk.incident(ended.pid);
    assert_eq!(found["log.file.path"], log.to_str().unwrap());
    assert_eq!(found["exception.type"], "KeyError");
}

/// And one that ran before somebody asked is tapped from then on.
#[test]
fn the_hook_on_system_calls_is_there_while_a_plugin_asks_for_it() {
    let plugins = Plugins::new();
    let watched = plugins.watch_program("/bin/sh", "");
    let pattern = format!("^{}$", watched.name);
    let config = plugins.root().join("sensor.toml");
    let told = plugins.root().join("incidents.jsonl");
    let text = format!(
        "[[incident.transport]]\ntype = 'file'\npath = '{}'\n",
        told.display()
    );
    std::fs::write(&config, text).unwrap();
    let mut command = sensor(["run", "--output", "json", "--interval", "500ms"]);
    command.args(["--plugins", &plugins.flag()]);
    command.arg("--config").arg(&config);
    let lines = Lines::start(&mut command);
    let hook = |what: &str| {
        let text = format!("hook tap: {what}");
        lines.wait(&text, |said| said.errors.contains(&text).then_some(()));
    };
    lines.wait("the first report", |said| {
        (!said.lines.is_empty()).then_some(())
    });
    let mut command = watched.command(&["-c", "read go; echo last words >&2; exit 3"]);
    command.stdin(Stdio::piped()).stdout(Stdio::null());
    let mut running = Running::start(command.stderr(Stdio::piped()));
    assert!(!is_attached(&lines));
    plugins.plugin(&watched.name, &pattern, TAP);
    hook("attached");
    assert!(is_attached(&lines));
    writeln!(running.stdin().unwrap(), "go").unwrap();
    let ended = running.wait();
    let find = || {
        let text = std::fs::read_to_string(&told).unwrap_or_default();
        let mut all = text
            .lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok());
        all.find(|one| pid(one) == ended.pid)
    };
    let found = lines.wait("the incident", |_| find());
    assert_eq!(found["sensor.incident.last_words"], "last words\n");

    plugins.plugin(&watched.name, &pattern, "");
    hook("detached");
    assert!(!is_attached(&lines));
    let (ended, said) = lines.interrupt();
    assert_eq!(ended.status, 0, "{}", said.errors);
}

/// Whether the sensor holds a link to the tracepoint.
fn is_attached(lines: &Lines) -> bool {
    let directory = format!("/proc/{}/fdinfo", lines.pid());
    let infos = std::fs::read_dir(directory).unwrap().flatten();
    infos
        .filter_map(|info| std::fs::read_to_string(info.path()).ok())
        .any(|info| info.contains("link_type:") && info.contains("sys_enter"))
}
