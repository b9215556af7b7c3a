//! Bounds of one incident: frames, causes, bytes of its JSON; and what it takes
//! of memory.

use std::mem::{size_of, size_of_val};

use compact_str::CompactString;

use super::{
    context::Ancestor,
    exception::{Cause, Exception, Frame},
    record::Incident,
};
use crate::process::event::{Subject, Value};

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
                let most = (text / 64).max(64);
                if part.len() > most {
                    *part = shortened(part, most).into();
                }
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

/// Bytes that an incident takes of memory, without what it shares with others.
#[must_use]
pub fn size(incident: &Incident) -> usize {
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
    let texts = [
        body,
        &origin.original,
        &origin.logger,
        &origin.path,
        &origin.format,
        cause,
        last_words,
    ];
    let exception = exception.as_ref().map_or(0, |exception| {
        let causes = exception.causes.iter().map(|cause| {
            let Cause {
                name,
                message,
                frames,
                ..
            } = cause;
            size_of_val(cause) + name.capacity() + of_text(message) + of_frames(frames)
        });
        let texts = exception.name.capacity() + exception.text.capacity();
        texts + of_text(&exception.message) + of_frames(&exception.frames) + causes.sum::<usize>()
    });
    let request = request.values().map(of_value).sum::<usize>();
    let context = context
        .iter()
        .map(|(key, value)| size_of_val(key) + key.capacity() + of_value(value))
        .sum::<usize>();
    let place = origin.place.as_deref().map_or(0, of_frame);
    let texts = texts.into_iter().map(of_text).sum::<usize>();
    let services = size_of_val(&services[..]);
    size_of::<Incident>() + texts + exception + place + request + context + services
}

/// Bytes of what all incidents of a process share: its arguments, its parents.
#[must_use]
pub fn size_of_process(process: &Subject, ancestry: &[Ancestor]) -> usize {
    let args = process.args.iter().flat_map(|args| &args.args);
    let args = args.map(|arg| size_of_val(arg) + arg.capacity());
    let path = process
        .executable_path
        .as_ref()
        .map_or(0, |path| path.len());
    let cgroup = process.cgroup.as_ref().map_or(0, |cgroup| cgroup.len());
    let parents = ancestry.iter();
    let parents = parents.map(|parent| size_of_val(parent) + parent.name.capacity());
    args.sum::<usize>() + path + cgroup + parents.sum::<usize>()
}

fn of_text(text: &Option<String>) -> usize {
    text.as_ref().map_or(0, String::capacity)
}

fn of_frames(frames: &[Frame]) -> usize {
    frames.iter().map(of_frame).sum()
}

fn of_frame(frame: &Frame) -> usize {
    let texts = [&frame.function, &frame.module, &frame.file].into_iter();
    // Short ones are in the frame itself.
    let elsewhere = texts.flatten().filter(|text| text.is_heap_allocated());
    size_of_val(frame) + elsewhere.map(CompactString::capacity).sum::<usize>()
}

/// Bytes that a value takes of memory.
#[must_use]
pub fn of_value(value: &Value) -> usize {
    let inner = match value {
        Value::Text(text) => text.capacity(),
        Value::List(list) => list
            .iter()
            .map(|one| size_of_val(one) + one.capacity())
            .sum(),
        Value::Int(_) | Value::Bool(_) => 0,
    };
    size_of_val(value) + inner
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
pub fn cut(text: &mut String, most: usize) {
    if text.len() > most {
        *text = shortened(text, most);
    }
}

fn shortened(text: &str, most: usize) -> String {
    let end = text.floor_char_boundary(most);
    [text.get(..end).unwrap_or_default(), "…"].concat()
}
