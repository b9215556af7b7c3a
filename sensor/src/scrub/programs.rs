//! Programs whose short options carry a password.

use super::pair::starts_option;

/// A program known for such an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Program {
    /// The clients of MySQL and MariaDB: `-pPASSWORD`.
    Mysql,
    /// `-pPASSWORD` and `-p PASSWORD`, before the command that it runs.
    Sshpass,
    /// `-u USER:PASSWORD`.
    Curl,
    /// A password behind this letter: `-aPASSWORD` and `-a PASSWORD`.
    Letter(u8),
    /// The command `login` with `-pPASSWORD` and `-p PASSWORD`.
    Login,
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
    ("redis-cli", Program::Letter(b'a')),
    ("valkey-cli", Program::Letter(b'a')),
    ("ldapsearch", Program::Letter(b'w')),
    ("ldapmodify", Program::Letter(b'w')),
    ("ldapadd", Program::Letter(b'w')),
    ("ldapdelete", Program::Letter(b'w')),
    ("ldapcompare", Program::Letter(b'w')),
    ("ldapwhoami", Program::Letter(b'w')),
    ("ldappasswd", Program::Letter(b'w')),
    ("mongosh", Program::Letter(b'p')),
    ("mongodump", Program::Letter(b'p')),
    ("mongorestore", Program::Letter(b'p')),
    ("mongoexport", Program::Letter(b'p')),
    ("mongoimport", Program::Letter(b'p')),
    ("mosquitto_pub", Program::Letter(b'P')),
    ("mosquitto_sub", Program::Letter(b'P')),
    ("docker", Program::Login),
    ("podman", Program::Login),
    ("buildah", Program::Login),
    ("skopeo", Program::Login),
];

/// curl's short options without a value, which may stand before `u` in `-su`.
const CURL_FLAGS: &[u8] = b"#:012346aBfGgIijJkLlMnNOpqRsSvZ";

/// Reads a program's options one by one.
#[derive(Debug)]
pub(super) struct Options {
    program: Program,
    awaits: Awaits,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Awaits {
    /// The command, of a program that has some, or an option before it.
    Command,
    /// The same, or the value of the option before.
    CommandOrValue,
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
            awaits: match program {
                Program::Login => Awaits::Command,
                _ => Awaits::Option,
            },
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
            (Awaits::Command | Awaits::CommandOrValue, _) => {
                self.awaits = match argument {
                    b"login" => Awaits::Option,
                    [b'-', ..] => Awaits::CommandOrValue,
                    _ if awaits == Awaits::CommandOrValue => Awaits::Command,
                    _ => Awaits::Nothing,
                };
                None
            }
            (Awaits::Secret, Program::Letter(_) | Program::Login) if starts_option(argument) => {
                self.secret_in(argument)
            }
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
            (Awaits::Option, Program::Letter(letter)) => self.letter(letter, argument),
            (Awaits::Option, Program::Login) => self.letter(b'p', argument),
        }
    }

    fn letter(&mut self, letter: u8, argument: &[u8]) -> Option<usize> {
        match argument {
            [b'-', found] if *found == letter => self.awaits = Awaits::Secret,
            [b'-', found, b'=', _, ..] if *found == letter => return Some(3),
            [b'-', found, _, ..] if *found == letter => return Some(2),
            _ => {}
        }
        None
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
