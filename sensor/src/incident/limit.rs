//! Bounds of one incident: frames, causes, bytes of its JSON.

use super::{
    exception::{Exception, Frame},
    record::Incident,
};
use crate::process::event::Value;

/// Most frames of an exception.
pub const FRAMES: usize = 1_024;
/// Most causes of an exception.
pub const CAUSES: usize = 64;
/// Most bytes of an incident's JSON.
pub const JSON_BYTES: usize = 1 << 20;

/// Steps by which an incident shrinks until it fits: bytes of a text, frames
/// of a list, causes.
pub const STEPS: [(usize, usize, usize); 6] = [
    (256 << 10, FRAMES, CAUSES),
    (96 << 10, 512, CAUSES),
    (32 << 10, 128, 32),
    (8 << 10, 32, 16),
    (2 << 10, 8, 8),
    (256, 2, 2),
];

/// Keeps the first and last frames and causes, counts those left out.
pub fn trim(exception: &mut Exception, frames: usize, causes: usize) {
    let left = cut_middle(&mut exception.frames, frames);
    exception.frames_omitted += left;
    exception.causes_omitted += cut_middle(&mut exception.causes, causes);
    for cause in &mut exception.causes {
        exception.frames_omitted += cut_middle(&mut cause.frames, frames);
    }
}

/// Shrinks an incident to one of [`STEPS`].
pub fn shrink(incident: &mut Incident, (text, frames, causes): (usize, usize, usize)) {
    let Incident {
        body,
        exception,
        origin,
        cause,
        last_words,
        request,
        context,
        services,
        ..
    } = incident;
    for part in [
        body,
        &mut origin.original,
        &mut origin.logger,
        &mut origin.path,
        cause,
        last_words,
    ]
    .into_iter()
    .flatten()
    {
        cut(part, text);
    }
    if let Some(exception) = exception {
        trim(exception, frames, causes);
        cut(&mut exception.text, text);
        cut(&mut exception.name, text.min(4_096));
        exception
            .message
            .iter_mut()
            .for_each(|message| cut(message, text));
        let causes = exception.causes.iter_mut().flat_map(|cause| {
            cut(&mut cause.name, text.min(4_096));
            cause
                .message
                .iter_mut()
                .for_each(|message| cut(message, text / 8));
            &mut cause.frames
        });
        for Frame {
            function,
            module,
            file,
            ..
        } in exception.frames.iter_mut().chain(causes)
        {
            for part in [function, module, file].into_iter().flatten() {
                cut(part, (text / 64).max(64));
            }
        }
    }
    for value in request.values_mut().chain(context.values_mut()) {
        match value {
            Value::Text(value) => cut(value, text / 8),
            Value::List(list) => {
                list.truncate(frames);
                list.iter_mut().for_each(|value| cut(value, text / 64));
            }
            Value::Int(_) | Value::Bool(_) => {}
        }
    }
    services.truncate(frames);
}

fn cut_middle<T>(list: &mut Vec<T>, most: usize) -> u64 {
    let over = list.len().saturating_sub(most);
    if over > 0 {
        let head = most.div_ceil(2);
        list.drain(head..head + over);
    }
    over as u64
}

/// Cuts a text at its end, between two characters.
fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        text.truncate(text.floor_char_boundary(most));
        text.push('…');
    }
}
