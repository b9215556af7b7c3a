//! Stage 8: OTLP on the wire.
