//! The command `sensor`.

use std::process::ExitCode;

use clap::Parser;
use sensor::{
    app::{
        config, detach, doctor, events, logging, logs, memory, once, plugin, run, setup::Stop,
        store,
    },
    cli::{Cli, Command, RunArgs},
    exit::Exit,
    wait,
};

fn main() -> ExitCode {
    memory::be_frugal();
    // Without it, all works but at that limit.
    let _ = wait::survive_limits();
    let cli = Cli::parse();
    let done = match cli.command.unwrap_or(Command::Run(cli.run)) {
        Command::Run(args) => start(&args),
        Command::Events(args) => events::run(&args),
        Command::Doctor(args) => doctor::run(&args),
        Command::Detach => detach::run(),
        Command::Store(command) => store::run(&command),
        Command::Plugin(command) => plugin::run(&command),
        Command::Logs(command) => logs::run(&command),
        Command::Config(command) => config::run(&command),
    };
    match done {
        Ok(exit) => exit.into(),
        Err(stop) => {
            for line in &stop.lines {
                eprintln!("sensor: {line}");
            }
            stop.exit.into()
        }
    }
}

fn start(args: &RunArgs) -> Result<Exit, Stop> {
    logging::start(args.log_level.0, args.log_file.as_deref()).map_err(|error| {
        let file = args.log_file.as_deref().unwrap_or("".as_ref());
        let line = format!("cannot open the log {}: {error}", file.display());
        Stop::new(Exit::CannotCreate, line)
    })?;
    if args.run_once {
        once::run(args)
    } else {
        run::run(args)
    }
}
