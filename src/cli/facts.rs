//! Facts about a run for `run.json`: hashes of the data, the processor, the time.

use std::time::{SystemTime, UNIX_EPOCH};

use disentangle::data::{Dataset, Images, idx};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// SHA-256 of the four uncompressed IDX files a dataset would be.
pub fn data_hashes(dataset: &Dataset) -> Value {
    let of = |part: &Images| {
        json!({
            "images": sha256(&[&header(idx::images_header(part.count, part.height, part.width)), &part.pixels]),
            "labels": sha256(&[&header(idx::labels_header(part.count)), &part.labels]),
        })
    };
    json!({ "train": of(&dataset.train), "test": of(&dataset.test) })
}

fn header<const N: usize>(bytes: Option<[u8; N]>) -> Vec<u8> {
    bytes.map_or(Vec::new(), |bytes| bytes.to_vec())
}

/// SHA-256 of parts one after the other, in hexadecimal.
pub fn sha256(parts: &[&[u8]]) -> String {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    hasher.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The processor's name as the system tells it.
pub fn processor() -> String {
    let name = std::fs::read_to_string("/proc/cpuinfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("model name"))?;
        Some(line.split_once(':')?.1.trim().to_string())
    });
    name.unwrap_or_else(|| std::env::consts::ARCH.into())
}

/// Seconds since 1970.
pub fn unix_seconds() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}
