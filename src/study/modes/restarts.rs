//! The restarts of Coloured MNIST as files, so that a run of hours goes on where it was interrupted.
//!
//! | file | what |
//! |---|---|
//! | `curves/ARM-N.csv` | `step,train_loss,train_accuracy,test_accuracy` of a restart that has ended |
//! | `checkpoint-ARM-N.safetensors` | the restart at hand: `steps` `[1]`, `curve` `[points, 4]`, `parameter/NAME`, `state/NAME/K` |
//!
//! Each is complete or absent. What follows a checkpoint has the same bits as without the interruption.

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use super::coloured_mnist::{Arm, Halted, Point};
use super::descent::Descent;
use crate::data::{DataError, NamedTensor, TensorFile, whole_file, write_named};
use crate::study::StudyError;

/// Folder of the curves within a run's.
pub const CURVES: &str = "curves";
/// First line of a curve.
pub const HEADER: &str = "step,train_loss,train_accuracy,test_accuracy";

fn curve_path(folder: &Path, arm: Arm, restart: u64) -> PathBuf {
    folder.join(CURVES).join(format!("{}-{restart}.csv", arm.name()))
}

fn checkpoint_path(folder: &Path, arm: Arm, restart: u64) -> PathBuf {
    folder.join(format!("checkpoint-{}-{restart}.safetensors", arm.name()))
}

/// Writes the curve of a restart that has ended, and forgets its checkpoint.
///
/// # Errors
/// [`DataError::Write`].
pub fn finish(folder: &Path, arm: Arm, restart: u64, curve: &[Point]) -> Result<(), StudyError> {
    let path = curve_path(folder, arm, restart);
    let refused = |source| DataError::Write {
        path: path.clone(),
        source,
    };
    fs::create_dir_all(folder.join(CURVES)).map_err(refused)?;
    let mut text = format!("{HEADER}\n");
    for point in curve {
        text.push_str(&format!(
            "{},{},{},{}\n",
            point.step, point.train_loss, point.train_accuracy, point.test_accuracy
        ));
    }
    whole_file::write(&path, |file| file.write_all(text.as_bytes())).map_err(refused)?;
    // A checkpoint that stays is only a file too many.
    let _ = fs::remove_file(checkpoint_path(folder, arm, restart));
    Ok(())
}

/// The curve of a restart, if it has ended.
///
/// # Errors
/// [`StudyError::Option`] for a file that is not what [`finish`] writes, or ends before `steps`; [`DataError::Read`].
pub fn finished(folder: &Path, arm: Arm, restart: u64, steps: u64) -> Result<Option<Vec<Point>>, StudyError> {
    let path = curve_path(folder, arm, restart);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(DataError::Read { path, source }.into()),
    };
    let point = |line: &str| -> Option<Point> {
        let mut fields = line.split(',');
        let step = fields.next()?.parse().ok()?;
        let mut number = || fields.next()?.parse::<f64>().ok();
        let point = Point {
            step,
            train_loss: number()?,
            train_accuracy: number()?,
            test_accuracy: number()?,
        };
        fields.next().is_none().then_some(point)
    };
    let mut lines = text.lines();
    let header = lines.next() == Some(HEADER);
    let points: Option<Vec<Point>> = lines.map(point).collect();
    match points.filter(|points| header && points.last().is_some_and(|p| p.step == steps)) {
        Some(points) => Ok(Some(points)),
        None => Err(StudyError::Option {
            detail: format!(
                "{}: expected the header {HEADER} and points up to step {steps}; --resume takes the configuration of the run",
                path.display()
            ),
        }),
    }
}

/// Writes a checkpoint of the restart at hand.
///
/// # Errors
/// [`DataError::Write`]; those of the backend.
pub fn halt(folder: &Path, arm: Arm, restart: u64, descent: &Descent, curve: &[Point]) -> Result<(), StudyError> {
    let (states, steps) = descent.states()?;
    let mut tensors = Vec::new();
    let mut add = |name: String, shape: Vec<usize>, values: Vec<f64>| tensors.push(NamedTensor { name, shape, values });
    add("steps".into(), vec![1], vec![steps as f64]);
    let rows = curve.iter();
    let rows = rows.flat_map(|p| [p.step as f64, p.train_loss, p.train_accuracy, p.test_accuracy]);
    add("curve".into(), vec![curve.len(), 4], rows.collect());
    for (name, values) in descent.parameters()? {
        add(format!("parameter/{name}"), vec![values.len()], values);
    }
    for (name, buffers) in states {
        for (k, values) in buffers.into_iter().enumerate() {
            add(format!("state/{name}/{k}"), vec![values.len()], values);
        }
    }
    Ok(write_named(&checkpoint_path(folder, arm, restart), &tensors)?)
}

/// The checkpoint of a restart, if there is one.
///
/// # Errors
/// [`StudyError::Data`] for a file that cannot be read or is damaged.
pub fn halted(folder: &Path, arm: Arm, restart: u64) -> Result<Option<Halted>, StudyError> {
    let path = checkpoint_path(folder, arm, restart);
    if !path.exists() {
        return Ok(None);
    }
    let file = TensorFile::open(&path)?;
    let rows = file.tensor("curve")?.values;
    let curve = rows.chunks_exact(4).map(|row| Point {
        step: row[0] as u64,
        train_loss: row[1],
        train_accuracy: row[2],
        test_accuracy: row[3],
    });
    let mut halted = Halted {
        parameters: Vec::new(),
        states: Vec::new(),
        steps: file.tensor("steps")?.values.first().copied().unwrap_or_default() as u64,
        curve: curve.collect(),
    };
    // In the network's order: 0.weight, 0.bias, 2.weight, ...
    let mut names: Vec<String> = file.names();
    names.retain(|name| name.starts_with("parameter/"));
    let layer = |name: &String| {
        let own = name.trim_start_matches("parameter/");
        let number = own.split('.').next().and_then(|n| n.parse::<usize>().ok());
        (number.unwrap_or_default(), own.ends_with("bias"))
    };
    names.sort_by_key(layer);
    for name in names {
        let own = name.trim_start_matches("parameter/").to_string();
        let state = |k: usize| file.tensor(&format!("state/{own}/{k}")).map(|tensor| tensor.values);
        halted.states.push((own.clone(), vec![state(0)?, state(1)?]));
        halted.parameters.push((own, file.tensor(&name)?.values));
    }
    Ok(Some(halted))
}
