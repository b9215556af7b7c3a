//! One virtual machine, from power on to power off.

use std::{
    fs::File,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail, ensure};

use super::kernel::Kernel;

/// Longest life of a machine, on the clock of the host.
const LIMIT: Duration = Duration::from_secs(900);

/// What a machine is made of.
#[derive(Clone, Copy)]
pub enum Hardware {
    /// A PC, whose clock is as fine as that of its scheduler.
    Exact,
    /// No firmware, no buses, and a processor without what is slow to
    /// interpret: AVX, and string instructions that move one byte a time. A
    /// third of the time less; but its clock moves with the ticks, so figures
    /// at exit are behind by up to one.
    Cheap,
}

impl Hardware {
    fn args(self) -> &'static [&'static str] {
        match self {
            Self::Exact => &["-cpu", "max", "-append", "console=ttyS0 panic=-1 quiet"],
            Self::Cheap => &[
                "-cpu",
                "Nehalem",
                "-machine",
                "microvm,acpi=off,pic=on,pit=on,rtc=on,isa-serial=on",
                "-append",
                // rep_good, erms, fsrm.
                "console=ttyS0 panic=-1 quiet mitigations=off clearcpuid=112,297,580",
            ],
        }
    }
}

/// Boots a kernel, prints a line a test, keeps the console in a file.
pub fn run(
    hardware: Hardware,
    name: &str,
    kernel: &Kernel,
    image: &Path,
    work: &Path,
) -> Result<()> {
    let console = work.join(format!("{name}.log"));
    let mut log = File::create(&console)?;
    let mut machine = Machine::start(hardware, kernel, image)?;
    let lines = machine.lines()?;
    let began = Instant::now();
    let deadline = began + LIMIT;
    let (mut passed, mut ended) = (0, None);
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        let line = match lines.recv_timeout(left) {
            Ok(line) => line,
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {
                bail!("not done after {LIMIT:?}, see {}", console.display())
            }
        };
        writeln!(log, "{line}")?;
        if line.starts_with("test ") || line.starts_with("SKIPPED") {
            println!("{name}: {line} ({} s)", began.elapsed().as_secs());
        }
        passed += passes(&line).unwrap_or(0);
        if let Some(status) = line.strip_prefix("VM END ") {
            ended = Some(status.trim().to_owned());
            // Not every machine can switch itself off.
            break;
        }
    }
    let ended = ended.with_context(|| format!("no end, see {}", console.display()))?;
    ensure!(
        ended == "0" && passed > 0,
        "{passed} tests passed, status {ended}, see {}",
        console.display()
    );
    Ok(())
}

/// How many tests passed, where a line is the last one of a test program.
fn passes(line: &str) -> Option<usize> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    let (passed, _) = counts.split_once(" passed;")?;
    passed.parse().ok()
}

/// A running machine; killed when dropped.
struct Machine(Child);

impl Machine {
    fn start(hardware: Hardware, kernel: &Kernel, image: &Path) -> Result<Self> {
        Command::new("qemu-system-x86_64")
            // A clock that counts instructions, so that a slow or busy host
            // does not show in the figures. It wants a single CPU.
            .args(["-accel", "tcg,thread=single", "-smp", "1"])
            .args(["-icount", "shift=1,sleep=off"])
            .args(hardware.args())
            .args(["-m", "1536", "-nographic", "-no-reboot", "-nic", "none"])
            .arg("-kernel")
            .arg(&kernel.image)
            .arg("-initrd")
            .arg(image)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map(Self)
            .context("cannot run qemu-system-x86_64")
    }

    /// The lines of its console, as they come.
    fn lines(&mut self) -> Result<mpsc::Receiver<String>> {
        let output = self.0.stdout.take().context("qemu without output")?;
        let (sender, receiver) = mpsc::channel();
        thread::spawn(move || {
            for line in BufReader::new(output).split(b'\n').map_while(Result::ok) {
                let line = String::from_utf8_lossy(&line);
                if sender.send(line.trim_end().to_owned()).is_err() {
                    break;
                }
            }
        });
        Ok(receiver)
    }
}

impl Drop for Machine {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_without_tests_passes_none() {
        for (line, expected) in [
            (
                "test result: ok. 6 passed; 0 failed; 0 ignored; 0 measured; 15 filtered out; \
                 finished in 98.70s",
                Some(6),
            ),
            (
                "test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out",
                Some(2),
            ),
            (
                "test result: ok. 0 passed; 0 failed; 0 ignored; 0 measured; 21 filtered out",
                Some(0),
            ),
            ("test the_result: ok. 1 passed; ... ok", None),
            ("test every_turn_is_counted_exactly ... ok", None),
            ("6 passed; 0 failed", None),
        ] {
            assert_eq!(passes(line), expected, "{line}");
        }
    }
}
