//! The header of an npy file: a Python dictionary written out as text.
//!
//! ```text
//! {'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }
//! ```
//!
//! This much of Python is read, without recursion, and nothing more: the three keys in any order, a type without
//! fields, `True` or `False`, and a tuple of at most [`MAX_DIMENSIONS`] sizes.

use super::element::Element;
use crate::data::format_fault::{FormatFault, one_line};

/// As many as NumPy has.
pub(super) const MAX_DIMENSIONS: usize = 64;

/// What a header says.
pub(super) struct Header {
    pub(super) element: Element,
    /// The first index runs fastest.
    pub(super) fortran_order: bool,
    pub(super) shape: Vec<usize>,
}

/// The header in `text`, which it fills up to white space.
///
/// # Errors
/// [`FormatFault::NpyHeader`]; [`FormatFault::ArrayType`] for a type that cannot be read.
pub(super) fn parse(text: &[u8]) -> Result<Header, FormatFault> {
    let mut text = Cursor(text);
    let (mut element, mut fortran_order, mut shape) = (None, None, None);
    text.expect(b"{", "a dictionary")?;
    while !text.accept(b"}") {
        let key = text.string()?;
        text.expect(b":", "a colon after a key")?;
        match key {
            b"descr" if element.is_none() => element = Some(text.element()?),
            b"fortran_order" if fortran_order.is_none() => fortran_order = Some(text.boolean()?),
            b"shape" if shape.is_none() => shape = Some(text.tuple()?),
            _ => return Err(damaged("the keys descr, fortran_order and shape, once each")),
        }
        if !text.accept(b",") {
            text.expect(b"}", "a comma or the end of the dictionary")?;
            break;
        }
    }
    text.skip_space();
    match (element, fortran_order, shape) {
        (Some(element), Some(fortran_order), Some(shape)) if text.0.is_empty() => Ok(Header {
            element,
            fortran_order,
            shape,
        }),
        (Some(_), Some(_), Some(_)) => Err(damaged("nothing after the dictionary")),
        _ => Err(damaged("the keys descr, fortran_order and shape, once each")),
    }
}

/// What comes before the values of a row-major array in a file of version 1.0, byte for byte as `numpy.save` of NumPy 2
/// writes it: with room for the first size to grow to 21 digits, and the values at a multiple of 64 bytes.
///
/// `None` if the shape is too long for the 16 bits of the header's length.
pub(super) fn prefix(descr: &str, shape: &[usize]) -> Option<Vec<u8>> {
    const GROWTH_DIGITS: usize = 21;
    const ALIGNMENT: usize = 64;
    let sizes: Vec<String> = shape.iter().map(usize::to_string).collect();
    let comma = if sizes.len() == 1 { "," } else { "" };
    let mut text = format!(
        "{{'descr': '{descr}', 'fortran_order': False, 'shape': ({}{comma}), }}",
        sizes.join(", ")
    );
    if let Some(first) = sizes.first() {
        text.extend(std::iter::repeat_n(' ', GROWTH_DIGITS.saturating_sub(first.len())));
    }
    let mut bytes = [&super::MAGIC[..], &[1, 0]].concat();
    let unpadded = bytes.len() + 2 + text.len() + 1;
    text.extend(std::iter::repeat_n(
        ' ',
        unpadded.next_multiple_of(ALIGNMENT) - unpadded,
    ));
    text.push('\n');
    bytes.extend(u16::try_from(text.len()).ok()?.to_le_bytes());
    bytes.extend(text.as_bytes());
    Some(bytes)
}

fn damaged(expected: &'static str) -> FormatFault {
    FormatFault::NpyHeader { expected }
}

/// What is left of the text.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn skip_space(&mut self) {
        self.0 = self.0.trim_ascii_start();
    }

    /// Takes `word` and the white space before it, if it comes next.
    fn accept(&mut self, word: &[u8]) -> bool {
        self.skip_space();
        let rest = self.0.strip_prefix(word);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn expect(&mut self, word: &[u8], expected: &'static str) -> Result<(), FormatFault> {
        if self.accept(word) {
            Ok(())
        } else {
            Err(damaged(expected))
        }
    }

    /// A string in single or double quotes, without escapes.
    fn string(&mut self) -> Result<&'a [u8], FormatFault> {
        self.skip_space();
        let Some((&quote @ (b'\'' | b'"'), rest)) = self.0.split_first() else {
            return Err(damaged("a key in quotes"));
        };
        let end = rest.iter().position(|&byte| byte == quote);
        let (string, rest) = end
            .and_then(|end| Some((rest.get(..end)?, rest.get(end + 1..)?)))
            .ok_or(damaged("a closing quote"))?;
        self.0 = rest;
        Ok(string)
    }

    fn element(&mut self) -> Result<Element, FormatFault> {
        let unreadable = |found| FormatFault::ArrayType {
            found,
            expected: "b1, i1 to i8, u1 to u8 or f2 to f8",
        };
        if self.accept(b"[") {
            return Err(unreadable("a structure".to_owned()));
        }
        let descr = self.string()?;
        Element::parse(descr).ok_or_else(|| unreadable(one_line(&String::from_utf8_lossy(descr))))
    }

    fn boolean(&mut self) -> Result<bool, FormatFault> {
        if self.accept(b"True") {
            Ok(true)
        } else {
            self.expect(b"False", "True or False as fortran_order").map(|()| false)
        }
    }

    /// `()`, `(3,)`, `(3, 4)`: the comma makes the tuple.
    fn tuple(&mut self) -> Result<Vec<usize>, FormatFault> {
        let expected = "a tuple of sizes as shape";
        self.expect(b"(", expected)?;
        let mut sizes = Vec::new();
        while !self.accept(b")") {
            if sizes.len() == MAX_DIMENSIONS {
                return Err(damaged("at most 64 sizes"));
            }
            sizes.push(self.size()?);
            if !self.accept(b",") {
                self.expect(b")", expected)?;
                return if sizes.len() == 1 {
                    Err(damaged(expected))
                } else {
                    Ok(sizes)
                };
            }
        }
        Ok(sizes)
    }

    /// Decimal digits, with an `L` at the end if Python 2 wrote them.
    fn size(&mut self) -> Result<usize, FormatFault> {
        self.skip_space();
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = self.0.split_at_checked(digits).unwrap_or_default();
        self.0 = rest;
        let size = std::str::from_utf8(number).ok().and_then(|n| n.parse().ok());
        self.accept(b"L");
        size.ok_or(damaged("sizes that this machine can address"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_are_read_in_any_dress() {
        for text in [
            "{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }   \n",
            "{\"shape\":(3,4),\"descr\":\"f4\",\"fortran_order\":False}",
            " { 'fortran_order' : False , 'shape' : ( 3L , 4L , ) , 'descr' : '=f4' } ",
        ] {
            let header = parse(text.as_bytes()).unwrap();
            assert_eq!((header.shape.as_slice(), header.fortran_order), (&[3, 4][..], false));
            assert_eq!(header.element, Element::parse(b"<f4").unwrap());
        }
        let shape = |tuple: &str| {
            let text = format!("{{'descr': '|u1', 'fortran_order': True, 'shape': {tuple}}}");
            parse(text.as_bytes()).map(|header| header.shape)
        };
        assert_eq!((shape("()"), shape("(7,)")), (Ok(vec![]), Ok(vec![7])));
        assert_eq!(shape(&format!("({})", "1,".repeat(64))), Ok(vec![1; 64]));
        for wrong in [
            "(7)",
            "(,)",
            "(1,,2)",
            "[3, 4]",
            "(-1,)",
            "(1 2)",
            "(99999999999999999999,)",
            "(1",
            "",
        ] {
            assert!(matches!(shape(wrong), Err(FormatFault::NpyHeader { .. })), "{wrong}");
        }
        assert!(shape(&format!("({})", "1,".repeat(65))).is_err());
    }

    #[test]
    fn each_mistake_has_its_own_line() {
        let line = |text: &str| parse(text.as_bytes()).err().unwrap().to_string();
        assert_eq!(line(""), "damaged npy header; expected a dictionary");
        assert_eq!(line("{descr: 1}"), "damaged npy header; expected a key in quotes");
        assert_eq!(line("{'descr"), "damaged npy header; expected a closing quote");
        assert_eq!(
            line("{'descr': '<c8', 'fortran_order': False, 'shape': ()}"),
            "elements of type <c8; expected b1, i1 to i8, u1 to u8 or f2 to f8"
        );
        assert_eq!(
            line("{'descr': [('x', '<f4')], 'fortran_order': False, 'shape': ()}"),
            "elements of type a structure; expected b1, i1 to i8, u1 to u8 or f2 to f8"
        );
        let keys = "damaged npy header; expected the keys descr, fortran_order and shape, once each";
        assert_eq!(line("{'descr': '<f4', 'descr': '<f4'}"), keys);
        assert_eq!(line("{'descr': '<f4'}"), keys);
        assert_eq!(
            line("{'descr': '<f4', 'fortran_order': 0, 'shape': ()}"),
            "damaged npy header; expected True or False as fortran_order"
        );
        assert_eq!(
            line("{'descr': '<f4', 'fortran_order': False, 'shape': ()} x"),
            "damaged npy header; expected nothing after the dictionary"
        );
    }

    #[test]
    fn what_is_written_is_read_and_aligned() {
        for shape in [&[][..], &[5], &[0, 3], &[123_456_789, 2, 7], &[1; 64]] {
            let prefix = prefix("<i8", shape).unwrap();
            assert_eq!((prefix.len() % 64, prefix.last()), (0, Some(&b'\n')));
            assert_eq!(usize::from(prefix[8]) + 256 * usize::from(prefix[9]), prefix.len() - 10);
            assert_eq!(parse(&prefix[10..]).unwrap().shape, shape);
        }
        assert!(super::prefix("<i8", &[1; 40_000]).is_none());
    }
}
