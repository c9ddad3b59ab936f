//! What the metrics of one network did: the looks at it and where each metric turns, and how a part keeps them.
//!
//! Radii and distances of the papers are seen at every epoch and turn by [`extremum`](super::extremum), the others at every
//! look and by [`turning`](super::turning).

use super::error::StudyError;
use super::inversion::series;
use super::outcome::{Extremum, MetricColumn, ReplicaOutcome, Turn};
use super::parts::{Part, list};
use super::turning::is_minimum;
use crate::data::NamedTensor;

/// A network at one epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Look {
    /// The epoch.
    pub epoch: usize,
    /// Its training error there, a fraction.
    pub error: f64,
    /// A value per column.
    pub values: Vec<f64>,
}

/// Where a metric turns, and which way.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Turned {
    /// Or a maximum.
    pub minimum: bool,
    /// Where.
    pub at: Extremum,
}

/// What the metrics of one network did.
#[derive(Clone, Debug, PartialEq)]
pub struct Course {
    /// Every look.
    pub looks: Vec<Look>,
    /// Of each column its first lasting turn.
    pub turns: Vec<Option<Turned>>,
}

/// Numbers that a part keeps of a look before its values.
const FIXED: usize = 2;
/// Numbers that it keeps of a turn.
const TURN: usize = 4;

impl Course {
    /// Of a replica whose extrema are found, looked at when `due` says so.
    pub(super) fn of(replica: &ReplicaOutcome, columns: &[MetricColumn], due: impl Fn(usize) -> bool) -> Course {
        let looks = replica.records.iter().filter(|record| due(record.epoch));
        let turned = |(m, (column, extremum)): (usize, (&MetricColumn, &Option<Extremum>))| {
            let at = (*extremum)?;
            let minimum = match column.turn {
                Turn::Minimum => true,
                Turn::Maximum => false,
                Turn::Either => is_minimum(&series(replica, m), at.epoch),
            };
            Some(Turned { minimum, at })
        };
        Course {
            looks: looks
                .map(|record| Look {
                    epoch: record.epoch,
                    error: record.train_error,
                    values: record.metrics.clone(),
                })
                .collect(),
            turns: columns.iter().zip(&replica.extrema).enumerate().map(turned).collect(),
        }
    }

    fn tensors(&self, network: usize) -> [NamedTensor; 2] {
        let look = |look: &Look| [vec![look.epoch as f64, look.error], look.values.clone()].concat();
        let turn = |turn: &Option<Turned>| match turn {
            Some(Turned { minimum, at }) => [f64::from(u8::from(*minimum)), at.epoch as f64, at.error, at.value],
            None => [f64::NAN; TURN],
        };
        [
            list(&format!("looks/{network}"), self.looks.iter().flat_map(look).collect()),
            list(&format!("turns/{network}"), self.turns.iter().flat_map(turn).collect()),
        ]
    }

    pub(super) fn read(part: &Part, network: usize, columns: usize) -> Result<Course, StudyError> {
        let looks = part.values(&format!("looks/{network}"), None)?;
        let turns = part.values(&format!("turns/{network}"), Some(columns * TURN))?;
        let look = |row: &[f64]| Look {
            epoch: row[0] as usize,
            error: row[1],
            values: row[FIXED..].to_vec(),
        };
        let turn = |row: &[f64]| {
            let at = Extremum {
                epoch: row[1] as usize,
                error: row[2],
                value: row[3],
            };
            let minimum = row[0] == 1.0;
            (!row[0].is_nan()).then_some(Turned { minimum, at })
        };
        Ok(Course {
            looks: looks.chunks_exact(FIXED + columns).map(look).collect(),
            turns: turns.chunks_exact(TURN).map(turn).collect(),
        })
    }
}

/// What a part keeps of the courses of its networks.
pub(super) fn kept(courses: &[Course]) -> Vec<NamedTensor> {
    let all = courses.iter().enumerate();
    all.flat_map(|(network, course)| course.tensors(network)).collect()
}
