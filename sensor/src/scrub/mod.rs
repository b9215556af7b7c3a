//! Secrets vanish here, before anything leaves the process.
