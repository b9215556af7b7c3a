//! Instructions and stack of the kernel programs, from the object file: the
//! same on every machine.

use std::{collections::HashMap, fs, path::Path};

use anyhow::{Context, Result, ensure};
use object::{Object, ObjectSection, ObjectSymbol, RelocationTarget, SymbolIndex, SymbolKind};

use super::baseline::Figures;

/// Bytes of an instruction (Documentation/bpf/standardization).
const SIZE: usize = 8;
/// Loads a constant of 64 bits; takes two places.
const LOAD_64: u8 = 0x18;
const MOVE_64: u8 = 0xbf;
const ADD_64_NUMBER: u8 = 0x07;
const CALL: u8 = 0x85;
/// The source register of a call of another function of the program.
const CALL_LOCAL: u8 = 1;
/// The register that points to the end of the frame.
const FRAME: u8 = 10;

/// A function: what it needs by itself, and whom it calls.
struct Function {
    name: String,
    program: bool,
    instructions: u64,
    frame: u64,
    calls: Vec<SymbolIndex>,
}

/// `NAME.instructions` and `NAME.stack` (bytes, of the deepest chain of calls)
/// of each program.
pub fn figures(path: &Path) -> Result<Figures> {
    let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
    let file = object::File::parse(&*bytes)?;
    let mut functions = HashMap::new();
    for symbol in file.symbols() {
        if symbol.kind() == SymbolKind::Text {
            functions.insert(symbol.index(), function(&file, &symbol)?);
        }
    }
    let mut figures = Figures::new();
    for function in functions.values().filter(|function| function.program) {
        let Function {
            name, instructions, ..
        } = function;
        figures.insert(format!("{name}.instructions"), *instructions);
        figures.insert(format!("{name}.stack"), stack(function, &functions, 0)?);
    }
    ensure!(!figures.is_empty(), "{} has no programs", path.display());
    Ok(figures)
}

/// Stack of a function and of the deepest that it calls.
fn stack(of: &Function, all: &HashMap<SymbolIndex, Function>, depth: u32) -> Result<u64> {
    // The verifier's own bound of frames (MAX_CALL_FRAMES).
    ensure!(depth < 8, "{} calls too deep", of.name);
    let mut deepest = 0;
    for call in &of.calls {
        let called = all.get(call).context("a call of no function")?;
        deepest = deepest.max(stack(called, all, depth + 1)?);
    }
    Ok(of.frame + deepest)
}

fn function<'a>(file: &object::File<'a>, symbol: &object::Symbol<'a, '_>) -> Result<Function> {
    let name = symbol.name()?.to_owned();
    let section = symbol.section_index().context("a function in no section")?;
    let section = file.section_by_index(section)?;
    let code = section
        .data_range(symbol.address(), symbol.size())?
        .with_context(|| format!("{name} lies outside of its section"))?;
    let mut calls = Vec::new();
    for (at, relocation) in section.relocations() {
        let Some(at) = at.checked_sub(symbol.address()) else {
            continue;
        };
        let at = usize::try_from(at)?;
        if let (Some([CALL, registers, ..]), RelocationTarget::Symbol(called)) =
            (code.get(at..at + 2), relocation.target())
            && registers >> 4 == CALL_LOCAL
        {
            calls.push(called);
        }
    }
    Ok(Function {
        program: section.name()?.contains('/'),
        instructions: symbol.size() / SIZE as u64,
        frame: frame(code),
        calls,
        name,
    })
}

/// How far below the frame's end a function reaches. The compiler makes an
/// address in the frame by a copy of the register and an addition.
fn frame(code: &[u8]) -> u64 {
    let mut lowest = 0_i64;
    // Distances from the frame's end, of registers that point into it.
    let mut into: [Option<i64>; 16] = [None; 16];
    into[usize::from(FRAME)] = Some(0);
    let mut skip = false;
    for instruction in code.as_chunks::<SIZE>().0 {
        if std::mem::take(&mut skip) {
            continue;
        }
        let [operation, registers, o0, o1, n0, n1, n2, n3] = *instruction;
        let to = usize::from(registers & 0xf);
        let from = usize::from(registers >> 4);
        let offset = i64::from(i16::from_le_bytes([o0, o1]));
        let number = i64::from(i32::from_le_bytes([n0, n1, n2, n3]));
        let mut reach = |register: usize| {
            if let Some(distance) = into[register] {
                lowest = lowest.min(distance + offset);
            }
        };
        match (operation, operation & 7) {
            (LOAD_64, _) => {
                skip = true;
                into[to] = None;
            }
            (MOVE_64, _) => into[to] = into[from],
            (ADD_64_NUMBER, _) if into[to].is_some() => {
                into[to] = into[to].map(|distance| distance + number);
                lowest = lowest.min(into[to].unwrap_or(0));
            }
            // Load.
            (_, 1) => {
                reach(from);
                into[to] = None;
            }
            // Stores.
            (_, 2 | 3) => reach(to),
            // Arithmetic.
            (_, 4 | 7) => into[to] = None,
            _ => {}
        }
    }
    lowest.unsigned_abs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_frame_is_as_deep_as_what_is_touched() {
        // *(u64 *)(r10 - 16) = r1; r2 = r10; r2 += -40; r2 = 0; r2 += -80
        let code = [
            [0x7b, 0x1a, 0xf0, 0xff, 0, 0, 0, 0],
            [0xbf, 0xa2, 0, 0, 0, 0, 0, 0],
            [0x07, 0x02, 0, 0, 0xd8, 0xff, 0xff, 0xff],
            [0xb7, 0x02, 0, 0, 0, 0, 0, 0],
            [0x07, 0x02, 0, 0, 0xb0, 0xff, 0xff, 0xff],
        ];
        assert_eq!(frame(code.as_flattened()), 40);
        assert_eq!(frame(&code[0]), 16);
    }
}
