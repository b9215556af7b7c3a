//! Repeats of a fingerprint are counted instead of told.

use hashbrown::HashMap;

use super::record::Incident;

/// Most fingerprints that are counted; those beyond are told each time.
const MOST: usize = 16_384;

/// Folds incidents: the first of each fingerprint is kept, the others are
/// counted.
#[derive(Debug, Default)]
pub struct Fold {
    places: HashMap<u64, usize>,
    kept: Vec<Incident>,
    bytes: usize,
}

/// Most bytes of incidents that are kept, roughly.
const BYTES: usize = 16 << 20;

impl Fold {
    /// Takes one in; gives it back where there is no room for it.
    pub fn add(&mut self, incident: Incident) -> Option<Incident> {
        if let Some(place) = self.places.get(&incident.fingerprint) {
            if let Some(first) = self.kept.get_mut(*place) {
                first.count += incident.count;
            }
            return None;
        }
        let length = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let text = incident
            .exception
            .as_ref()
            .map_or(0, |exception| 2 * exception.text.len());
        let bytes = 1_024 + length(&incident.origin.original) + length(&incident.body) + text;
        if self.kept.len() >= MOST || self.bytes + bytes > BYTES {
            return Some(incident);
        }
        self.bytes += bytes;
        self.places.insert(incident.fingerprint, self.kept.len());
        self.kept.push(incident);
        None
    }

    /// All that were kept, in their order, with their counts.
    pub fn finish(&mut self) -> Vec<Incident> {
        self.places.clear();
        self.bytes = 0;
        std::mem::take(&mut self.kept)
    }
}
