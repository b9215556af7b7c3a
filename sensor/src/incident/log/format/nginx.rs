//! nginx's error log:
//! `2023/05/20 14:30:22 [error] 1234#1234: *5 open() "/x" failed, client: …`.

use super::{Entry, LogFormat};
use crate::incident::find::Find;
use crate::incident::log::{
    level::Level,
    time::{Civil, When},
};

/// The format.
#[derive(Debug)]
pub struct Nginx;

/// What nginx puts before the words of PHP and other programs behind FastCGI.
const FASTCGI: &str = "FastCGI sent in stderr: \"";

impl LogFormat for Nginx {
    fn name(&self) -> &str {
        "nginx"
    }

    fn begins(&self, first: u8) -> bool {
        first.is_ascii_digit()
    }

    fn read<'a>(&self, line: &'a str, _sure: bool) -> Option<Entry<'a>> {
        if line.as_bytes().get(4) != Some(&b'/') {
            return None;
        }
        let (civil, rest) = Civil::scan(line)?;
        let (word, rest) = rest.strip_prefix(" [")?.cut("] ")?;
        let level = Level::word(word)?;
        let (ids, message) = rest.cut(": ")?;
        let (pid, thread) = ids.split_once('#')?;
        thread.parse::<u64>().ok()?;
        let message = message
            .strip_prefix('*')
            .and_then(|rest| {
                let (connection, message) = rest.split_once(' ')?;
                connection.parse::<u64>().ok()?;
                Some(message)
            })
            .unwrap_or(message);
        let message = match message.strip_prefix(FASTCGI) {
            Some(php) => php.strip_prefix("PHP message: ").unwrap_or(php),
            None => message,
        };
        Some(Entry {
            time: Some(When::Civil(civil)),
            level: Some(level),
            message: Some(message.into()),
            pid: Some(pid.parse().ok()?),
            ..Entry::default()
        })
    }
}
