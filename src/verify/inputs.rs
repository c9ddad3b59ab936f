//! Kinds of numbers, all of them exact f32.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::Rng;
use rand_distr::{Distribution, StandardNormal};

/// See the variants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Inputs {
    /// Standard normal.
    Normal,
    /// -3 to 3: products, sums and counts of them are exact, so they are compared with zero tolerance.
    Integers,
    /// Half of them subnormal.
    Subnormal,
    /// 1e-30 to 1e30 of either sign.
    HugeRange,
    /// Neighbours that nearly cancel.
    Cancelling,
    /// The same number all along a row.
    ConstantRows,
    /// Every other row is zero.
    ZeroRows,
    /// Three numbers, again and again.
    Duplicates,
}

impl Inputs {
    /// Every one.
    pub(super) const ALL: [Inputs; 8] = [
        Inputs::Normal,
        Inputs::Integers,
        Inputs::Subnormal,
        Inputs::HugeRange,
        Inputs::Cancelling,
        Inputs::ConstantRows,
        Inputs::ZeroRows,
        Inputs::Duplicates,
    ];

    /// In words.
    pub(super) fn name(self) -> &'static str {
        match self {
            Inputs::Normal => "normal",
            Inputs::Integers => "integers",
            Inputs::Subnormal => "subnormal",
            Inputs::HugeRange => "huge range",
            Inputs::Cancelling => "cancelling",
            Inputs::ConstantRows => "constant rows",
            Inputs::ZeroRows => "zero rows",
            Inputs::Duplicates => "duplicates",
        }
    }

    /// `n` numbers, rows of `cols`.
    pub(super) fn draw(self, rng: &mut ChaCha8Rng, n: usize, cols: usize) -> Vec<f64> {
        let mut row_value = 0.0;
        (0..n)
            .map(|i| {
                let z: f64 = StandardNormal.sample(rng);
                let k = rng.next_u32();
                let uniform = f64::from(k) / f64::from(u32::MAX);
                let value = match self {
                    Inputs::Normal => z,
                    Inputs::Integers => f64::from(k % 7) - 3.0,
                    Inputs::Subnormal if i % 2 == 0 => z.signum() * f64::from(k % (1 << 20)) * 2f64.powi(-149),
                    Inputs::Subnormal => z,
                    Inputs::HugeRange => z.signum() * 10f64.powf(60.0 * uniform - 30.0),
                    Inputs::Cancelling if i % 2 == 0 => {
                        row_value = 1e4 * z;
                        row_value
                    }
                    Inputs::Cancelling => -row_value + 1e-3 * z,
                    Inputs::ConstantRows => {
                        if i % cols == 0 {
                            row_value = z;
                        }
                        row_value
                    }
                    Inputs::ZeroRows => z * ((i / cols) % 2) as f64,
                    Inputs::Duplicates => [-1.5, 0.25, 1.5][k as usize % 3],
                };
                f64::from(value as f32)
            })
            .collect()
    }
}
