//! Which random stream belongs to whom.
//!
//! Every draw of this crate comes from ChaCha8 with the key `seed_from_u64(seed)` and a stream number. The streams
//! below 2^63 belong to the replicas (replica r draws from a stream that is a function of r alone), those from 2^63 on
//! to what the replicas share, so that no two uses of one seed read the same words.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::SeedableRng;

/// Labels of the training rows under [`LabelRule::Random`](super::LabelRule::Random).
pub const TRAIN_LABELS: u64 = 1 << 63;
/// Labels of the test rows under [`LabelRule::Random`](super::LabelRule::Random).
pub const TEST_LABELS: u64 = TRAIN_LABELS + 1;
/// [`gaussian_classes`](super::synthetic::gaussian_classes).
pub const GAUSSIAN_CLASSES: u64 = TRAIN_LABELS + 2;

/// The generator at the start of `stream` under `seed`.
pub fn generator(seed: u64, stream: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(stream);
    rng
}
