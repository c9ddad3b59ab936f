//! The types of an array's elements: what they are called in a header, and how their bytes become numbers.

/// Type and byte order of an array's elements.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Element {
    pub(super) kind: Kind,
    big_endian: bool,
}

/// The types that can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Bool,
    I8,
    I16,
    I32,
    I64,
    U8,
    U16,
    U32,
    U64,
    F16,
    F32,
    F64,
}

/// A number as exact as its type: all but 64-bit integers fit `f64`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Signed(i64),
    Unsigned(u64),
    Float(f64),
}

impl Kind {
    const NAMES: [(&'static str, Self, usize); 12] = [
        ("b1", Self::Bool, 1),
        ("i1", Self::I8, 1),
        ("i2", Self::I16, 2),
        ("i4", Self::I32, 4),
        ("i8", Self::I64, 8),
        ("u1", Self::U8, 1),
        ("u2", Self::U16, 2),
        ("u4", Self::U32, 4),
        ("u8", Self::U64, 8),
        ("f2", Self::F16, 2),
        ("f4", Self::F32, 4),
        ("f8", Self::F64, 8),
    ];

    fn row(self) -> (&'static str, usize) {
        let row = Self::NAMES.iter().find(|&&(_, kind, _)| kind == self);
        row.map_or(("", 1), |&(name, _, size)| (name, size))
    }
}

impl Element {
    /// `<f4`, `>i8`, `|u1`, `=f8` or `f8`; `None` for a type that is not read.
    pub(super) fn parse(descr: &[u8]) -> Option<Self> {
        let (big_endian, name) = match descr.split_first()? {
            (b'<' | b'|', name) => (false, name),
            (b'>', name) => (true, name),
            (b'=', name) => (cfg!(target_endian = "big"), name),
            _ => (cfg!(target_endian = "big"), descr),
        };
        let row = Kind::NAMES.iter().find(|(known, ..)| known.as_bytes() == name);
        row.map(|&(_, kind, _)| Self { kind, big_endian })
    }

    /// Bytes of one.
    pub(super) fn size(self) -> usize {
        self.kind.row().1
    }

    /// As NumPy writes it.
    pub(super) fn name(self) -> String {
        let (name, size) = self.kind.row();
        let order = match (size, self.big_endian) {
            (1, _) => '|',
            (_, false) => '<',
            (_, true) => '>',
        };
        format!("{order}{name}")
    }

    /// What `each` makes of the numbers in `bytes`, of which there are whole ones only.
    ///
    /// # Errors
    /// The first error of `each`, with the place of its number.
    pub(super) fn decode<T, E>(
        self,
        bytes: &[u8],
        each: impl Fn(Number) -> Result<T, E>,
    ) -> Result<Vec<T>, (usize, E)> {
        use Number::{Float, Signed, Unsigned};
        match self.kind {
            Kind::Bool => self.map(bytes, |[b]: [u8; 1]| each(Unsigned(u64::from(b != 0)))),
            Kind::I8 => self.map(bytes, |b| each(Signed(i8::from_le_bytes(b).into()))),
            Kind::I16 => self.map(bytes, |b| each(Signed(i16::from_le_bytes(b).into()))),
            Kind::I32 => self.map(bytes, |b| each(Signed(i32::from_le_bytes(b).into()))),
            Kind::I64 => self.map(bytes, |b| each(Signed(i64::from_le_bytes(b)))),
            Kind::U8 => self.map(bytes, |b| each(Unsigned(u8::from_le_bytes(b).into()))),
            Kind::U16 => self.map(bytes, |b| each(Unsigned(u16::from_le_bytes(b).into()))),
            Kind::U32 => self.map(bytes, |b| each(Unsigned(u32::from_le_bytes(b).into()))),
            Kind::U64 => self.map(bytes, |b| each(Unsigned(u64::from_le_bytes(b)))),
            Kind::F16 => self.map(bytes, |b| each(Float(half(u16::from_le_bytes(b))))),
            Kind::F32 => self.map(bytes, |b| each(Float(f32::from_le_bytes(b).into()))),
            Kind::F64 => self.map(bytes, |b| each(Float(f64::from_le_bytes(b)))),
        }
    }

    /// Over elements of `N` bytes, put into little-endian order.
    fn map<const N: usize, T, E>(
        self,
        bytes: &[u8],
        each: impl Fn([u8; N]) -> Result<T, E>,
    ) -> Result<Vec<T>, (usize, E)> {
        let (elements, _) = bytes.as_chunks::<N>();
        // They are there: this is no claim of a header.
        let mut values = Vec::with_capacity(elements.len());
        for &(mut element) in elements {
            if self.big_endian {
                element.reverse();
            }
            values.push(each(element).map_err(|error| (values.len(), error))?);
        }
        Ok(values)
    }
}

impl Number {
    /// Exact but for integers beyond 2^53, which are rounded once.
    pub(super) fn to_f64(self) -> f64 {
        match self {
            Self::Signed(n) => n as f64,
            Self::Unsigned(n) => n as f64,
            Self::Float(x) => x,
        }
    }

    /// The same number as an integer, if it is one: of a float, up to 2^53.
    pub(super) fn to_i64(self) -> Option<i64> {
        const EXACT: f64 = 9_007_199_254_740_992.0;
        match self {
            Self::Signed(n) => Some(n),
            Self::Unsigned(n) => i64::try_from(n).ok(),
            Self::Float(x) => (x.abs() <= EXACT && x.trunc() == x).then_some(x as i64),
        }
    }
}

impl std::fmt::Display for Number {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Signed(n) => write!(f, "{n}"),
            Self::Unsigned(n) => write!(f, "{n}"),
            Self::Float(x) => write!(f, "{x}"),
        }
    }
}

/// IEEE 754 binary16, widened exactly: 1 sign bit, 5 of the exponent (bias 15), 10 of the fraction.
pub(in crate::data) fn half(bits: u16) -> f64 {
    let (exponent, fraction) = (i32::from(bits >> 10 & 0x1f), f64::from(bits & 0x3ff));
    let magnitude = match exponent {
        0 => fraction * 2f64.powi(-24),
        31 if fraction == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (1024.0 + fraction) * 2f64.powi(exponent - 25),
    };
    if bits >> 15 == 0 { magnitude } else { -magnitude }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_are_exact() {
        // Every pair of neighbours differs by one unit in the last place, from the smallest number to the largest.
        for bits in 0..0x7bff_u16 {
            let step = if bits < 0x400 { -24 } else { i32::from(bits >> 10) - 25 };
            assert_eq!(half(bits + 1) - half(bits), 2f64.powi(step));
            assert_eq!(half(bits | 0x8000).to_bits(), (-half(bits)).to_bits());
        }
        assert_eq!((half(0x3c00), half(0x7bff)), (1.0, 65504.0));
        assert_eq!((half(0x7c00), half(0xfc00)), (f64::INFINITY, f64::NEG_INFINITY));
        assert!(half(0x7e00).is_nan());
    }

    #[test]
    fn bytes_are_numbers_in_either_order() {
        let numbers = |descr: &[u8], bytes: &[u8]| Element::parse(descr).unwrap().decode(bytes, Ok::<_, ()>).unwrap();
        assert_eq!(
            numbers(b"<i2", &[1, 0, 0xff, 0xff]),
            [Number::Signed(1), Number::Signed(-1)]
        );
        assert_eq!(numbers(b">u4", &[0, 0, 1, 2]), [Number::Unsigned(258)]);
        assert_eq!(numbers(b"|b1", &[0, 7]), [Number::Unsigned(0), Number::Unsigned(1)]);
        assert_eq!(numbers(b">f8", &1.5f64.to_be_bytes()), [Number::Float(1.5)]);
        for (name, _, size) in Kind::NAMES {
            let element = Element::parse(format!(">{name}").as_bytes()).unwrap();
            assert_eq!(element.size(), size);
            assert_eq!(Element::parse(element.name().as_bytes()).unwrap().size(), size);
        }
        for unknown in [
            &b""[..],
            b"<",
            b"<c8",
            b"<U4",
            b"|S3",
            b"O",
            b"<f16",
            b"<M8[ns]",
            b"<<f4",
        ] {
            assert_eq!(Element::parse(unknown), None);
        }
    }

    #[test]
    fn only_whole_numbers_are_integers() {
        assert_eq!(Number::Float(-3.0).to_i64(), Some(-3));
        assert_eq!(Number::Unsigned(u64::MAX).to_i64(), None);
        for x in [0.5, f64::NAN, f64::INFINITY, 1e300] {
            assert_eq!(Number::Float(x).to_i64(), None);
        }
    }
}
