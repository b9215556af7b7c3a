//! Requests without a client: what fuzzing looks at, by the way that real ones
//! go.

pub use super::decode::Form;
use super::find::{Reported, Rules, in_logs, in_spans};

/// What is found in the body of a request for traces; `None` where it is
/// refused.
#[must_use]
pub fn traces(body: &[u8], form: Form, rules: &Rules) -> Option<Vec<Reported>> {
    let request = form.decode(body).ok()?;
    Some(in_spans(&request, rules, 1, &Default::default()))
}

/// What is found in the body of a request for logs; `None` where it is refused.
#[must_use]
pub fn logs(body: &[u8], form: Form, rules: &Rules) -> Option<Vec<Reported>> {
    let request = form.decode(body).ok()?;
    Some(in_logs(&request, rules, 1))
}
