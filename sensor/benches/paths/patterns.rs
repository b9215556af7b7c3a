//! Patterns as people write them, and processes that were never seen before.

use sensor::plugin::{MatchOn, Plugin};

/// Words that names of programs are made of.
const WORDS: [&str; 16] = [
    "nginx", "worker", "java", "agent", "sync", "proxy", "cache", "queue", "index", "auth", "mail",
    "batch", "shard", "relay", "audit", "store",
];

/// A name that no other number has, of at most 15 bytes.
pub fn name(number: usize) -> String {
    let word = WORDS[number % WORDS.len()];
    format!("{word}{number}")
}

/// Arguments of the usual length.
pub fn line(name: &str) -> Vec<u8> {
    format!(
        "/usr/lib/{name}/bin/{name}\0--config=/etc/{name}/main.conf\0--listen\0127.0.0.1:8080\0\
         --log-level=info\0"
    )
    .into_bytes()
}

/// The kinds of patterns that people write.
pub fn plugin(on: MatchOn, index: usize) -> Plugin {
    let word = WORDS[index % WORDS.len()];
    let pattern = match index % 4 {
        0 => format!("^{word}{index}$"),
        1 => format!("{word}-?{index}.*"),
        2 => format!("^(a|b)?{word}[0-9]+x{index}"),
        _ => format!("Srv{word}{index}"),
    };
    let mut plugin = Plugin::host();
    plugin.name = format!("p{index}");
    plugin.match_on = on;
    for service in &mut plugin.services {
        service.pattern.clone_from(&pattern);
    }
    plugin
}
