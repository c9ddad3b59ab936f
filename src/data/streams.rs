//! Random streams: who draws what from where.
//!
//! Every draw of this crate comes from ChaCha8 (`rand_chacha`, whose output is fixed for good) keyed with 256 bits: the
//! seed, the purpose, and two numbers of the purpose's own, as four little-endian u64. So a replica's numbers depend on
//! nothing but (seed, replica): not on the other replicas, their order or the machine; and the order of samples in epoch
//! e can be drawn without those before it.
//!
//! ```
//! use disentangle::data::streams::{Stream, below, generator, shuffle};
//!
//! let order = |replica, epoch| {
//!     let mut items: Vec<u32> = (0..100).collect();
//!     shuffle(&mut items, &mut generator(7, Stream::Shuffle { replica, epoch }));
//!     items
//! };
//! // The same seed, purpose and numbers: the same order. Another epoch: another one of the same items.
//! assert_eq!(order(0, 1), order(0, 1));
//! assert_ne!(order(0, 1), order(0, 2));
//! let mut sorted = order(0, 1);
//! sorted.sort_unstable();
//! assert!(sorted.into_iter().eq(0..100));
//! assert!(below(&mut generator(7, Stream::Subset), 3) < 3);
//! ```

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What a stream is for. Streams of one seed never overlap.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Initial parameters of a replica.
    Initialization {
        /// The replica's number.
        replica: u64,
    },
    /// Order of a replica's samples in an epoch.
    Shuffle {
        /// The replica's number.
        replica: u64,
        /// The epoch, from 0.
        epoch: u64,
    },
    /// Labels of the training rows under [`LabelRule::Random`](super::LabelRule::Random).
    TrainLabels,
    /// Labels of the test rows under [`LabelRule::Random`](super::LabelRule::Random).
    TestLabels,
    /// [`gaussian_classes`](super::synthetic::gaussian_classes).
    GaussianClasses,
    /// Examples of a teacher, new ones in each step or the same in all.
    TeacherExamples {
        /// The replica's number.
        replica: u64,
        /// The step they are for.
        step: u64,
    },
    /// Which labels of a teacher's examples are flipped.
    TeacherNoise {
        /// The replica's number.
        replica: u64,
        /// The step they are for.
        step: u64,
    },
    /// Test examples of a teacher.
    TeacherTest {
        /// The replica's number.
        replica: u64,
    },
    /// The rows of [`Subset::Random`](super::Subset::Random).
    Subset,
    /// Samples drawn as a control for a set of a replica.
    Control {
        /// The replica's number.
        replica: u64,
        /// Which draw.
        draw: u64,
    },
    /// Noise on a replica's test samples.
    Noise {
        /// The replica's number.
        replica: u64,
    },
    /// Resampling for error bars.
    Bootstrap,
    /// Order, labels and colours of coloured images in a restart.
    ColouredImages {
        /// The restart's number.
        restart: u64,
    },
    /// Points of the plane of initial weights.
    InitialPlane,
    /// Points of two moons.
    TwoMoons {
        /// The replica's number.
        replica: u64,
    },
    /// Which pictures are darkened or lightened.
    Brightness {
        /// The replica's number.
        replica: u64,
    },
}

/// A number below `bound`, which is positive. Multiply-shift: the bias is below bound / 2^64.
pub fn below(rng: &mut ChaCha8Rng, bound: usize) -> usize {
    ((u128::from(rng.next_u64()) * bound as u128) >> 64) as usize
}

/// Puts items into a random order (Fisher and Yates).
pub fn shuffle<T>(items: &mut [T], rng: &mut ChaCha8Rng) {
    for i in (1..items.len()).rev() {
        items.swap(i, below(rng, i + 1));
    }
}

/// The generator at the start of `stream` under `seed`.
pub fn generator(seed: u64, stream: Stream) -> ChaCha8Rng {
    let (purpose, a, b) = match stream {
        Stream::Initialization { replica } => (0, replica, 0),
        Stream::Shuffle { replica, epoch } => (1, replica, epoch),
        Stream::TrainLabels => (2, 0, 0),
        Stream::TestLabels => (3, 0, 0),
        Stream::GaussianClasses => (4, 0, 0),
        Stream::TeacherExamples { replica, step } => (30, replica, step),
        Stream::TeacherNoise { replica, step } => (31, replica, step),
        Stream::TeacherTest { replica } => (32, replica, 0),
        Stream::Subset => (8, 0, 0),
        // Numbers from 20 on: straggler studies.
        Stream::Control { replica, draw } => (20, replica, draw),
        Stream::Noise { replica } => (21, replica, 0),
        Stream::Bootstrap => (22, 0, 0),
        // Numbers from 40 on: independent modes and starvation.
        Stream::ColouredImages { restart } => (40, restart, 0),
        Stream::InitialPlane => (41, 0, 0),
        Stream::TwoMoons { replica } => (42, replica, 0),
        Stream::Brightness { replica } => (43, replica, 0),
    };
    let mut key = [0; 32];
    for (bytes, word) in key.chunks_exact_mut(8).zip([seed, purpose, a, b]) {
        bytes.copy_from_slice(&u64::to_le_bytes(word));
    }
    ChaCha8Rng::from_seed(key)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_told_apart_by_every_part_of_the_key_and_stay_what_they_are() {
        let first = |seed, stream| generator(seed, stream).next_u64();
        let streams = [
            Stream::Initialization { replica: 1 },
            Stream::Initialization { replica: 2 },
            Stream::Shuffle { replica: 1, epoch: 0 },
            Stream::Shuffle { replica: 1, epoch: 1 },
            Stream::TrainLabels,
            Stream::TestLabels,
            Stream::GaussianClasses,
            Stream::TeacherExamples { replica: 1, step: 0 },
            Stream::TeacherExamples { replica: 1, step: 1 },
            Stream::TeacherNoise { replica: 1, step: 0 },
            Stream::TeacherTest { replica: 1 },
            Stream::Subset,
            Stream::Control { replica: 1, draw: 2 },
            Stream::Control { replica: 2, draw: 1 },
            Stream::Noise { replica: 1 },
            Stream::Bootstrap,
            Stream::ColouredImages { restart: 1 },
            Stream::InitialPlane,
            Stream::TwoMoons { replica: 1 },
            Stream::Brightness { replica: 1 },
        ];
        let mut words: Vec<u64> = streams.iter().flat_map(|&s| [first(0, s), first(1, s)]).collect();
        assert_eq!(words[0], first(0, streams[0]));
        words.sort_unstable();
        words.dedup();
        assert_eq!(words.len(), 2 * streams.len());
        // Published runs depend on these bits: ChaCha8 under an all-zero key begins with the eight bytes of the known
        // test vector.
        let zero = first(0, Stream::Initialization { replica: 0 });
        assert_eq!(zero.to_le_bytes(), [0x3e, 0x00, 0xef, 0x2f, 0x89, 0x5f, 0x40, 0xd6]);
    }
}
