//! The end of a process, and what it said before.

use super::Worker;
use crate::{
    clock,
    incident::{log::LogParser, record::Incident, words::Words},
};

impl Worker {
    /// Joins the end of a process with what preceded it: the last exception
    /// that it wrote, else its last error line.
    pub(super) fn join(&self, incident: &mut Incident, words: &[Words]) {
        let errors = words
            .iter()
            .filter_map(|words| Some((words, self.last_error(words)?)));
        let mut errors: Vec<_> = errors.collect();
        errors.sort_by_key(|(_, error)| error.exception.is_none());
        let found = errors.into_iter().next();
        let from = found
            .as_ref()
            .filter(|(_, error)| error.exception.is_some())
            .map(|(words, _)| *words);
        if let Some(words) = from.or(words.first()) {
            let text = String::from_utf8_lossy(words.last()).into_owned();
            incident.last_words = Some(text);
            let path = words.path.as_ref();
            incident.origin.path = path.map(|path| path.to_string_lossy().into_owned());
            incident.origin.stream = words.stream;
        }
        if let Some((_, found)) = found {
            incident.severity.number = incident.severity.number.max(found.severity.number);
            incident.severity.text = found.severity.text;
            incident.body = found.body;
            incident.exception = found.exception;
            incident.origin.original = found.origin.original;
            incident.origin.format = found.origin.format;
            incident.origin.logger = found.origin.logger;
        }
    }

    /// The last exception, else the last error line near the end: one long
    /// before it had nothing to do with it.
    fn last_error(&self, words: &Words) -> Option<Incident> {
        let mut logs = self.logs.clone();
        logs.now = clock::wall().0;
        let last = |text: &[u8], counts: fn(&Incident) -> bool| {
            let mut parser = LogParser::new(&logs);
            let mut last = None;
            let mut keep = |incident: Incident| {
                if counts(&incident) {
                    last = Some(incident);
                }
            };
            parser.feed(text, &mut keep);
            parser.finish(&mut keep);
            last
        };
        last(&words.text, |incident| incident.exception.is_some())
            .or_else(|| last(words.near_end(), |_| true))
    }
}
