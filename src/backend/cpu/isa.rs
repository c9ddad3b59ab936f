//! Which vector instructions the kernels use: chosen once at start, by the processor or by `DISENTANGLE_ISA`.
//!
//! ```
//! use disentangle::backend::cpu::isa::{ISA_VARIABLE, Isa, IsaError};
//!
//! // Narrowest first; the plain one runs everywhere.
//! assert_eq!(Isa::ALL.map(|isa| isa.name()), ["portable", "avx2", "avx512"]);
//! assert!(Isa::Portable.is_available());
//! assert_eq!(Isa::available().last(), Some(&Isa::detect()));
//! // A name, or what is wrong with it.
//! assert_eq!(Isa::from_name("portable"), Ok(Isa::Portable));
//! assert_eq!(Isa::from_name("sse"), Err(IsaError::Unknown { name: "sse".into() }));
//! // The widest, unless the environment names another.
//! let expected = std::env::var(ISA_VARIABLE).map_or(Ok(Isa::detect()), |name| Isa::from_name(&name));
//! assert_eq!(Isa::from_environment(), expected);
//! ```

use std::fmt;

/// Name of the environment variable that forces an instruction set.
pub const ISA_VARIABLE: &str = "DISENTANGLE_ISA";

/// An instruction set for which kernels exist, narrowest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Isa {
    /// Plain Rust on short arrays, which any compiler vectorises; multiplies and adds are rounded separately.
    Portable,
    /// 8 lanes of f32 and fused multiply-add (x86-64 since Haswell, 2013).
    Avx2,
    /// 16 lanes of f32 and 32 registers (x86-64 servers since Skylake, 2017).
    Avx512,
}

/// Why an instruction set that was asked for by name cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IsaError {
    /// No instruction set has this name.
    Unknown {
        /// What was asked for.
        name: String,
    },
    /// This processor (or its operating system) lacks it.
    Absent {
        /// What was asked for.
        isa: Isa,
        /// The best that is present.
        best: Isa,
    },
}

impl Isa {
    /// Every instruction set, narrowest first.
    pub const ALL: [Isa; 3] = [Isa::Portable, Isa::Avx2, Isa::Avx512];

    /// The name by which `DISENTANGLE_ISA` and every table know it.
    pub fn name(self) -> &'static str {
        match self {
            Isa::Portable => "portable",
            Isa::Avx2 => "avx2",
            Isa::Avx512 => "avx512",
        }
    }

    /// Whether this processor and its operating system can run it. The standard library asks the processor once
    /// and keeps the answer, so that this is a load and a comparison.
    pub fn is_available(self) -> bool {
        #[cfg(target_arch = "x86_64")]
        {
            use std::arch::is_x86_feature_detected as has;
            // Every processor with AVX2 counts and finds bits; kernels are compiled for that too.
            let bits = has!("bmi1") && has!("popcnt");
            let avx2 = has!("avx2") && has!("fma") && bits;
            match self {
                Isa::Portable => true,
                Isa::Avx2 => avx2,
                // Every processor with AVX-512F has AVX2; the packing of both uses it.
                Isa::Avx512 => avx2 && has!("avx512f"),
            }
        }
        #[cfg(not(target_arch = "x86_64"))]
        {
            self == Isa::Portable
        }
    }

    /// Every instruction set that can run here, narrowest first; never empty.
    pub fn available() -> Vec<Isa> {
        Isa::ALL.into_iter().filter(|isa| isa.is_available()).collect()
    }

    /// The widest instruction set that can run here.
    pub fn detect() -> Isa {
        if Isa::Avx512.is_available() {
            Isa::Avx512
        } else if Isa::Avx2.is_available() {
            Isa::Avx2
        } else {
            Isa::Portable
        }
    }

    /// The instruction set that `DISENTANGLE_ISA` names, or without it the widest that can run here.
    ///
    /// # Errors
    /// [`IsaError::Unknown`] for a name that is not `portable`, `avx2` or `avx512`, [`IsaError::Absent`] for one that
    /// this processor lacks.
    pub fn from_environment() -> Result<Isa, IsaError> {
        match std::env::var_os(ISA_VARIABLE) {
            None => Ok(Isa::detect()),
            Some(name) => Isa::from_name(&name.to_string_lossy()),
        }
    }

    /// The instruction set of that name, if it can run here.
    ///
    /// # Errors
    /// Those of [`Isa::from_environment`].
    pub fn from_name(name: &str) -> Result<Isa, IsaError> {
        let isa = Isa::ALL.into_iter().find(|isa| isa.name() == name);
        let isa = isa.ok_or_else(|| IsaError::Unknown { name: name.to_owned() })?;
        if isa.is_available() {
            Ok(isa)
        } else {
            Err(IsaError::Absent {
                isa,
                best: Isa::detect(),
            })
        }
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

impl fmt::Display for IsaError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            IsaError::Unknown { name } => {
                write!(
                    f,
                    "{ISA_VARIABLE}: unknown instruction set {name:?}, expected portable, avx2 or avx512"
                )
            }
            IsaError::Absent { isa, best } => {
                write!(
                    f,
                    "{ISA_VARIABLE}: this processor has no {isa}, the widest it has is {best}"
                )
            }
        }
    }
}

impl std::error::Error for IsaError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_is_the_last_available_and_portable_always_is() {
        let available = Isa::available();
        assert_eq!(available.first(), Some(&Isa::Portable));
        assert_eq!(available.last(), Some(&Isa::detect()));
    }

    #[test]
    fn a_name_reads_back_or_says_what_is_missing() {
        for isa in Isa::ALL {
            let expected = if isa.is_available() {
                Ok(isa)
            } else {
                Err(IsaError::Absent {
                    isa,
                    best: Isa::detect(),
                })
            };
            assert_eq!(Isa::from_name(&isa.to_string()), expected);
        }
        assert_eq!(format!("{:>8}|", Isa::Avx2), "    avx2|");
    }

    #[test]
    fn errors_are_one_line_with_what_and_what_was_expected() {
        let unknown = Isa::from_name("sse9\n").unwrap_err().to_string();
        assert_eq!(
            unknown,
            "DISENTANGLE_ISA: unknown instruction set \"sse9\\n\", expected portable, avx2 or avx512"
        );
        let absent = IsaError::Absent {
            isa: Isa::Avx512,
            best: Isa::Avx2,
        }
        .to_string();
        assert_eq!(
            absent,
            "DISENTANGLE_ISA: this processor has no avx512, the widest it has is avx2"
        );
    }
}
