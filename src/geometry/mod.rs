//! Metrics of class manifolds, one file each. What has an exact O(N d) form by moments uses it.

pub mod centroid_distance;
pub mod gyration_radius;
pub mod moments;

pub use centroid_distance::centroid_distance;
pub use gyration_radius::gyration_radius;
pub use moments::ClassMoments;
