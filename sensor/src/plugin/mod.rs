//! Stage 4: plugin.toml and which process belongs to which service.
