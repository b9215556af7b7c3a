//! Programs whose short options carry a password.

/// A program known for such an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    /// The clients of MySQL and MariaDB: `-pPASSWORD`.
    Mysql,
    /// `-pPASSWORD` and `-p PASSWORD`, before the command that it runs.
    Sshpass,
    /// `-u USER:PASSWORD`.
    Curl,
}

/// Every known program by the base name of its file.
pub(super) const PROGRAMS: &[(&str, Program)] = &[
    ("mysql", Program::Mysql),
    ("mysqldump", Program::Mysql),
    ("mysqladmin", Program::Mysql),
    ("mysqlimport", Program::Mysql),
    ("mariadb", Program::Mysql),
    ("mariadb-dump", Program::Mysql),
    ("mariadb-admin", Program::Mysql),
    ("sshpass", Program::Sshpass),
    ("curl", Program::Curl),
    ("wget", Program::Curl),
];

/// curl's short options without a value, which may stand before `u` in `-su`.
const CURL_FLAGS: &[u8] = b"#:012346aBfGgIijJkLlMnNOpqRsSvZ";

/// Reads a program's options one by one.
#[derive(Debug)]
pub(super) struct Options {
    program: Program,
    awaits: Awaits,
}

#[derive(Debug, PartialEq, Eq)]
enum Awaits {
    Option,
    Secret,
    Other,
    Nothing,
}

impl Options {
    /// The options of the program that a path names, if it is known.
    pub(super) fn of(path: &[u8]) -> Option<Self> {
        let base = path.rsplit(|byte| *byte == b'/').next()?;
        let (_, program) = PROGRAMS.iter().find(|(name, _)| name.as_bytes() == base)?;
        Some(Self {
            program: *program,
            awaits: Awaits::Option,
        })
    }

    /// Where the secret of the next argument starts, if it has one.
    pub(super) fn secret_in(&mut self, argument: &[u8]) -> Option<usize> {
        let awaits = std::mem::replace(&mut self.awaits, Awaits::Option);
        match (awaits, self.program) {
            (Awaits::Nothing, _) => {
                self.awaits = Awaits::Nothing;
                None
            }
            (Awaits::Other, _) => None,
            (Awaits::Secret, Program::Curl) => after_colon(argument, 0),
            (Awaits::Secret, _) => Some(0),
            (Awaits::Option, _) if argument == b"--" => {
                self.awaits = Awaits::Nothing;
                None
            }
            (Awaits::Option, Program::Mysql) => {
                (argument.len() > 2 && argument.starts_with(b"-p")).then_some(2)
            }
            (Awaits::Option, Program::Sshpass) => self.sshpass(argument),
            (Awaits::Option, Program::Curl) => self.curl(argument),
        }
    }

    fn sshpass(&mut self, argument: &[u8]) -> Option<usize> {
        match argument {
            b"-p" => self.awaits = Awaits::Secret,
            b"-f" | b"-d" | b"-P" => self.awaits = Awaits::Other,
            [b'-', b'p', ..] => return Some(2),
            [b'-', _, ..] => {}
            _ => self.awaits = Awaits::Nothing,
        }
        None
    }

    fn curl(&mut self, argument: &[u8]) -> Option<usize> {
        for long in [b"--user".as_slice(), b"--proxy-user"] {
            match argument.strip_prefix(long) {
                Some([]) => self.awaits = Awaits::Secret,
                Some([b'=', ..]) => return after_colon(argument, long.len() + 1),
                _ => {}
            }
        }
        let [b'-', cluster @ ..] = argument else {
            return None;
        };
        let flags = cluster
            .iter()
            .take_while(|flag| CURL_FLAGS.contains(flag))
            .count();
        if cluster.get(flags) != Some(&b'u') {
            return None;
        }
        if cluster.len() == flags + 1 {
            self.awaits = Awaits::Secret;
            return None;
        }
        after_colon(argument, flags + 2)
    }
}

fn after_colon(argument: &[u8], from: usize) -> Option<usize> {
    let colon = argument[from..].iter().position(|byte| *byte == b':')?;
    let start = from + colon + 1;
    (start < argument.len()).then_some(start)
}
