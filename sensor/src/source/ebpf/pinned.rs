//! Hooks and ring that stay when the daemon ends, and those that it finds.
//!
//! The consumer's position in the ring moves on only when what was read is in
//! the store, with that position beside it ([`Mark`]). So a daemon that was
//! killed leaves everything that it had not written to the next one.

use std::{
    mem::offset_of,
    path::{Path, PathBuf},
    sync::atomic::Ordering,
};

use aya::{
    Ebpf,
    maps::{Map, MapData, PerCpuArray},
    programs::{
        ProgramInfo,
        links::{FdLink, PinnedLink},
    },
};
use rustix::{fd::AsFd, mm::ProtFlags};
use sensor_common::{awake::Awake, loss::Loss};

use super::{EbpfError, Kernel, Layout, Links, numbers, object::OBJECT, switches::OnDemand};
use crate::{
    source::{
        hook,
        pins::{self, Claim, PinError},
        ring::{Mapping, Ring},
        scheduler::Scheduler,
        tap::Tap,
    },
    units::BootNanos,
};

/// Where the daemon's notes begin in the page of the map AWAKE, bytes: the
/// hooks see the first few only, and the page lives as long as they do.
const NOTES: usize = 2048;
/// When the hooks had been attached, CLOCK_BOOTTIME, ns.
const BEGAN: usize = NOTES;
/// The [`Loss`] that was told last.
const TOLD: usize = NOTES + 8;
/// Raised when the notes change.
const NOTES_VERSION: [u8; 1] = [2];

/// How far a ring has been read, and written to the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Which ring: when its hooks had been attached.
    pub ring: BootNanos,
    /// The position.
    pub position: u64,
}

/// What to do with hooks of before, and for those who come after.
#[derive(Debug, Clone)]
pub struct Pinning<'a> {
    /// Whose they are: the path of the store.
    pub store: &'a Path,
    /// Whether hooks and ring are to stay.
    pub keep: bool,
    /// How far the store has it.
    pub mark: Option<Mark>,
}

/// What [`Kernel::open`] came to.
pub struct Opened {
    /// Hooks and ring.
    pub kernel: Kernel,
    /// There were some that this goes on with.
    pub found: bool,
    /// Why nothing stays, though it was to.
    pub unpinned: Option<PinError>,
    /// For people: what was lost on the way.
    pub warnings: Vec<String>,
}

/// What stays.
#[derive(Debug)]
pub(super) struct Pinned {
    dir: PathBuf,
    /// Nobody else may read the ring.
    _claim: Claim,
}

/// A ring whose hooks are gone.
#[derive(Debug)]
pub(super) struct Older {
    pub(super) ring: Ring,
    /// When its hooks had been attached.
    pub(super) since: BootNanos,
}

impl Pinned {
    pub(super) fn program(&self, name: &str) -> Option<ProgramInfo> {
        ProgramInfo::from_pin(self.dir.join(pins::object_name("prog", name))).ok()
    }
}

impl Kernel {
    /// Goes on with hooks and ring that were left by the daemon before. Where
    /// they do not fit this one (another release, kernel or size of the ring),
    /// new ones are attached before those are taken away, and both rings are
    /// read one after the other. Without `keep` nothing stays after that.
    ///
    /// # Errors
    ///
    /// As for [`Kernel::attach`].
    pub fn open(ring_bytes: u32, wish: &Pinning<'_>) -> Result<Opened, EbpfError> {
        let claim = match wish.keep {
            true => Claim::make(wish.store).map(Some),
            false => Ok(Claim::find(wish.store)),
        };
        let there = claim.and_then(|claim| {
            let layouts = claim.as_ref().map(Claim::layouts).transpose()?;
            Ok(claim.zip(layouts))
        });
        let (claim, layouts) = match there {
            Ok(Some(there)) => there,
            Ok(None) => return Ok(Opened::with(Self::attach(ring_bytes)?, None)),
            Err(error) => return Ok(Opened::with(Self::attach(ring_bytes)?, Some(error))),
        };
        let (layout, btf) = Layout::of_kernel(ring_bytes)?;
        let place = claim.place(&layout.name());
        let mut warnings = Vec::new();
        let mut found = None;
        if wish.keep && layouts.contains(&place) {
            match Self::take_over(&place, &layout) {
                Ok(kernel) => found = Some(kernel),
                Err(error) => warnings.push(format!(
                    "cannot go on with {}: {error}; what happened since is lost",
                    place.display()
                )),
            }
        }
        let current = found.is_some().then(|| place.clone());
        let mut others = layouts;
        others.retain(|path| Some(path) != current.as_ref());
        let mut opened = match found {
            Some(kernel) => Opened {
                found: true,
                ..Opened::with(kernel, None)
            },
            None => {
                // One that is broken would be in the way.
                if wish.keep && others.contains(&place) {
                    let _ = pins::remove(&place);
                    others.retain(|path| *path != place);
                }
                Self::fresh(layout, btf, wish.keep.then_some(&claim))?
            }
        };
        opened.warnings = warnings;
        for path in others {
            opened.succeed(&path);
        }
        for (ring, since) in opened.rings() {
            if let Some(mark) = wish.mark.filter(|mark| mark.ring == since) {
                ring.skip_to(mark.position);
            }
        }
        let kernel = &mut opened.kernel;
        if wish.keep && opened.unpinned.is_none() {
            kernel.pinned = Some(Pinned {
                dir: place,
                _claim: claim,
            });
        }
        let lost = kernel.loss();
        let lost = lost.fork + lost.exec + lost.exit;
        if lost > 0 {
            opened.warnings.push(format!(
                "the ring was full before this sensor came: {lost} events are lost"
            ));
        }
        Ok(opened)
    }

    /// Whether hooks and ring stay.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        self.pinned.is_some()
    }

    /// What is read from now on can be read again by the next daemon, until
    /// it is [released](Self::release).
    pub fn hold(&mut self) {
        if self.pinned.is_some() {
            self.ring.hold();
        }
    }

    /// How far the ring has been read.
    #[must_use]
    pub fn mark(&self) -> Mark {
        Mark {
            ring: self.since,
            position: self.ring.position(),
        }
    }

    /// What was read before a mark is in the store: nobody needs it again.
    pub fn release(&mut self, mark: Mark) {
        if mark.ring == self.since {
            self.ring.release(mark.position);
        }
    }

    /// Bytes that were read since, and that the kernel cannot use again.
    #[must_use]
    pub fn held(&self) -> u64 {
        self.ring.held()
    }

    /// Notes for the next daemon which losses it need not tell again.
    pub fn told(&self) {
        if self.pinned.is_some() {
            self.note_loss(&self.lost_ever());
        }
    }

    fn note_loss(&self, loss: &Loss) {
        let mut loss = *loss;
        for (index, number) in numbers(&mut loss).into_iter().enumerate() {
            let at = self.awake.number(TOLD + 8 * index);
            at.store(*number, Ordering::SeqCst);
        }
    }

    fn fresh(layout: Layout, btf: Vec<u8>, claim: Option<&Claim>) -> Result<Opened, EbpfError> {
        let Some(claim) = claim else {
            let (kernel, ()) = Self::load(layout, btf, |_, links| (links, ()))?;
            return Ok(Opened::with(kernel, None));
        };
        let name = layout.name();
        let again = layout.ring_bytes;
        let mut unpinned = None;
        let (kernel, ()) = Self::load(layout, btf, |programs, links| {
            let pinned = claim.create(&name, |dir| pin(programs, links, dir));
            let links = pinned.unwrap_or_else(|error| {
                unpinned = Some(error);
                Vec::new()
            });
            (links, ())
        })?;
        if let Some(error) = unpinned {
            // Its links went with those that could not be pinned.
            drop(kernel);
            return Ok(Opened::with(Self::attach(again)?, Some(error)));
        }
        kernel.note_loss(&kernel.before);
        let began = kernel.awake.number(BEGAN);
        began.store(kernel.since.0, Ordering::SeqCst);
        Ok(Opened::with(kernel, None))
    }

    fn take_over(dir: &Path, layout: &Layout) -> Result<Self, EbpfError> {
        let ring = ring(dir, layout.ring_bytes)?;
        let awake = awake(dir)?;
        let loss = map(dir, "LOSS")?;
        let loss = PerCpuArray::try_from(loss).map_err(EbpfError::map("LOSS"))?;
        let mut links = Vec::new();
        for hook in hook::CORE.into_iter().chain(hook::EXTRA) {
            let path = dir.join(pins::object_name("link", hook.name));
            match PinnedLink::from_pin(path) {
                Ok(link) => links.push((hook, FdLink::from(link))),
                Err(_) if hook::EXTRA.contains(&hook) => {}
                Err(source) => {
                    return Err(EbpfError::Link {
                        name: hook.name,
                        source: Box::new(source),
                    });
                }
            }
        }
        // Whom the one before counted and tapped, and what it counted, is for
        // this one to begin anew.
        let mut scheduler = Scheduler::open(|name| map(dir, name))?;
        scheduler.begin_anew();
        let mut tap = Tap::open(|name| map(dir, name))?;
        tap.forget_all();
        awake
            .number(offset_of!(Awake, taps))
            .store(0, Ordering::SeqCst);
        let since = BootNanos(awake.number(BEGAN).load(Ordering::SeqCst));
        let mut before = Loss::default();
        for (index, number) in numbers(&mut before).into_iter().enumerate() {
            *number = awake.number(TOLD + 8 * index).load(Ordering::SeqCst);
        }
        Ok(Self {
            ring,
            awake,
            loss,
            before,
            layout: layout.clone(),
            switches: OnDemand::take_over(dir, hook::SCHED),
            scheduler,
            calls: OnDemand::take_over(dir, hook::TAP),
            tap,
            programs: None,
            links,
            stats: None,
            pinned: None,
            older: Vec::new(),
            since,
        })
    }
}

impl Opened {
    fn with(kernel: Kernel, unpinned: Option<PinError>) -> Self {
        Self {
            kernel,
            found: false,
            unpinned,
            warnings: Vec::new(),
        }
    }

    /// Takes the hooks of another layout away, and keeps their ring to be
    /// read, where its records are understood.
    fn succeed(&mut self, dir: &Path) {
        let known = dir.file_name().is_some_and(|name| {
            let name = name.as_encoded_bytes();
            name.starts_with(pins::format_name().as_bytes())
        });
        let older = (|| {
            let map = map_data(dir, "RING")?;
            let size = map.info().map_err(EbpfError::map("RING"))?.max_entries();
            let ring = ring(dir, size)?;
            let since = BootNanos(awake(dir)?.number(BEGAN).load(Ordering::SeqCst));
            Ok::<_, EbpfError>(Older { ring, since })
        })();
        let removed = pins::remove(dir);
        let mut say = |text: String| self.warnings.push(text);
        if let Err(error) = removed {
            say(format!("cannot remove {}: {error}", dir.display()));
        }
        match older {
            Ok(older) if known => {
                self.kernel.older.push(older);
                self.found = true;
            }
            Ok(mut older) => {
                let mut lost = 0_u64;
                while older.ring.advance() {
                    lost += 1;
                }
                if lost > 0 {
                    say(format!(
                        "{lost} events of a sensor with other records are lost"
                    ));
                }
            }
            Err(error) => say(format!("cannot read what {} had: {error}", dir.display())),
        }
    }

    fn rings(&mut self) -> impl Iterator<Item = (&mut Ring, BootNanos)> {
        let kernel = &mut self.kernel;
        let older = kernel.older.iter_mut();
        older
            .map(|older| (&mut older.ring, older.since))
            .chain([(&mut kernel.ring, kernel.since)])
    }
}

impl Layout {
    /// Everything that hooks and ring depend on. Pins do not outlive a boot,
    /// but a kernel that was patched while it ran would be another one.
    fn name(&self) -> String {
        let uname = rustix::system::uname();
        let offsets = self.offsets.map(u32::to_ne_bytes).concat();
        let ring_bytes = self.ring_bytes.to_ne_bytes();
        pins::layout_name([
            OBJECT,
            &offsets,
            &ring_bytes,
            &NOTES_VERSION,
            uname.release().to_bytes(),
            uname.version().to_bytes(),
        ])
    }
}

/// Hooks last: they are what cannot be had without the rest.
fn pin(programs: &mut Ebpf, links: Links, dir: &Path) -> Result<Links, PinError> {
    let path = |kind: &str, name: &str| dir.join(pins::object_name(kind, name));
    let failed = |name: &str| {
        let name = name.to_owned();
        |source| PinError::Pin {
            name,
            source: Box::new(source),
        }
    };
    for (name, map) in programs.maps() {
        map.pin(path("map", name)).map_err(failed(name))?;
    }
    for (name, program) in programs.programs_mut() {
        if program.fd().is_err() {
            // One that this kernel cannot have.
            continue;
        }
        program.pin(path("prog", name)).map_err(failed(name))?;
    }
    let links = links.into_iter().map(|(hook, link)| {
        let pinned = link.pin(path("link", hook.name));
        Ok((hook, FdLink::from(pinned.map_err(failed(hook.name))?)))
    });
    links.collect()
}

fn map_data(dir: &Path, name: &'static str) -> Result<MapData, EbpfError> {
    MapData::from_pin(dir.join(pins::object_name("map", name))).map_err(EbpfError::map(name))
}

pub(super) fn map(dir: &Path, name: &'static str) -> Result<Map, EbpfError> {
    Map::from_map_data(map_data(dir, name)?).map_err(EbpfError::map(name))
}

fn ring(dir: &Path, size: u32) -> Result<Ring, EbpfError> {
    let map = map_data(dir, "RING")?;
    Ring::new(map.fd().as_fd(), size).map_err(EbpfError::Ring)
}

fn awake(dir: &Path) -> Result<Mapping, EbpfError> {
    let map = map_data(dir, "AWAKE")?;
    let both = ProtFlags::READ | ProtFlags::WRITE;
    Mapping::new(map.fd(), 0, rustix::param::page_size(), both).map_err(EbpfError::Ring)
}
