//! `sensor logs scrub`.

use std::io::{self, BufRead, BufWriter, Read, Write};

use crate::{
    app::setup::{self, Stop},
    cli::logs::ScrubArgs,
    exit::Exit,
    scrub::Scrubber,
};

/// Longest line of arguments, bytes: more than a kernel takes (ARG_MAX).
const ARGS_MAX: u64 = 8 << 20;

/// Scrubs standard input to standard output.
///
/// # Errors
///
/// Where the configuration is wrong, or a line is no array of arguments.
pub fn run(args: &ScrubArgs) -> Result<Exit, Stop> {
    let config = setup::config(args.config.as_deref())?;
    let scrubber = setup::scrubber(&config)?;
    let mut input = io::stdin().lock();
    let mut output = BufWriter::new(io::stdout().lock());
    let done = match args.args {
        true => arguments(&scrubber, &mut input, &mut output)?,
        false => scrubber.scrub_stream(&mut input, &mut output),
    };
    match done.and_then(|()| output.flush()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => {
            Err(Stop::new(Exit::Software, format!("cannot go on: {error}")))
        }
        _ => {
            let _ = output.into_parts();
            Ok(Exit::Done)
        }
    }
}

/// Each line an array, scrubbed as the arguments of one program.
fn arguments(
    scrubber: &Scrubber,
    input: &mut impl BufRead,
    output: &mut impl Write,
) -> Result<io::Result<()>, Stop> {
    let mut line = Vec::new();
    for number in 1_u64.. {
        line.clear();
        match input.by_ref().take(ARGS_MAX).read_until(b'\n', &mut line) {
            Ok(0) => break,
            Ok(_) => {}
            Err(error) => return Ok(Err(error)),
        }
        if line.trim_ascii().is_empty() {
            continue;
        }
        let args: Vec<String> = serde_json::from_slice(&line).map_err(|error| {
            let _ = output.flush();
            Stop::new(
                Exit::Data,
                format!("line {number} is no JSON array of strings: {error}"),
            )
        })?;
        let bytes: Vec<&[u8]> = args.iter().map(String::as_bytes).collect();
        let scrubbed = scrubber.scrub_args(&bytes);
        let texts: Vec<_> = scrubbed
            .iter()
            .map(|arg| String::from_utf8_lossy(arg))
            .collect();
        if let Err(error) = serde_json::to_writer(&mut *output, &texts)
            .map_err(io::Error::from)
            .and_then(|()| output.write_all(b"\n"))
        {
            return Ok(Err(error));
        }
    }
    Ok(Ok(()))
}
