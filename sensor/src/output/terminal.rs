//! Text from processes, made harmless for a terminal.

use std::fmt::Write;

/// Text whose control characters (C0, DEL, C1) are escaped, so that nothing a
/// process is called can move the cursor or change the colour.
#[must_use]
pub fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for char in text.chars() {
        match char {
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            // Marks that reorder what follows, too.
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => {
                let _ = write!(out, "\\u{{{:x}}}", u32::from(char));
            }
            char if char.is_control() => {
                let _ = write!(out, "\\x{:02x}", u32::from(char));
            }
            char => out.push(char),
        }
    }
    out
}

/// Columns of the terminal that standard output is, if it is one.
#[must_use]
pub fn width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(std::io::stdout()).ok()?;
    (size.ws_col > 0).then_some(usize::from(size.ws_col))
}

/// Text of at most `width` characters; what is cut off shows as `…`.
#[must_use]
pub fn fitted(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    cut.push('…');
    cut
}

/// Bytes in at most four digits and a unit: `1023B`, `1.5K`, `12M`.
#[must_use]
pub fn bytes(value: u64) -> String {
    const UNITS: [&str; 6] = ["B", "K", "M", "G", "T", "P"];
    let mut unit = 0;
    let mut scaled = value as f64;
    while scaled >= 1000.0 && unit < UNITS.len() - 1 {
        scaled /= 1024.0;
        unit += 1;
    }
    match unit {
        0 => format!("{value}B"),
        _ if scaled < 10.0 => format!("{scaled:.1}{}", UNITS[unit]),
        _ => format!("{scaled:.0}{}", UNITS[unit]),
    }
}

/// A duration in a few digits: `180µs`, `4.2ms`, `1.50s`, `12m03s`, `3h05m`.
#[must_use]
pub fn duration(ns: u64) -> String {
    let seconds = ns as f64 / 1e9;
    match ns {
        0 => "0".to_owned(),
        1..1_000_000 => format!("{}µs", ns / 1_000),
        1_000_000..10_000_000 => format!("{:.1}ms", seconds * 1e3),
        10_000_000..1_000_000_000 => format!("{:.0}ms", seconds * 1e3),
        1_000_000_000..60_000_000_000 => format!("{seconds:.2}s"),
        60_000_000_000..3_600_000_000_000 => {
            format!("{}m{:02}s", ns / 60_000_000_000, ns / 1_000_000_000 % 60)
        }
        _ => format!(
            "{}h{:02}m",
            ns / 3_600_000_000_000,
            ns / 60_000_000_000 % 60
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_cannot_reach_the_terminal() {
        assert_eq!(
            escaped("a\x1b[31mb\n\u{9b}c\x7f"),
            "a\\x1b[31mb\\n\\x9bc\\x7f"
        );
        assert_eq!(escaped("Grüße ₿"), "Grüße ₿");
        assert_eq!(escaped("\u{202e}cod.exe"), "\\u{202e}cod.exe");
    }

    #[test]
    fn amounts_are_short() {
        for (value, text) in [(0, "0B"), (999, "999B"), (1024, "1.0K"), (12 << 20, "12M")] {
            assert_eq!(bytes(value), text);
        }
        for (ns, text) in [
            (180_000, "180µs"),
            (4_200_000, "4.2ms"),
            (1_500_000_000, "1.50s"),
            (723_000_000_000, "12m03s"),
        ] {
            assert_eq!(duration(ns), text);
        }
    }
}
