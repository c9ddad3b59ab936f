//! The recorded gradients against directional differences on the reference backend.

mod cut;
mod edges;
mod net;
mod table;
