//! The one place where secrets leave an incident.

use super::{
    exception::{Cause, Exception, Frame},
    record::{Incident, Origin, Sender, Severity},
};
use crate::{
    process::event::Value,
    scrub::{MASK, Scrubber},
};

impl Incident {
    /// Masks secrets in every text. To be called once, before an incident
    /// leaves; `process` has its arguments scrubbed where it was made.
    pub fn scrub(&mut self, scrubber: &Scrubber) {
        // Destructured, so that a new field cannot be forgotten here.
        let Self {
            id: _,
            kind: _,
            time: _,
            observed: _,
            severity:
                Severity {
                    number: _,
                    text: severity,
                },
            body,
            exception,
            origin:
                Origin {
                    original,
                    path,
                    stream: _,
                    format: _,
                    logger,
                    place,
                },
            process: _,
            pid: _,
            services: _,
            end: _,
            sender,
            cause,
            last_words,
            fingerprint: _,
            count: _,
            request,
            context,
        } = self;
        for part in [severity, body, original, path, logger, cause, last_words] {
            optional(part, scrubber);
        }
        if let Some(place) = place {
            frame(place, scrubber);
        }
        if let Some(Sender { pid: _, name }) = sender {
            optional(name, scrubber);
        }
        if let Some(exception) = exception {
            self::exception(exception, scrubber);
        }
        for (key, value) in request {
            self::value(key, value, scrubber);
        }
        for (key, value) in context {
            self::value(key, value, scrubber);
        }
    }
}

fn exception(exception: &mut Exception, scrubber: &Scrubber) {
    let Exception {
        language: _,
        name,
        message,
        frames,
        causes,
        severity: _,
        text: stack,
        pid: _,
        frames_omitted: _,
        causes_omitted: _,
    } = exception;
    text(name, scrubber);
    text(stack, scrubber);
    optional(message, scrubber);
    frames.iter_mut().for_each(|one| frame(one, scrubber));
    for Cause {
        name,
        message,
        frames,
        relation: _,
    } in causes
    {
        text(name, scrubber);
        optional(message, scrubber);
        frames.iter_mut().for_each(|one| frame(one, scrubber));
    }
}

fn frame(frame: &mut Frame, scrubber: &Scrubber) {
    let Frame {
        function,
        module,
        file,
        line: _,
        column: _,
        in_app: _,
    } = frame;
    for part in [function, module, file] {
        optional(part, scrubber);
    }
}

fn optional(part: &mut Option<String>, scrubber: &Scrubber) {
    if let Some(part) = part {
        text(part, scrubber);
    }
}

fn text(text: &mut String, scrubber: &Scrubber) {
    let scrubbed = scrubber.scrub_text(text.as_bytes());
    if scrubbed != text.as_bytes() {
        *text = String::from_utf8_lossy(&scrubbed).into_owned();
    }
}

/// A value with a key is masked by either.
fn value(key: &str, value: &mut Value, scrubber: &Scrubber) {
    let hidden = hides(key, scrubber);
    let mask = |part: &mut String| match hidden {
        true => *part = masked(),
        false => text(part, scrubber),
    };
    match value {
        Value::Text(part) => mask(part),
        Value::List(list) => list.iter_mut().for_each(mask),
        Value::Int(_) if hidden => *value = Value::Text(masked()),
        Value::Int(_) | Value::Bool(_) => {}
    }
}

fn masked() -> String {
    String::from_utf8_lossy(MASK).into_owned()
}

/// Whether a key announces a secret.
fn hides(key: &str, scrubber: &Scrubber) -> bool {
    let pair = format!("{key}=x1y2z3");
    scrubber.scrub_text(pair.as_bytes()) != pair.as_bytes()
}
