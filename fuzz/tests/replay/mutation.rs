//! Bytes that look nearly like a seed: a few of them changed, left out, said
//! again, or taken from another seed.

/// Numbers that readers trip over.
const ODD: [u64; 8] = [
    0,
    1,
    0x7f,
    0xff,
    0x7fff_ffff,
    0xffff_ffff,
    i64::MAX as u64,
    u64::MAX,
];
/// Characters that mean something in the texts that are read.
const TEXT: &[u8] = b"\0\n\r\t \"'\\(){}[]<>:=,;.-+#%/@0189eE\xc3\xff";
/// Most bytes of an input.
const MOST: usize = 64 << 10;

/// A stream of numbers, the same for the same seed (SplitMix64, Steele et al.
/// 2014).
pub struct Numbers(pub u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// One below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.next() % limit as u64).unwrap_or_default()
    }

    fn range(&mut self, bytes: &[u8], most: usize) -> std::ops::Range<usize> {
        let start = self.below(bytes.len() + 1);
        let length = self.below((bytes.len() - start).min(most) + 1);
        start..start + length
    }
}

/// Another input, made from `seed` and a piece of `other`.
pub fn mutate(numbers: &mut Numbers, seed: &[u8], other: &[u8]) -> Vec<u8> {
    let mut bytes = seed.to_vec();
    for _ in 0..=numbers.below(6) {
        let at = numbers.below(bytes.len() + 1);
        match numbers.below(8) {
            0 if at < bytes.len() => bytes[at] ^= 1 << numbers.below(8),
            1 if at < bytes.len() => bytes[at] = TEXT[numbers.below(TEXT.len())],
            2 => bytes.insert(at, TEXT[numbers.below(TEXT.len())]),
            3 => drop(bytes.drain(numbers.range(&bytes, 64))),
            4 => {
                let said = bytes[numbers.range(&bytes, 256)].to_vec();
                let times = 1 + numbers.below(40);
                bytes.splice(at..at, said.repeat(times));
            }
            5 => {
                let piece = &other[numbers.range(other, 512)];
                bytes.splice(at..at, piece.iter().copied());
            }
            6 => {
                let odd = ODD[numbers.below(ODD.len())].to_le_bytes();
                let width = 1 << numbers.below(4);
                let end = (at + width).min(bytes.len());
                bytes[at..end].copy_from_slice(&odd[..end - at]);
            }
            _ => {
                let odd = ODD[numbers.below(ODD.len())].to_string();
                bytes.splice(at..at, odd.into_bytes());
            }
        }
        bytes.truncate(MOST);
    }
    bytes
}
