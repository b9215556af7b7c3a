//! One file a target.

mod btf;
mod custom_metric;
mod exception;
mod init_py;
mod legacy_time;
mod log_lines;
mod manifest_toml;
mod otlp_answer;
mod otlp_request;
mod plugin_toml;
mod procfs;
mod record;
mod scrub_args;
mod scrub_text;
mod sensor_toml;
mod sqlite;
mod store_open;
mod store_record;

/// A target: it returns, whatever the bytes are, or it has a finding.
pub type Target = fn(&[u8]);

/// All of them, by name.
pub const ALL: [(&str, Target); 18] = [
    ("btf", btf::run),
    ("custom_metric", custom_metric::run),
    ("exception", exception::run),
    ("init_py", init_py::run),
    ("legacy_time", legacy_time::run),
    ("log_lines", log_lines::run),
    ("manifest_toml", manifest_toml::run),
    ("otlp_answer", otlp_answer::run),
    ("otlp_request", otlp_request::run),
    ("plugin_toml", plugin_toml::run),
    ("procfs", procfs::run),
    ("record", record::run),
    ("scrub_args", scrub_args::run),
    ("scrub_text", scrub_text::run),
    ("sensor_toml", sensor_toml::run),
    ("sqlite", sqlite::run),
    ("store_open", store_open::run),
    ("store_record", store_record::run),
];

/// As much of the bytes as is text.
fn text(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => std::str::from_utf8(&bytes[..error.valid_up_to()]).unwrap_or_default(),
    }
}
