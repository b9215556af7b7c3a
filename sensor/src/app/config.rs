//! `sensor config`.

use std::path::Path;

use serde_json::{Value as Json, json};

use super::{
    delivery,
    setup::{self, Stop, print},
};
use crate::{
    cli::config::Command,
    config::{
        Config, Environment, ExportFlags, OtlpSettings, export_settings, file::is_there, show,
    },
    exit::Exit,
};

/// Checks or shows the configuration: the file and the variables.
///
/// # Errors
///
/// Every problem of them.
pub fn run(command: &Command) -> Result<Exit, Stop> {
    match command {
        Command::Check(args) => {
            let file = args.config.as_deref();
            let (_, export) = read(file)?;
            // With the files that it names: certificates and keys.
            let _ = export.as_ref().map(delivery::checked).transpose()?;
            let file = file.unwrap_or(Path::new(setup::CONFIG));
            let found = match is_there(file) {
                true => "all right",
                false => "is not there, so all defaults apply",
            };
            print(&format!("{}: {found}\n", file.display()))?;
        }
        Command::Show(args) => {
            let (config, export) = read(args.config.as_deref())?;
            let settings = show::settings(&config, export.as_ref());
            if args.json {
                let all = settings.iter().map(|setting| {
                    json!({
                        "key": setting.key,
                        "value": setting.value,
                        "origin": setting.origin.name(),
                    })
                });
                print(&format!("{}\n", Json::from_iter(all)))?;
            } else {
                print(&show::text(&settings))?;
            }
        }
    }
    Ok(Exit::Done)
}

fn read(file: Option<&Path>) -> Result<(Config, Option<OtlpSettings>), Stop> {
    let config = setup::config(file)?;
    let flags = ExportFlags::default();
    let export = export_settings(&flags, &Environment::of_process(), &config)
        .map_err(|problems| Stop::problems(Exit::Config, &problems))?;
    Ok((config, export))
}
