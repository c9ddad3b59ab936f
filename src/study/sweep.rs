//! Many runs in an order that does not change: which of them a machine does, what becomes of one that fails, and which
//! points of an axis are made of which runs.
//!
//! A run is known by an id that is a function of its whole configuration. Two points that ask for the same run share it,
//! and a sweep that is edited and begun again does only what is new.

#![cfg_attr(not(test), deny(clippy::indexing_slicing))]

use std::any::Any;
use std::collections::BTreeSet;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::str::FromStr;

use super::error::StudyError;
use crate::data::DataError;

/// A point of an axis: a label, and the runs whose replicas are pooled in it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
pub struct SweepPoint {
    /// What stands beside it.
    pub label: String,
    /// Places in [`Sweep::runs`].
    pub runs: Vec<usize>,
    /// Whether what the point says is to be compared with the base.
    pub compared: bool,
}

/// One thing that is varied.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
pub struct SweepAxis {
    /// What is varied.
    pub name: String,
    /// How, in the order given.
    pub points: Vec<SweepPoint>,
}

/// A sweep: the base, alone on the first axis, and what is varied about it.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "cli", derive(serde::Serialize, serde::Deserialize))]
pub struct Sweep {
    /// Ids of the runs, each once, in the order in which they are done.
    pub runs: Vec<String>,
    /// The axes.
    pub axes: Vec<SweepAxis>,
}

/// A part of a sweep for one of several machines: run k belongs to shard k mod n + 1 of n, so that long and short runs
/// are spread over the shards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shard {
    /// From 1.
    pub number: usize,
    /// How many there are.
    pub of: usize,
}

impl Shard {
    /// All of it.
    pub const WHOLE: Shard = Shard { number: 1, of: 1 };

    /// Whether the run at this place is done here.
    pub fn has(self, place: usize) -> bool {
        place % self.of.max(1) + 1 == self.number
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

/// More shards than anyone has machines.
const MOST_SHARDS: usize = 10_000;

impl FromStr for Shard {
    type Err = StudyError;

    fn from_str(text: &str) -> Result<Shard, StudyError> {
        let parts = text.split_once('/').and_then(|(number, of)| {
            let (number, of): (usize, usize) = (number.trim().parse().ok()?, of.trim().parse().ok()?);
            ((1..=of).contains(&number) && of <= MOST_SHARDS).then_some(Shard { number, of })
        });
        parts.ok_or_else(|| StudyError::Option {
            detail: format!("'{text}': expected i/n, shard i of n, with i from 1 to n, and n at most {MOST_SHARDS}"),
        })
    }
}

/// Who keeps what runs leave.
pub trait Keeper<T> {
    /// Whether the run of this id has ended before, well or not.
    fn has(&self, id: &str) -> bool;

    /// Keeps what a run left, or why it failed, whole or not at all.
    ///
    /// # Errors
    /// Ends the sweep.
    fn keep(&mut self, id: &str, left: Result<T, String>) -> Result<(), StudyError>;
}

/// Does the runs of a shard that have not ended before, in order. Each is kept as soon as it ends. A run that fails or
/// panics is kept with its reason, and the others go on. `false` if `run` was interrupted ([`StudyError::Interrupted`]):
/// then it is not kept.
///
/// # Errors
/// What the keeper says; [`StudyError::Data`] of a run, when a file could not be written.
pub fn carry_out<T>(
    sweep: &Sweep,
    shard: Shard,
    keeper: &mut dyn Keeper<T>,
    run: &mut dyn FnMut(usize) -> Result<T, StudyError>,
) -> Result<bool, StudyError> {
    for (place, id) in sweep.runs.iter().enumerate() {
        if !shard.has(place) || keeper.has(id) {
            continue;
        }
        // What a run holds is dropped with it; nothing of it is looked at after a panic.
        let ended = catch_unwind(AssertUnwindSafe(|| run(place)));
        let left = match ended {
            Ok(Ok(left)) => Ok(left),
            Ok(Err(StudyError::Interrupted)) => return Ok(false),
            Ok(Err(error @ StudyError::Data(DataError::Write { .. }))) => return Err(error),
            Ok(Err(error)) => Err(error.to_string()),
            Err(payload) => Err(format!("it panicked: {}", message(payload.as_ref()))),
        };
        keeper.keep(id, left)?;
    }
    Ok(true)
}

fn message(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().map(|text| (*text).to_owned());
    let text = text.or_else(|| payload.downcast_ref::<String>().cloned());
    text.unwrap_or_else(|| "without a message".into())
}

/// What a folder brings to a merge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Brought<'a> {
    /// What to call it in errors.
    pub name: String,
    /// Its sweep.
    pub sweep: &'a Sweep,
    /// The part of it that was done there.
    pub shard: Shard,
    /// Ids of the runs that have ended there.
    pub ended: BTreeSet<&'a str>,
}

/// From which of several folders each run comes, in the order of the sweep.
///
/// # Errors
/// [`StudyError::Option`] for folders of different sweeps or differently cut ones, for one shard twice, and for runs that
/// nobody has done.
pub fn assemble(brought: &[Brought]) -> Result<Vec<usize>, StudyError> {
    let wrong = |detail: String| Err(StudyError::Option { detail });
    let Some(first) = brought.first() else {
        return wrong("no folder to merge".into());
    };
    for (n, other) in brought.iter().enumerate().skip(1) {
        if other.sweep != first.sweep {
            return wrong(format!(
                "{}: another sweep than {}, expected shards of one sweep on the same data",
                other.name, first.name
            ));
        }
        if other.shard.of != first.shard.of {
            return wrong(format!(
                "{}: shard {}, but {} is shard {}; expected shards of one cut",
                other.name, other.shard, first.name, first.shard
            ));
        }
        if let Some(same) = brought.iter().take(n).find(|earlier| earlier.shard == other.shard) {
            return wrong(format!(
                "{}: shard {} as {} is; expected each shard once",
                other.name, other.shard, same.name
            ));
        }
    }
    let of = first.shard.of;
    let absent: Vec<String> = (1..=of)
        .map(|number| Shard { number, of })
        .filter(|shard| brought.iter().all(|folder| folder.shard != *shard))
        .map(|shard| shard.to_string())
        .collect();
    if !absent.is_empty() {
        return wrong(format!("shard {} is missing, expected all {of}", absent.join(", ")));
    }
    let mut sources = Vec::new();
    for (place, id) in first.sweep.runs.iter().enumerate() {
        let owner = brought.iter().enumerate().find(|(_, folder)| folder.shard.has(place));
        match owner {
            Some((n, folder)) if folder.ended.contains(id.as_str()) => sources.push(n),
            Some((_, folder)) => {
                let undone = |place: &usize| {
                    let id = first.sweep.runs.get(*place);
                    id.is_some_and(|id| !folder.ended.contains(id.as_str()))
                };
                let own = (0..first.sweep.runs.len()).filter(|&place| folder.shard.has(place));
                return wrong(format!(
                    "{}: {} of its runs have not ended (the first is {id}), expected a shard that is complete",
                    folder.name,
                    own.filter(undone).count()
                ));
            }
            None => return wrong(format!("run {id} belongs to no shard")),
        }
    }
    Ok(sources)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    #[derive(Default)]
    struct Memory(BTreeMap<String, Result<usize, String>>);

    impl Keeper<usize> for Memory {
        fn has(&self, id: &str) -> bool {
            self.0.contains_key(id)
        }

        fn keep(&mut self, id: &str, left: Result<usize, String>) -> Result<(), StudyError> {
            assert!(self.0.insert(id.into(), left).is_none(), "{id} was done twice");
            Ok(())
        }
    }

    fn sweep(runs: usize) -> Sweep {
        Sweep {
            runs: (0..runs).map(|n| format!("run-{n}")).collect(),
            axes: vec![],
        }
    }

    #[test]
    fn a_shard_is_what_is_written() {
        assert_eq!("2/3".parse::<Shard>().unwrap(), Shard { number: 2, of: 3 });
        for text in ["", "2", "0/3", "4/3", "1/0", "a/b", "-1/2", "1/2/3"] {
            let line = text.parse::<Shard>().unwrap_err().to_string();
            assert!(line.starts_with(&format!("'{text}': expected i/n")), "{line}");
        }
        for place in 0..20 {
            let owners = (1..=7).filter(|&number| Shard { number, of: 7 }.has(place)).count();
            assert_eq!(owners, 1);
            assert!(Shard::WHOLE.has(place));
        }
    }

    #[test]
    fn a_run_that_fails_or_panics_is_kept_with_its_reason_and_the_others_go_on() {
        let (sweep, mut memory) = (sweep(4), Memory::default());
        let mut run = |place| match place {
            1 => Err(StudyError::Option {
                detail: "does not fit".into(),
            }),
            // The hook of the test harness prints it; that is all.
            2 => panic!("out of {}", "range"),
            _ => Ok(place),
        };
        assert!(carry_out(&sweep, Shard::WHOLE, &mut memory, &mut run).unwrap());
        let left: Vec<_> = memory.0.into_values().collect();
        let failed = |reason: &str| Err(reason.to_owned());
        assert_eq!(
            left,
            [
                Ok(0),
                failed("does not fit"),
                failed("it panicked: out of range"),
                Ok(3)
            ]
        );
    }

    #[test]
    fn an_interrupted_sweep_goes_on_where_it_was_and_repeats_nothing() {
        let (sweep, mut memory) = (sweep(6), Memory::default());
        let mut steps = 0;
        let mut order = Vec::new();
        loop {
            let mut run = |place| {
                steps += 1;
                if steps % 2 == 0 {
                    return Err(StudyError::Interrupted);
                }
                order.push(place);
                Ok(place)
            };
            if carry_out(&sweep, Shard { number: 1, of: 1 }, &mut memory, &mut run).unwrap() {
                break;
            }
        }
        assert_eq!(order, [0, 1, 2, 3, 4, 5]);
    }

    #[test]
    fn a_merge_takes_each_run_from_its_shard_and_says_what_does_not_fit() {
        let (whole, other) = (sweep(5), sweep(4));
        let ids = |places: &[usize]| places.iter().map(|&n| whole.runs[n].as_str()).collect();
        let folder = |name: &str, number, of, places: &[usize]| Brought {
            name: name.into(),
            sweep: &whole,
            shard: Shard { number, of },
            ended: ids(places),
        };
        let a = folder("a", 1, 2, &[0, 2, 4]);
        let b = folder("b", 2, 2, &[1, 3]);
        assert_eq!(assemble(&[a.clone(), b.clone()]).unwrap(), [0, 1, 0, 1, 0]);
        assert_eq!(assemble(&[b.clone(), a.clone()]).unwrap(), [1, 0, 1, 0, 1]);
        let line = |brought: &[Brought]| assemble(brought).unwrap_err().to_string();
        assert_eq!(line(std::slice::from_ref(&a)), "shard 2/2 is missing, expected all 2");
        assert_eq!(
            line(&[a.clone(), folder("c", 1, 2, &[0])]),
            "c: shard 1/2 as a is; expected each shard once"
        );
        assert_eq!(
            line(&[a.clone(), folder("c", 2, 2, &[3])]),
            "c: 1 of its runs have not ended (the first is run-1), expected a shard that is complete"
        );
        assert!(line(&[a.clone(), folder("c", 2, 3, &[1])]).starts_with("c: shard 2/3, but a is shard 1/2"));
        let foreign = Brought {
            sweep: &other,
            name: "d".into(),
            ..b
        };
        assert!(line(&[a, foreign]).starts_with("d: another sweep than a"));
    }
}
