use sensor::incident::log::{
    format::{Entry, LogFormat},
    level::Level,
    time::{Civil, When},
};

/// `2023-05-20 14:30:22 till7 X! drawer stuck`: X is an error, N is none.
#[derive(Debug)]
pub struct Till;

impl LogFormat for Till {
    fn name(&self) -> &str {
        "till"
    }

    fn begins(&self, first: u8) -> bool {
        first.is_ascii_digit()
    }

    // The letters are no words for levels, so lines without `error` matter too.
    fn is_own(&self) -> bool {
        true
    }

    fn read<'a>(&self, line: &'a str, _sure: bool) -> Option<Entry<'a>> {
        let (time, rest) = Civil::scan(line)?;
        let (till, rest) = rest.strip_prefix(" till")?.split_once(' ')?;
        let (letter, message) = rest.split_once("! ")?;
        let number = match letter {
            "X" => 17,
            "N" => 9,
            _ => return None,
        };
        Some(Entry {
            time: Some(When::Civil(time)),
            level: Some(Level {
                number,
                text: letter.into(),
            }),
            logger: Some(till.into()),
            message: Some(message.into()),
            ..Entry::default()
        })
    }
}
