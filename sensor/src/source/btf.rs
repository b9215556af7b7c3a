//! Offsets of kernel fields, from the running kernel's BTF.
//!
//! Only what the offsets need: structs, unions, the types that lead to them,
//! and prototypes of tracepoints. The format is Documentation/bpf/btf.rst. The
//! bytes are foreign: every access is checked, every walk bounded.

use std::{collections::HashMap, path::Path};

use sensor_common::field::{ABSENT, COUNT, FIELDS, Need};

/// Where the kernel shows its BTF.
pub const KERNEL: &str = "/sys/kernel/btf/vmlinux";

/// The section of variables that each CPU has of its own.
const PER_CPU: &[u8] = b".data..percpu";

const MAGIC: u16 = 0xeb9f;
const VERSION: u8 = 1;
/// What the type of a tracepoint is called, before the tracepoint's name.
const TRACEPOINT: &str = "btf_trace_";
const KIND_INT: u32 = 1;
const KIND_PTR: u32 = 2;
const KIND_ARRAY: u32 = 3;
const KIND_STRUCT: u32 = 4;
const KIND_UNION: u32 = 5;
const KIND_ENUM: u32 = 6;
const KIND_TYPEDEF: u32 = 8;
const KIND_VOLATILE: u32 = 9;
const KIND_CONST: u32 = 10;
const KIND_RESTRICT: u32 = 11;
const KIND_FUNC_PROTO: u32 = 13;
const KIND_VAR: u32 = 14;
const KIND_DATASEC: u32 = 15;
const KIND_FLOAT: u32 = 16;
const KIND_DECL_TAG: u32 = 17;
const KIND_TYPE_TAG: u32 = 18;
const KIND_ENUM64: u32 = 19;

/// Longest chain of typedefs and qualifiers, deepest nesting of anonymous
/// members: real kernels stay far below.
const DEPTH: u32 = 16;
/// Most members that are looked at on the way to one: `task_struct` has some
/// hundreds, and what leads back to itself is without end.
const MEMBERS: u32 = 10_000;

/// Why BTF could not be used.
#[derive(Debug, thiserror::Error)]
pub enum BtfError {
    /// The file could not be read.
    #[error("cannot read {KERNEL}")]
    Read(#[source] std::io::Error),
    /// The bytes are no BTF.
    #[error("{KERNEL} is not valid BTF: {0}")]
    Malformed(&'static str),
}

/// A parsed BTF: the raw bytes and where each type begins.
pub struct Btf {
    types: Vec<u8>,
    strings: Vec<u8>,
    /// Offset of type `id` at index `id - 1`.
    starts: Vec<u32>,
    /// Structs and typedefs by name: the first of each.
    named: HashMap<Vec<u8>, u32>,
}

/// A member that is looked for. A bit field is one where `one_bit` asks for
/// it.
#[derive(Clone, Copy)]
struct Wanted<'a> {
    name: &'a [u8],
    one_bit: bool,
}

struct Type<'a> {
    name: u32,
    kind: u32,
    /// Number of members, parameters or values.
    len: usize,
    kind_flag: bool,
    size_or_type: u32,
    tail: &'a [u8],
}

impl Btf {
    /// Reads the running kernel's BTF.
    ///
    /// # Errors
    ///
    /// Where the file is missing, unreadable or malformed.
    pub fn of_kernel() -> Result<Self, BtfError> {
        let bytes = std::fs::read(Path::new(KERNEL)).map_err(BtfError::Read)?;
        Self::parse(&bytes)
    }

    /// Parses BTF in the machine's byte order.
    ///
    /// # Errors
    ///
    /// Where a length or an offset points outside.
    pub fn parse(bytes: &[u8]) -> Result<Self, BtfError> {
        let bad = BtfError::Malformed;
        let word = |at: usize| read_u32(bytes, at).ok_or(bad("the header is cut short"));
        if bytes.get(..2) != Some(&MAGIC.to_ne_bytes()[..]) {
            return Err(bad("wrong magic number"));
        }
        let header = word(4)? as usize;
        let section = |offset: u32, len: u32| {
            let from = header.checked_add(offset as usize)?;
            bytes.get(from..from.checked_add(len as usize)?)
        };
        let types = section(word(8)?, word(12)?).ok_or(bad("types are cut short"))?;
        let strings = section(word(16)?, word(20)?).ok_or(bad("strings are cut short"))?;
        let mut btf = Self {
            types: types.to_vec(),
            strings: strings.to_vec(),
            starts: Vec::new(),
            named: HashMap::new(),
        };
        btf.index()?;
        Ok(btf)
    }

    fn index(&mut self) -> Result<(), BtfError> {
        let wanted = wanted_names();
        let mut at = 0;
        while at < self.types.len() {
            let kind =
                read_u32(&self.types, at + 4).ok_or(BtfError::Malformed("a type is cut short"))?;
            let len = (kind & 0xffff) as usize;
            let tail = match kind >> 24 & 0x1f {
                KIND_INT | KIND_VAR | KIND_DECL_TAG => 4,
                KIND_ARRAY => 12,
                KIND_STRUCT | KIND_UNION | KIND_DATASEC | KIND_ENUM64 => len * 12,
                KIND_ENUM | KIND_FUNC_PROTO => len * 8,
                0 | 20.. => return Err(BtfError::Malformed("a type of unknown kind")),
                _ => 0,
            };
            let start = u32::try_from(at).map_err(|_| BtfError::Malformed("more than 4 GiB"))?;
            self.starts.push(start);
            let id = u32::try_from(self.starts.len()).unwrap_or(u32::MAX);
            if matches!(kind >> 24 & 0x1f, KIND_STRUCT | KIND_TYPEDEF | KIND_DATASEC) {
                let name = read_u32(&self.types, at).map_or(&b""[..], |name| self.string(name));
                if wanted.iter().any(|want| want.as_bytes() == name) {
                    self.named.entry(name.to_vec()).or_insert(id);
                }
            }
            at += 12 + tail;
        }
        Ok(())
    }

    /// Offsets of all fields of the contract, in its order; [`ABSENT`] where
    /// this kernel has none of that name and size.
    #[must_use]
    pub fn offsets(&self) -> [u32; COUNT] {
        FIELDS.map(|need| self.resolve(&need).unwrap_or(ABSENT))
    }

    /// A BTF that says of the hooks' tracepoints which number their types
    /// have, and nothing else: all that attaching asks for, in a hundredth of
    /// the memory. Types between have no name.
    #[must_use]
    pub fn only_tracepoints(&self) -> Vec<u8> {
        const HEADER_BYTES: u32 = 24;
        let mut strings = vec![0];
        let mut types: Vec<[u32; 3]> = Vec::new();
        let mut tracepoints: Vec<(u32, &[u8])> = self
            .named
            .iter()
            .filter(|(name, _)| name.starts_with(TRACEPOINT.as_bytes()))
            .map(|(name, &id)| (id, name.as_slice()))
            .collect();
        tracepoints.sort_unstable();
        for (id, name) in tracepoints {
            types.resize(id as usize, [0, KIND_PTR << 24, 0]);
            if let (Some(last), Ok(at)) = (types.last_mut(), u32::try_from(strings.len())) {
                *last = [at, KIND_TYPEDEF << 24, 0];
            }
            strings.extend_from_slice(name);
            strings.push(0);
        }
        // Each is part of a BTF whose lengths are of 32 bits.
        let types_len = u32::try_from(types.len() * 12).unwrap_or(u32::MAX);
        let strings_len = u32::try_from(strings.len()).unwrap_or(u32::MAX);
        let [low, high] = MAGIC.to_ne_bytes();
        let mut bytes = vec![low, high, VERSION, 0];
        for word in [HEADER_BYTES, 0, types_len, types_len, strings_len] {
            bytes.extend(word.to_ne_bytes());
        }
        bytes.extend(
            types
                .as_flattened()
                .iter()
                .flat_map(|word| word.to_ne_bytes()),
        );
        bytes.extend(strings);
        bytes
    }

    /// Whether the kernel has a BTF tracepoint of this name.
    #[must_use]
    pub fn has_tracepoint(&self, name: &str) -> bool {
        self.named
            .contains_key(format!("btf_trace_{name}").as_bytes())
    }

    fn resolve(&self, need: &Need) -> Option<u32> {
        if let Some(name) = need.path.strip_prefix("sizeof ") {
            return Some(self.get(*self.named.get(name.as_bytes())?)?.size_or_type);
        }
        if let Some(name) = need.path.strip_prefix("args ") {
            return self.tracepoint_args(name);
        }
        if let Some(name) = need.path.strip_prefix("percpu ") {
            return self.per_cpu(name.as_bytes());
        }
        let (path, one_bit) = match need.path.strip_prefix("bit ") {
            Some(path) => (path, true),
            None => (need.path, false),
        };
        let mut path = path.split('.');
        let mut id = *self.named.get(path.next()?.as_bytes())?;
        let mut bits = 0_u32;
        for member in path {
            let mut left = MEMBERS;
            let wanted = Wanted {
                name: member.as_bytes(),
                one_bit,
            };
            let (offset, of) = self.member(id, wanted, DEPTH, &mut left)?;
            bits = bits.checked_add(offset)?;
            id = of;
        }
        if one_bit {
            return Some(bits);
        }
        let fits = need.size == 0 || self.size(id) == Some(need.size);
        (fits && bits.is_multiple_of(8)).then_some(bits / 8)
    }

    /// Number of arguments of a BTF tracepoint: its typedef points to a
    /// prototype whose first parameter is the hook's private data.
    fn tracepoint_args(&self, name: &str) -> Option<u32> {
        let typedef = *self.named.get(format!("btf_trace_{name}").as_bytes())?;
        let pointer = self.get(self.plain(typedef)?)?;
        let prototype = self.get(self.plain(pointer.size_or_type)?)?;
        (pointer.kind == KIND_PTR && prototype.kind == KIND_FUNC_PROTO)
            .then(|| u32::try_from(prototype.len.saturating_sub(1)).ok())?
    }

    /// Offset of a variable from the start of each CPU's own.
    fn per_cpu(&self, name: &[u8]) -> Option<u32> {
        let section = self.get(*self.named.get(PER_CPU)?)?;
        (0..section.len).find_map(|index| {
            let at = index * 12;
            let variable = self.get(read_u32(section.tail, at)?)?;
            let found = variable.kind == KIND_VAR && self.string(variable.name) == name;
            found.then(|| read_u32(section.tail, at + 4))?
        })
    }

    /// Offset in bits and type of a member, also inside anonymous members and
    /// in the first element of an array. `depth` and `left` bound the walk.
    fn member(
        &self,
        id: u32,
        wanted: Wanted<'_>,
        depth: u32,
        left: &mut u32,
    ) -> Option<(u32, u32)> {
        let depth = depth.checked_sub(1)?;
        let of = self.get(self.plain(id)?)?;
        if of.kind == KIND_ARRAY {
            return self.member(read_u32(of.tail, 0)?, wanted, depth, left);
        }
        if !matches!(of.kind, KIND_STRUCT | KIND_UNION) {
            return None;
        }
        let Wanted { name, one_bit } = wanted;
        for index in 0..of.len {
            *left = left.checked_sub(1)?;
            let at = index * 12;
            let member = self.string(read_u32(of.tail, at)?);
            let kind = read_u32(of.tail, at + 4)?;
            let mut offset = read_u32(of.tail, at + 8)?;
            if of.kind_flag {
                // The upper byte is the size of a bit field.
                let size = offset >> 24;
                if member == name && (one_bit && size != 1 || !one_bit && size != 0) {
                    return None;
                }
                offset &= 0x00ff_ffff;
            }
            if member == name {
                return Some((offset, kind));
            }
            if member.is_empty()
                && let Some((inner, kind)) = self.member(kind, wanted, depth, left)
            {
                return Some((offset.checked_add(inner)?, kind));
            }
        }
        None
    }

    fn size(&self, id: u32) -> Option<u32> {
        let of = self.get(self.plain(id)?)?;
        match of.kind {
            KIND_PTR => u32::try_from(size_of::<usize>()).ok(),
            KIND_ARRAY => {
                let element = self.size(read_u32(of.tail, 0)?)?;
                element.checked_mul(read_u32(of.tail, 8)?)
            }
            KIND_INT | KIND_STRUCT | KIND_UNION | KIND_ENUM | KIND_ENUM64 | KIND_FLOAT => {
                Some(of.size_or_type)
            }
            _ => None,
        }
    }

    /// The type behind typedefs and qualifiers.
    fn plain(&self, mut id: u32) -> Option<u32> {
        for _ in 0..DEPTH {
            let of = self.get(id)?;
            match of.kind {
                KIND_TYPEDEF | KIND_VOLATILE | KIND_CONST | KIND_RESTRICT | KIND_TYPE_TAG => {
                    id = of.size_or_type;
                }
                _ => return Some(id),
            }
        }
        None
    }

    fn get(&self, id: u32) -> Option<Type<'_>> {
        let start = *self.starts.get((id as usize).checked_sub(1)?)? as usize;
        let kind = read_u32(&self.types, start + 4)?;
        Some(Type {
            name: read_u32(&self.types, start)?,
            kind: kind >> 24 & 0x1f,
            len: (kind & 0xffff) as usize,
            kind_flag: kind >> 31 == 1,
            size_or_type: read_u32(&self.types, start + 8)?,
            tail: self.types.get(start + 12..)?,
        })
    }

    fn string(&self, at: u32) -> &[u8] {
        let rest = self.strings.get(at as usize..).unwrap_or_default();
        let end = rest.iter().position(|&byte| byte == 0).unwrap_or(0);
        &rest[..end]
    }
}

/// Names of the structs and tracepoints that somebody may ask for.
fn wanted_names() -> Vec<String> {
    let mut names: Vec<String> = FIELDS
        .iter()
        .map(|need| match need.path.split_once(' ') {
            Some(("args", tracepoint)) => format!("btf_trace_{tracepoint}"),
            Some(("bit", path)) => path.split('.').next().unwrap_or_default().to_owned(),
            Some(("percpu", _)) => String::from_utf8_lossy(PER_CPU).into_owned(),
            Some((_, name)) => name.to_owned(),
            None => need.path.split('.').next().unwrap_or_default().to_owned(),
        })
        .chain(
            super::hook::ALL
                .iter()
                .map(|hook| format!("btf_trace_{}", hook.tracepoint)),
        )
        .collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn read_u32(bytes: &[u8], at: usize) -> Option<u32> {
    let bytes = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_ne_bytes(bytes.try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use sensor_common::field;

    #[test]
    fn finds_the_fields_of_the_running_kernel() {
        let offsets = Btf::of_kernel().unwrap().offsets();
        // pid and tgid are neighbours in every kernel.
        assert_eq!(offsets[field::TASK_PID] + 4, offsets[field::TASK_TGID]);
        // A bit among others.
        assert_ne!(offsets[field::TASK_IN_EXEC], ABSENT);
        // A member of a member.
        assert_ne!(offsets[field::TASK_CPU], ABSENT);
        assert_ne!(offsets[field::FILE_PATH_DENTRY], ABSENT);
    }

    #[test]
    fn a_member_of_an_array_is_that_of_its_first_element() {
        let btf = Btf::of_kernel().unwrap();
        let resolve = |path| btf.resolve(&Need { path, size: 0 });
        let counters = resolve("mm_struct.rss_stat").unwrap();
        let count = resolve("percpu_counter.count").unwrap();
        assert_eq!(
            resolve("mm_struct.rss_stat.count"),
            Some(counters + count),
            "since 6.2 an array of percpu_counter"
        );
    }

    #[test]
    fn what_is_left_has_the_numbers_of_the_whole() {
        let whole = Btf::of_kernel().unwrap();
        let bytes = whole.only_tracepoints();
        let left = Btf::parse(&bytes).unwrap();
        let tracepoint = |name: &Vec<u8>| name.starts_with(TRACEPOINT.as_bytes());
        let mut wanted = whole.named.clone();
        wanted.retain(|name, _| tracepoint(name));
        assert!(wanted.len() >= super::super::hook::CORE.len());
        assert_eq!(left.named, wanted);
        assert!(bytes.len() < whole.types.len() / 4);
    }

    #[test]
    fn a_field_of_another_size_is_absent() {
        let btf = Btf::of_kernel().unwrap();
        let path = "task_struct.pid";
        assert!(btf.resolve(&Need { path, size: 4 }).is_some());
        assert!(btf.resolve(&Need { path, size: 8 }).is_none());
        assert!(
            btf.resolve(&Need {
                path: "task_struct.nothing",
                size: 0
            })
            .is_none()
        );
    }

    const STRINGS: &[u8] = b"\0task_struct\0se\0exec_start\0";
    const TASK_STRUCT: u32 = 1;
    const SE: u32 = 13;
    const EXEC_START: u32 = 16;

    /// Structs, each by its name and members: name, type, offset in bits.
    fn of_structs(structs: &[(u32, &[[u32; 3]])]) -> Btf {
        let types: Vec<u32> = structs
            .iter()
            .flat_map(|(name, members)| {
                let len = u32::try_from(members.len()).unwrap();
                let head = [*name, KIND_STRUCT << 24 | len, 64];
                head.into_iter().chain(members.iter().flatten().copied())
            })
            .collect();
        let len = u32::try_from(types.len() * 4).unwrap();
        let strings = u32::try_from(STRINGS.len()).unwrap();
        let head = [u32::from(MAGIC) | 1 << 16, 24, 0, len, len, strings];
        let words = head.iter().chain(&types);
        let mut bytes: Vec<u8> = words.flat_map(|word| word.to_ne_bytes()).collect();
        bytes.extend_from_slice(STRINGS);
        Btf::parse(&bytes).unwrap()
    }

    #[test]
    fn offsets_that_no_kernel_has_are_absent() {
        let path = "task_struct.se.exec_start";
        let of = |offset| {
            let task: &[_] = &[[SE, 2, 64]];
            let btf = of_structs(&[(TASK_STRUCT, task), (0, &[[EXEC_START, 2, offset]])]);
            btf.resolve(&Need { path, size: 0 })
        };
        assert_eq!(of(64), Some(16));
        assert_eq!(of(u32::MAX - 7), None);
    }

    #[test]
    fn a_struct_of_itself_is_walked_to_an_end() {
        let many: &[_] = &[[0, 1, 0]; 8];
        let btf = of_structs(&[(TASK_STRUCT, many)]);
        assert_eq!(btf.offsets(), [ABSENT; COUNT]);
    }

    proptest! {
        #[test]
        fn damaged_btf_is_refused_or_answers(at in 0_usize..200_000, value: u32) {
            static BYTES: std::sync::OnceLock<Vec<u8>> = std::sync::OnceLock::new();
            let mut bytes = BYTES.get_or_init(|| std::fs::read(KERNEL).unwrap())[..200_000].to_vec();
            let at = at.min(bytes.len() - 4);
            bytes[at..at + 4].copy_from_slice(&value.to_ne_bytes());
            if let Ok(btf) = Btf::parse(&bytes) {
                let _ = btf.offsets();
            }
        }
    }
}
