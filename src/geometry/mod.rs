//! Metrics of class manifolds, one file each, and [`metric::METRICS`], the list of all.
//!
//! What has an exact O(N d) form by moments uses it, in f64 ([`ClassSummary`], [`SecondMoments`]). What needs all pairs or neighbours
//! comes from a backend's three reductions ([`crate::backend::pairwise`]). A [`Survey`] holds what several metrics share.
//!
//! ```
//! use disentangle::backend::Reference;
//! use disentangle::geometry::{Cloud, Settings, Survey, metric::named};
//!
//! // Two classes of two points each in the plane.
//! let cloud = Cloud::new(vec![0.0, 0.0, 0.0, 2.0, 5.0, 0.0, 5.0, 2.0], 2, vec![0, 0, 1, 1], 2)?;
//! let survey = Survey::new(&cloud, &Reference, Settings::default());
//! assert_eq!(named("gyration-radius")?.of(&survey)?, [1.0, 1.0]);
//! assert_eq!(named("centroid-distance")?.of(&survey)?, [5.0]);
//! // Neural collapse of the classifier needs one.
//! assert!(named("nc3")?.of(&survey).is_err());
//! # Ok::<(), disentangle::geometry::GeometryError>(())
//! ```

pub mod calinski_harabasz;
pub mod centroid_distance;
pub mod class_distance;
pub mod class_separation;
pub mod class_summary;
pub mod cloud;
pub mod davies_bouldin;
pub mod eigen;
pub mod energy_distance;
mod error;
pub mod explained_variance;
pub mod fisher_ratio;
pub mod generalized_discrimination;
pub mod gyration_radius;
pub mod linear_cka;
pub mod linear_separability;
pub mod maximum_likelihood_dimension;
pub mod mean_discrepancy;
#[cfg(test)]
mod metamorphic;
pub mod metric;
pub mod moments;
pub mod nearest_neighbor;
pub mod neighborhood_overlap;
pub mod neural_collapse;
pub mod participation_ratio;
pub mod products;
pub mod silhouette;
pub mod soft_nearest_neighbor;
pub mod spectrum;
mod survey;
pub mod two_nn;

pub use centroid_distance::centroid_distance;
pub use class_summary::ClassSummary;
pub use cloud::{Cloud, normalize_rows};
pub use error::{GeometryError, Need};
pub use gyration_radius::gyration_radius;
pub use linear_cka::Rows;
pub use metric::{Arity, METRICS, Metric};
pub use moments::ClassMoments;
pub use neural_collapse::Classifier;
pub use spectrum::SecondMoments;
pub use survey::{NEIGHBORS, Settings, Survey};
