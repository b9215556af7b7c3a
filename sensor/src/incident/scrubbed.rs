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
    for part in [function, module, file].into_iter().flatten() {
        if let Some(scrubbed) = without_secrets(part, scrubber) {
            *part = scrubbed.into();
        }
    }
}

fn optional(part: &mut Option<String>, scrubber: &Scrubber) {
    if let Some(part) = part {
        text(part, scrubber);
    }
}

fn text(text: &mut String, scrubber: &Scrubber) {
    if let Some(scrubbed) = without_secrets(text, scrubber) {
        *text = scrubbed;
    }
}

/// The text without its secrets; `None` where it has none.
fn without_secrets(text: &str, scrubber: &Scrubber) -> Option<String> {
    let scrubbed = scrubber.scrub_text(text.as_bytes());
    (scrubbed != text.as_bytes()).then(|| String::from_utf8_lossy(&scrubbed).into_owned())
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        incident::log::{LogOptions, LogParser},
        output::incident::json,
        scrub::ScrubConfig,
    };

    #[test]
    fn no_text_of_an_incident_keeps_a_secret() {
        let secret = "password=hunter2";
        let text = format!(
            "ERROR:db:no {secret}\nTraceback (most recent call last):\n  \
             File \"http://a:hunter2@b/c.py\", line 3, in f\n    g()\nKeyError: {secret}\n"
        );
        let mut found = Vec::new();
        let mut parser = LogParser::new(&LogOptions::default());
        parser.feed(text.as_bytes(), &mut |incident| found.push(incident));
        parser.finish(&mut |incident| found.push(incident));
        let mut incident = found.remove(0);
        let owned = || Some(secret.to_owned());
        incident.cause = owned();
        incident.last_words = owned();
        incident.origin.path = owned();
        incident
            .request
            .insert("url.query", Value::Text(secret.to_owned()));
        let context = [
            ("environment.DB_PASSWORD", Value::Text("hunter2".to_owned())),
            ("process.args", Value::List(vec![secret.to_owned()])),
            ("environment.KEPT", Value::Text("kept".to_owned())),
        ];
        incident
            .context
            .extend(context.map(|(key, value)| (key.to_owned(), value)));
        let line = |incident: &Incident| String::from_utf8(json(incident)).unwrap();
        assert!(line(&incident).matches("hunter2").count() >= 9);
        let fingerprint = incident.fingerprint;
        incident.scrub(&Scrubber::new(&ScrubConfig::default()).unwrap());
        assert!(!line(&incident).contains("hunter2"), "{}", line(&incident));
        assert!(line(&incident).contains("kept"));
        assert_eq!(incident.fingerprint, fingerprint);
    }
}
