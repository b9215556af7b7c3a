//! Stage 5: /proc figures of watched processes.
