//! The CPU backend.

pub mod isa {
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct IsaError;
    impl std::fmt::Display for IsaError {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            Ok(())
        }
    }
}
pub mod pool {
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct PoolError;
    impl std::fmt::Display for PoolError {
        fn fmt(&self, _: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            Ok(())
        }
    }
}
pub struct Cpu;
