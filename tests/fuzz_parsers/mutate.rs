//! Random changes to a file: what damage, carelessness and malice do to it.

/// SplitMix64 (G. L. Steele, D. Lea, C. H. Flood, 2014): equal seeds give equal runs.
pub struct Rng(pub u64);

impl Rng {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let z = (self.0 ^ self.0 >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let z = (z ^ z >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ z >> 31
    }

    /// 0 to `n` - 1, or 0.
    pub fn below(&mut self, n: usize) -> usize {
        (self.next() % n.max(1) as u64) as usize
    }

    pub fn chance(&mut self, one_in: usize) -> bool {
        self.below(one_in) == 0
    }

    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }
}

/// No input grows beyond this.
const LONGEST: usize = 16 << 10;

/// Numbers at which readers stumble.
fn awkward(rng: &mut Rng, len: usize) -> u64 {
    match rng.below(8) {
        0 => 0,
        1 => u64::MAX - rng.below(4) as u64,
        2 => rng.below(300) as u64,
        3 => (len + 2).saturating_sub(rng.below(5)) as u64,
        4 => rng.next(),
        _ => (1u64 << rng.below(64))
            .wrapping_add(rng.below(3) as u64)
            .wrapping_sub(1),
    }
}

/// Where: anywhere, or near the start or the end, where headers are.
fn place(rng: &mut Rng, len: usize) -> usize {
    match rng.below(4) {
        0 => rng.below(len.min(24)),
        1 => rng.below(len.min(128)),
        2 => len - rng.below(len.min(64)),
        _ => rng.below(len),
    }
}

/// `bytes` after one to eight changes; `other` is a file to take parts of.
pub fn mutated(rng: &mut Rng, mut bytes: Vec<u8>, other: &[u8]) -> Vec<u8> {
    let changes = 1 + rng.below(4) * rng.below(3);
    for _ in 0..changes {
        change(rng, &mut bytes, other);
    }
    bytes.truncate(LONGEST);
    bytes
}

fn change(rng: &mut Rng, bytes: &mut Vec<u8>, other: &[u8]) {
    let len = bytes.len();
    let at = place(rng, len);
    match rng.below(11) {
        // One bit.
        0 | 1 => {
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << rng.below(8);
            }
        }
        // One byte, often one with a meaning.
        2 => {
            let byte = match rng.below(2) {
                0 => *rng.pick(b"\0\x01\x7f\x80\xff\n\r \"'(),:[]{}-+.0159eL|<>"),
                _ => rng.next() as u8,
            };
            match bytes.get_mut(at) {
                Some(old) if rng.chance(2) => *old = byte,
                _ => bytes.insert(at, byte),
            }
        }
        // The end is missing.
        3 => bytes.truncate(at),
        // A number of a binary header.
        4 | 5 => {
            let number = awkward(rng, len);
            let width = *rng.pick(&[1, 2, 4, 8]);
            let (mut digits, width) = (number.to_le_bytes(), width.min(len - at.min(len)));
            if rng.chance(2) {
                digits[..width].reverse();
            }
            bytes[at..at + width].copy_from_slice(&digits[..width]);
        }
        // A number of a text header.
        6 | 7 => {
            let from_here = bytes[at..].iter().position(u8::is_ascii_digit);
            if let Some(start) = from_here.map(|i| at + i) {
                let digits = bytes[start..].iter().take_while(|b| b.is_ascii_digit()).count();
                let number = awkward(rng, len).to_string();
                bytes.splice(start..start + digits, number.bytes());
            }
        }
        // A part of another file, put over or between.
        8 => {
            let start = rng.below(other.len());
            let part = &other[start..start + rng.below(other.len() - start + 1)];
            let end = if rng.chance(2) { at } else { (at + part.len()).min(len) };
            bytes.splice(at..end, part.iter().copied());
        }
        // A part missing, or many times.
        9 => {
            let part = at..(at + 1 + rng.below(32)).min(len).max(at);
            let times = *rng.pick(&[0, 0, 2, 3, 200]);
            let copies = bytes[part.clone()].repeat(times);
            bytes.splice(part, copies);
        }
        // Bytes after the end.
        _ => {
            let filler = *rng.pick(&[0, 1, b' ', b'\n', b'7', 0xff]);
            let more = *rng.pick(&[1, 2, 8, 64, 1024]);
            bytes.extend(std::iter::repeat_n(filler, more));
        }
    }
    bytes.truncate(LONGEST);
}
