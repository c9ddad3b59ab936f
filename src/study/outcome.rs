//! What an inversion run leaves: one record per replica and epoch, the extrema found in each metric, the stragglers.

/// Which way a metric turns at the inversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Turn {
    /// It falls, then rises (gyration radii).
    Minimum,
    /// It rises, then falls (centroid distances).
    Maximum,
    /// It may turn either way (all metrics but those of the papers, see [`turning`](super::turning)); it may be taken at some
    /// epochs only, and is NaN at the others.
    Either,
}

impl Turn {
    /// Which way the metrics of the papers turn, of any layer: centroid distances have a maximum, radii a minimum; others may
    /// turn either way.
    pub fn usual(column: &str) -> Turn {
        let layerless = column
            .strip_prefix("layer_")
            .and_then(|rest| rest.split_once('_'))
            .map_or(column, |(_, name)| name);
        if layerless.starts_with("centroid_distance") {
            Turn::Maximum
        } else if layerless.starts_with("gyration_radius") {
            Turn::Minimum
        } else {
            Turn::Either
        }
    }
}

/// A column of `epochs.csv` after the errors.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetricColumn {
    /// Name in every table: `gyration_radius_0`, `centroid_distance_0_1`.
    pub name: String,
    /// What the inversion looks like in it.
    pub turn: Turn,
}

/// The state after `epoch` epochs (0: before the first step).
#[derive(Clone, Debug, PartialEq)]
pub struct EpochRecord {
    /// Epochs done.
    pub epoch: usize,
    /// Mean training loss.
    pub train_loss: f64,
    /// Fraction of the training samples that are misclassified.
    pub train_error: f64,
    /// Fraction of the test samples that are misclassified; `None` on epochs without a test pass.
    pub test_error: Option<f64>,
    /// One value per [`MetricColumn`].
    pub metrics: Vec<f64>,
}

/// Where a metric has its first lasting extremum.
#[derive(Clone, Copy, Debug, PartialEq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
pub struct Extremum {
    /// Epoch at which it is reached.
    pub epoch: usize,
    /// Training error there, a fraction.
    pub error: f64,
    /// The metric's value there.
    pub value: f64,
}

/// A training sample that is still misclassified at the inversion.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Straggler {
    /// Row in the training file (not in the block that was used).
    pub sample_index: usize,
    /// Class index under the label rule.
    pub label: u32,
}

/// The epoch at which the released recipe stops: the first t >= 20 with R_0(t) >= R_0(t-1).
#[derive(Clone, Debug, PartialEq)]
pub struct Stop {
    /// That epoch.
    pub epoch: usize,
    /// Training error there, a fraction.
    pub error: f64,
    /// The misclassified training samples there.
    pub stragglers: Vec<Straggler>,
}

/// One replica's run.
#[derive(Clone, Debug, PartialEq)]
pub struct ReplicaOutcome {
    /// Replica number: together with the seed it fixes the random stream.
    pub replica: u64,
    /// One record per epoch, row 0 first.
    pub records: Vec<EpochRecord>,
    /// The inversion by the released recipe, if it came.
    pub stop: Option<Stop>,
    /// One entry per [`MetricColumn`]: the extremum, or `None` if the curve has none.
    pub extrema: Vec<Option<Extremum>>,
}

/// A whole run.
#[derive(Clone, Debug, PartialEq)]
pub struct InversionOutcome {
    /// Names of the classes under the label rule, by class index.
    pub classes: Vec<String>,
    /// The metric columns.
    pub columns: Vec<MetricColumn>,
    /// The replicas, in the order asked for.
    pub replicas: Vec<ReplicaOutcome>,
}
