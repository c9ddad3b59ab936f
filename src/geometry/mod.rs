//! Room geometry.
