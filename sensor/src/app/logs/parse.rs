//! `sensor logs parse`.

use std::{
    fs::File,
    io::{self, BufWriter, Read, StdoutLock, Write},
    path::Path,
};

use jiff::tz::TimeZone;

use crate::{
    app::setup::{self, Stop},
    cli::logs::ParseArgs,
    clock,
    config::{item::shown, reader::suggestion},
    exit::Exit,
    incident::{
        fold::Fold,
        log::{LogOptions, LogParser},
        record::Incident,
    },
    output::{incident, terminal},
    scrub::Scrubber,
};

/// Bytes that are read at once.
const BLOCK: usize = 64 << 10;

/// Reads a file and prints what went wrong in it.
///
/// # Errors
///
/// Where the file is missing, the format unknown, or the configuration wrong.
pub fn run(args: &ParseArgs) -> Result<Exit, Stop> {
    let config = setup::config(args.config.as_deref())?;
    let scrubber = setup::scrubber(&config)?;
    let formats = setup::formats(&config)?;
    if let Some(format) = args.format.as_deref() {
        let names = formats.names();
        if !names.contains(&format) {
            let line = format!(
                "unknown format `{}`{}",
                shown(format),
                suggestion(format, &names)
            );
            return Err(Stop::new(Exit::Usage, line));
        }
    }
    let standard = args.file == Path::new("-");
    let mut input: Box<dyn Read> = if standard {
        Box::new(io::stdin().lock())
    } else {
        open(&args.file)?
    };
    let zone = TimeZone::system();
    let now = clock::wall().0;
    let options = LogOptions {
        formats,
        format: args.format.clone(),
        now,
        zone: zone.clone(),
        seed: now ^ u64::from(std::process::id()) << 32,
        path: (!standard).then(|| args.file.to_string_lossy().into_owned()),
        ..LogOptions::default()
    };
    let mut printer = Printer {
        out: BufWriter::with_capacity(BLOCK, io::stdout().lock()),
        scrubber,
        json: args.json,
        fold: args.fold.then(Fold::default),
        zone,
        width: terminal::width(),
        failed: None,
        found: 0,
    };
    let mut parser = LogParser::new(&options);
    let mut block = vec![0; BLOCK];
    while printer.failed.is_none() {
        let read = match input.read(&mut block) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(unreadable(&args.file, &error)),
        };
        parser.feed(block.get(..read).unwrap_or_default(), &mut |incident| {
            printer.take(incident)
        });
        // Whoever writes the input may look at the output in between.
        if standard {
            printer.flush();
        }
    }
    parser.finish(&mut |incident| printer.take(incident));
    let skipped = parser.skipped_bytes();
    printer.finish()?;
    if skipped > 0 {
        eprintln!("sensor: passed over {skipped} bytes of lines longer than 1 MiB");
    }
    Ok(Exit::Done)
}

fn open(path: &Path) -> Result<Box<dyn Read>, Stop> {
    let fault = |error: &io::Error| unreadable(path, error);
    let file = File::open(path).map_err(|error| fault(&error))?;
    if file.metadata().is_ok_and(|metadata| metadata.is_dir()) {
        return Err(Stop::new(
            Exit::NoInput,
            format!("{}: is a directory, not a file", path.display()),
        ));
    }
    Ok(Box::new(file))
}

fn unreadable(path: &Path, error: &io::Error) -> Stop {
    let exit = match error.kind() {
        io::ErrorKind::PermissionDenied => Exit::NoPermission,
        _ => Exit::NoInput,
    };
    Stop::new(exit, format!("cannot read {}: {error}", path.display()))
}

/// Prints incidents, scrubbed.
struct Printer<'a> {
    out: BufWriter<StdoutLock<'a>>,
    scrubber: Scrubber,
    json: bool,
    fold: Option<Fold>,
    zone: TimeZone,
    width: Option<usize>,
    /// Why nothing can be written any more.
    failed: Option<io::Error>,
    found: u64,
}

impl Printer<'_> {
    fn take(&mut self, incident: Incident) {
        let incident = match &mut self.fold {
            Some(fold) => fold.add(incident),
            None => Some(incident),
        };
        if let Some(incident) = incident {
            self.print(incident);
        }
    }

    fn print(&mut self, mut incident: Incident) {
        if self.failed.is_some() {
            return;
        }
        self.found += 1;
        incident.scrub(&self.scrubber);
        let mut line = match self.json {
            true => incident::json(&incident),
            false => incident::text(&incident, &self.zone, self.width).into_bytes(),
        };
        line.push(b'\n');
        self.failed = self.out.write_all(&line).err();
    }

    fn flush(&mut self) {
        if self.failed.is_none() {
            self.failed = self.out.flush().err();
        }
    }

    fn finish(mut self) -> Result<(), Stop> {
        let folded = self.fold.take().map(|mut fold| fold.finish());
        for incident in folded.into_iter().flatten() {
            self.print(incident);
        }
        if self.found == 0 && !self.json && self.width.is_some() {
            self.failed = self
                .failed
                .or_else(|| writeln!(self.out, "nothing went wrong in it").err());
        }
        self.failed = self.failed.or_else(|| self.out.flush().err());
        match self.failed {
            // A reader that has seen enough is no fault.
            Some(error) if error.kind() != io::ErrorKind::BrokenPipe => {
                Err(Stop::new(Exit::Software, format!("cannot write: {error}")))
            }
            _ => {
                // What is left in the buffer is for nobody.
                let _ = self.out.into_parts();
                Ok(())
            }
        }
    }
}
