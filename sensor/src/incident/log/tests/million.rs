//! A million lines that are no incident: those of [`super::ordinary`], alone and
//! in envelopes, in an order that never repeats. Without optimisation fewer do;
//! `cargo xtask bench logs` reads them all.

use std::io::Write;

use super::{
    ordinary::{LINES, is_frame},
    *,
};

const MANY: usize = if cfg!(debug_assertions) {
    30_000
} else {
    1_000_000
};

/// Around a line, which stands for `%`.
const ENVELOPES: [&str; 9] = [
    "%",
    "2023-05-20T14:30:22.123456789Z stdout F %",
    "2023-05-20T14:30:22.123456789Z stderr F %",
    "web-1  | %",
    "[pod/web-0/app] %",
    "2023-05-20T14:30:22.123456789Z %",
    "May 20 14:30:22 host app[17]: %",
    "<14>May 20 14:30:22 host app[17]: %",
    "<30>1 2023-05-20T14:30:22Z host app 17 - - %",
];

#[test]
fn a_million_lines_of_other_programs_are_none() {
    let lines: Vec<&str> = LINES.lines().filter(|line| !is_frame(line)).collect();
    let mut found = Vec::new();
    let mut take = |incident: Incident| {
        if found.len() < 5 {
            found.push(format!(
                "{} <- {:?}",
                shown(&incident),
                incident.origin.original
            ));
        }
    };
    let mut parser = LogParser::new(&options());
    let mut block = Vec::new();
    let mut random = 1_u64;
    for number in 0..MANY {
        // Knuth's MMIX generator: its upper bits are good enough.
        random = random
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        let pick = |list: &[&'static str], shift: u32| -> &'static str {
            let index = usize::try_from(random >> shift & 0xffff).unwrap();
            list[index % list.len()]
        };
        let line = pick(&lines, 40);
        // Seven of eight stand alone, and those that begin as a level does: behind
        // a time that is what they have.
        let leveled = ["ERROR", "[ERROR", "FATAL", "#7 ERROR"]
            .iter()
            .any(|word| line.starts_with(word));
        let envelope = if random >> 61 == 0 && !leveled {
            pick(&ENVELOPES, 20)
        } else {
            "%"
        };
        let (before, after) = envelope.split_once('%').unwrap();
        block.extend_from_slice(before.as_bytes());
        let mut parts = line.split('#');
        block.extend_from_slice(parts.next().unwrap().as_bytes());
        for part in parts {
            write!(block, "{number}").unwrap();
            block.extend_from_slice(part.as_bytes());
        }
        block.extend_from_slice(after.as_bytes());
        block.push(b'\n');
        if block.len() > 64 << 10 {
            parser.feed(&block, &mut take);
            block.clear();
        }
    }
    parser.feed(&block, &mut take);
    parser.finish(&mut take);
    assert!(found.is_empty(), "such as {found:#?}");
}
