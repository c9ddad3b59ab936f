//! The recorded gradients against directional differences on the reference backend.

mod edges;
mod net;
mod table;
