//! Small pictures of samples in one PNG, which the page carries in a style rule, and base64 for what its script reads.

use std::io::Write as _;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

use crate::data::Images;

/// Pictures beside and below each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sprite {
    /// The file.
    pub png: Vec<u8>,
    /// Pictures in a row.
    pub columns: usize,
    /// Rows of pictures.
    pub rows: usize,
    /// Pixels across one picture.
    pub width: usize,
    /// Pixels down one picture.
    pub height: usize,
    /// Whether it is grey.
    pub grey: bool,
}

/// Longest side of a picture that is shown.
const LARGEST: usize = 96;

/// Longest side of the whole: what every browser draws.
const SIDE: usize = 4096;

/// Draws these rows of the images, `pixel_max` as white. `None` for what is no picture: other than one or three
/// channels, a side of 1 or of more than 96 pixels, a row that is not there, or no rows.
pub fn sprite(images: &Images, pixel_max: u32, rows: &[usize]) -> Option<Sprite> {
    let Images {
        width,
        height,
        channels,
        ..
    } = *images;
    let sides = 2..=LARGEST;
    if !sides.contains(&width) || !sides.contains(&height) || ![1, 3].contains(&channels) || rows.is_empty() {
        return None;
    }
    let columns = (1..=SIDE / width)
        .find(|n| n * n * width >= rows.len() * height)?
        .min(rows.len());
    let down = rows.len().div_ceil(columns);
    if down * height > SIDE {
        return None;
    }
    // Each line begins with its filter: 0, none, which suits drawings of few greys.
    let line = 1 + columns * width * channels;
    let mut scan = vec![0; line * down * height];
    let scale = |value: u8| (u32::from(value) * 255 / pixel_max.max(1)).min(255) as u8;
    for (at, &row) in rows.iter().enumerate() {
        let pixels = images.image(row).ok()?;
        let (left, top) = (at % columns * width, at / columns * height);
        for (n, &value) in pixels.iter().enumerate() {
            let (channel, y, x) = (n / (width * height), n / width % height, n % width);
            *scan.get_mut((top + y) * line + 1 + (left + x) * channels + channel)? = scale(value);
        }
    }
    Some(Sprite {
        png: png(columns * width, down * height, channels == 1, &scan)?,
        columns,
        rows: down,
        width,
        height,
        grey: channels == 1,
    })
}

/// A PNG (W3C Recommendation, 2nd edition) with 8 bits a channel from its filtered lines. `None` if it is too large.
fn png(width: usize, height: usize, grey: bool, scan: &[u8]) -> Option<Vec<u8>> {
    let mut file = b"\x89PNG\r\n\x1a\n".to_vec();
    let mut header = Vec::new();
    header.extend(u32::try_from(width).ok()?.to_be_bytes());
    header.extend(u32::try_from(height).ok()?.to_be_bytes());
    // Depth, colour type, and the only compression, filter and interlace methods there are for this.
    header.extend([8, if grey { 0 } else { 2 }, 0, 0, 0]);
    let mut encoder = ZlibEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(scan).ok()?;
    let packed = encoder.finish().ok()?;
    for (kind, data) in [(b"IHDR", header), (b"IDAT", packed), (b"IEND", Vec::new())] {
        file.extend(u32::try_from(data.len()).ok()?.to_be_bytes());
        let mut crc = Crc::new();
        crc.update(kind);
        crc.update(&data);
        file.extend(kind);
        file.extend(data);
        file.extend(crc.sum().to_be_bytes());
    }
    Some(file)
}

/// Base64 (RFC 4648, section 4), padded.
pub fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |k: usize| u32::from(group.get(k).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        for k in 0..4 {
            if k > group.len() {
                text.push('=');
            } else {
                #[allow(clippy::indexing_slicing, reason = "six bits are below 64, the number of letters")]
                text.push(char::from(LETTERS[(bits >> (18 - 6 * k) & 63) as usize]));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read as _;

    #[test]
    fn base64_of_the_standard() {
        // RFC 4648, section 10.
        let vectors = ["", "f", "fo", "foo", "foob", "fooba", "foobar"];
        let expected = ["", "Zg==", "Zm8=", "Zm9v", "Zm9vYg==", "Zm9vYmE=", "Zm9vYmFy"];
        for (text, expected) in vectors.iter().zip(expected) {
            assert_eq!(base64(text.as_bytes()), expected);
        }
    }

    fn images(channels: usize, width: usize, height: usize, count: usize) -> Images {
        let pixels = (0..count * channels * width * height).map(|n| (n % 17) as u8).collect();
        Images {
            pixels,
            labels: vec![0; count],
            count,
            height,
            width,
            channels,
        }
    }

    #[test]
    fn pictures_lie_where_they_are_looked_for() {
        for channels in [1, 3] {
            let images = images(channels, 4, 3, 9);
            let chosen = [8, 0, 3, 3, 7];
            let sprite = sprite(&images, 16, &chosen).unwrap();
            assert_eq!((sprite.width, sprite.height, sprite.grey), (4, 3, channels == 1));
            assert!(sprite.columns * sprite.rows >= chosen.len());
            // Signature; IHDR of 13 bytes; IDAT's length and data.
            let at = 8 + 12 + 13;
            let length = u32::from_be_bytes(sprite.png[at..at + 4].try_into().unwrap()) as usize;
            let mut scan = Vec::new();
            flate2::read::ZlibDecoder::new(&sprite.png[at + 8..at + 8 + length])
                .read_to_end(&mut scan)
                .unwrap();
            let line = 1 + sprite.columns * 4 * channels;
            assert_eq!(scan.len(), line * sprite.rows * 3);
            for (place, &row) in chosen.iter().enumerate() {
                for (n, &value) in images.image(row).unwrap().iter().enumerate() {
                    let (channel, y, x) = (n / 12, n / 4 % 3, n % 4);
                    let (left, top) = (place % sprite.columns * 4, place / sprite.columns * 3);
                    let found = scan[(top + y) * line + 1 + (left + x) * channels + channel];
                    assert_eq!(u32::from(found), u32::from(value) * 255 / 16);
                }
            }
        }
    }

    #[test]
    fn what_is_no_picture_is_none() {
        assert_eq!(sprite(&images(1, 8, 8, 2), 16, &[]), None);
        assert_eq!(sprite(&images(1, 8, 8, 2), 16, &[2]), None);
        assert_eq!(sprite(&images(2, 8, 8, 2), 16, &[0]), None);
        assert_eq!(sprite(&images(1, 64, 1, 2), 16, &[0]), None);
        assert_eq!(sprite(&images(1, 97, 97, 2), 16, &[0]), None);
    }
}
