//! The pure parsers of /proc, and the one place that opens its files.
