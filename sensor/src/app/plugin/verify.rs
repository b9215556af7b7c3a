//! `sensor plugin verify`.

use std::path::Path;

use serde_json::json;

use super::warn;
use crate::{
    app::setup::{Stop, print},
    cli::plugin::VerifyArgs,
    exit::Exit,
    output::terminal::escaped,
    plugin::{
        manifest::ManifestError,
        verify::{Report, verify},
    },
};

pub(super) fn run(args: &VerifyArgs) -> Result<Exit, Stop> {
    let report = verify(&args.dir);
    if args.json {
        print(&format!("{}\n", object(&args.dir, &report)))?;
    }
    // The known messages stand alone on their lines.
    let report = match report {
        Err(error @ (ManifestError::NotFound(_) | ManifestError::Invalid(_))) => {
            let stop = Stop::from(error);
            for line in &stop.lines {
                eprintln!("{line}");
            }
            return Ok(stop.exit);
        }
        report => report?,
    };
    if !args.json {
        print_report(&report)?;
    }
    Ok(if report.is_clean() {
        Exit::Done
    } else {
        Exit::Data
    })
}

/// A line for each file, and warnings.
pub(super) fn print_report(report: &Report) -> Result<(), Stop> {
    let findings = report.findings.iter();
    let lines = findings.map(|finding| escaped(&finding.to_string()) + "\n");
    print(&lines.collect::<String>())?;
    for warning in &report.warnings {
        warn(warning);
    }
    Ok(())
}

fn object(directory: &Path, report: &Result<Report, ManifestError>) -> serde_json::Value {
    let (report, error) = match report {
        Ok(report) => (Some(report), None),
        Err(error) => (None, Some(error.to_string())),
    };
    let findings = report.map_or(&[][..], |report| &report.findings);
    let files: Vec<_> = findings
        .iter()
        .map(|finding| json!({ "file": finding.path, "status": finding.status.name() }))
        .collect();
    json!({
        "directory": directory.to_string_lossy(),
        "ok": report.is_some_and(Report::is_clean),
        "error": error,
        "files": files,
        "warnings": report.map_or(&[][..], |report| &report.warnings),
    })
}
