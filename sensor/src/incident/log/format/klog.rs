//! klog and glog: `E0520 14:30:22.123456    1234 file.go:12] message`.

use super::{Entry, LogFormat};
use crate::incident::find::Find;
use crate::incident::{
    exception::Frame,
    log::{
        level::{Level, letter},
        time::{Civil, When},
    },
};

/// The format.
#[derive(Debug)]
pub struct Klog;

impl LogFormat for Klog {
    fn name(&self) -> &str {
        "klog"
    }

    fn begins(&self, first: u8) -> bool {
        matches!(first, b'I' | b'W' | b'E' | b'F')
    }

    fn read<'a>(&self, line: &'a str, _sure: bool) -> Option<Entry<'a>> {
        let text = line.get(..1)?;
        let number = letter(text.bytes().next().filter(|byte| self.begins(*byte))?)?;
        let digits = line.bytes().skip(1).take_while(u8::is_ascii_digit).count();
        let (year, month_day) = match digits {
            4 => (None, line.get(1..5)?),
            // glog with the year.
            8 => (Some(line.get(1..5)?.parse().ok()?), line.get(5..9)?),
            _ => return None,
        };
        let rest = line.get(1 + digits..)?.strip_prefix(' ')?;
        let (clock, rest) = Civil::scan(rest.trim_start())?;
        if clock.day.is_some() {
            return None;
        }
        let day = (
            month_day.get(..2)?.parse().ok()?,
            month_day.get(2..)?.parse().ok()?,
        );
        let (before, message) = rest
            .cut("] ")
            .or_else(|| Some((rest.strip_suffix(']')?, "")))?;
        let (thread, place) = before.trim_start().split_once(' ')?;
        if !thread.bytes().all(|byte| byte.is_ascii_digit()) {
            return None;
        }
        let (file, number_of_line) = place.trim().rsplit_once(':')?;
        let place = Frame {
            file: Some(file.into()),
            line: number_of_line.parse().ok(),
            ..Frame::default()
        };
        Some(Entry {
            time: Some(When::Civil(Civil {
                year,
                day: Some(day),
                ..clock
            })),
            level: Some(Level {
                number,
                text: text.into(),
            }),
            message: Some(message.into()),
            place: Some(Box::new(place)),
            ..Entry::default()
        })
    }
}
