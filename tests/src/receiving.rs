//! A sensor that receives what applications report of themselves.

use std::{fs, process::Command};

use crate::{
    collector::Ports,
    plugins::Plugins,
    sensor::{Lines, sensor},
};

/// In the directory of the plugins: incidents go to `out.jsonl`, and the socket
/// is `otlp.sock`.
const CONFIG: &str = r#"
[[incident.transport]]
type = "file"
path = "DIR/out.jsonl"

[receiver]
enabled = true
http = "127.0.0.1:HTTP"
grpc = "127.0.0.1:GRPC"
socket = "DIR/otlp.sock"
"#;

/// A running one; it is killed with its lines.
#[derive(Debug)]
pub struct Receiving {
    /// What it says.
    pub lines: Lines,
    /// Where it listens on 127.0.0.1.
    pub ports: Ports,
}

impl Receiving {
    /// After its first report. `options` are more lines of `[receiver]` in its
    /// `sensor.toml`, `more` are more arguments.
    #[must_use]
    pub fn start(plugins: &Plugins, options: &str, more: &[&str]) -> Self {
        Self::start_by(plugins, options, |mut sensor| {
            sensor.args(more);
            sensor
        })
    }

    /// The same, by a command around it.
    #[must_use]
    pub fn start_by(
        plugins: &Plugins,
        options: &str,
        around: impl FnOnce(Command) -> Command,
    ) -> Self {
        let ports = Ports::free();
        let directory = plugins.root().to_str().expect("a path that is text");
        let config = CONFIG
            .replace("DIR", directory)
            .replace("HTTP", &ports.http.to_string())
            .replace("GRPC", &ports.grpc.to_string());
        let file = plugins.root().join("sensor.toml");
        fs::write(&file, config + options).expect("cannot write sensor.toml");
        let mut command = sensor(["run", "--interval", "1s", "--output", "json"]);
        command.arg("--config").arg(file);
        command.args(["--plugins", &plugins.flag()]);
        let lines = Lines::start(&mut around(command));
        lines.wait("a first report", |said| said.lines.first().map(drop));
        Self { lines, ports }
    }
}
