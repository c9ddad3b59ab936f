//! A contender of `peers/contest.py`: one line in, one line out, until the input ends.
//!
//! ```text
//! run N     does the work N times: the wall time of all of them in nanoseconds
//! state     numbers that say what has been computed so far
//! ```

use std::fmt::Display;
use std::io::{BufRead, Write};
use std::path::Path;
use std::time::Instant;

use disentangle::data::TensorFile;

/// Why a contender cannot go on: one line.
pub type Fault = Box<dyn std::error::Error>;

/// A positive number from the command line or a request.
///
/// # Errors
/// A line that says what was expected.
pub fn number(text: &str) -> Result<usize, Fault> {
    let positive = text.parse().ok().filter(|&n| n > 0);
    positive.ok_or_else(|| format!("'{text}': expected a positive number").into())
}

/// Answers requests until standard input ends. Both functions get the work.
///
/// # Errors
/// What the work reports, a request that is none, closed standard streams.
pub fn serve<W, N: Display>(
    work: &mut W,
    mut run: impl FnMut(&mut W) -> Result<(), Fault>,
    mut state: impl FnMut(&mut W) -> Result<Vec<N>, Fault>,
) -> Result<(), Fault> {
    let mut output = std::io::stdout().lock();
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match words.as_slice() {
            ["run", times] => {
                let times = number(times)?;
                let start = Instant::now();
                for _ in 0..times {
                    run(work)?;
                }
                start.elapsed().as_nanos().to_string()
            }
            ["state"] => {
                let numbers: Vec<String> = state(work)?.iter().map(N::to_string).collect();
                numbers.join(" ")
            }
            _ => return Err(format!("'{line}': expected 'run N' or 'state'").into()),
        };
        writeln!(output, "{answer}")?;
        output.flush()?;
    }
    Ok(())
}

/// Samples in batches and the initial weights of a network, as `peers/steps.py` writes them.
pub struct StepCase {
    /// `[rows, inputs]`
    pub x: Vec<f32>,
    /// One per row.
    pub labels: Vec<u32>,
    /// Rows.
    pub rows: usize,
    /// Columns of x.
    pub inputs: usize,
    /// From inputs to outputs: weight `[units, fan in]`, bias `[units]`, units.
    pub layers: Vec<(Vec<f32>, Vec<f32>, usize)>,
    /// Rows of a batch; divides the rows.
    pub batch: usize,
}

impl StepCase {
    /// From a safetensors file with `x`, `labels`, `0.weight`, `0.bias`, `2.weight` and so on.
    ///
    /// # Errors
    /// A file that cannot be read, or lacks a tensor.
    pub fn open(path: &Path, batch: usize) -> Result<StepCase, Fault> {
        let file = TensorFile::open(path)?;
        let narrow = |values: Vec<f64>| values.into_iter().map(|v| v as f32).collect::<Vec<f32>>();
        let x = file.tensor("x")?;
        let labels = file
            .tensor("labels")?
            .values
            .iter()
            .map(|&label| label as u32)
            .collect();
        let [rows, inputs] = x.shape[..] else {
            return Err(format!("x has shape {:?}, expected [rows, inputs]", x.shape).into());
        };
        if batch == 0 || rows % batch != 0 {
            return Err(format!("{rows} rows in batches of {batch}, expected a divisor").into());
        }
        let mut layers = Vec::new();
        while file.names().contains(&format!("{}.weight", 2 * layers.len())) {
            let weight = file.tensor(&format!("{}.weight", 2 * layers.len()))?;
            let bias = file.tensor(&format!("{}.bias", 2 * layers.len()))?;
            let units = bias.values.len();
            layers.push((narrow(weight.values), narrow(bias.values), units));
        }
        Ok(StepCase {
            x: narrow(x.values),
            labels,
            rows,
            inputs,
            layers,
            batch,
        })
    }

    /// The first row of the batch of a step.
    pub fn first_row(&self, step: usize) -> usize {
        step % (self.rows / self.batch) * self.batch
    }
}

/// `NAME CASE BATCH THREADS` from the command line.
///
/// # Errors
/// A line with the usage.
pub fn step_arguments() -> Result<(StepCase, usize), Fault> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [case, batch, threads] = arguments.as_slice() else {
        return Err("expected the arguments CASE BATCH THREADS".into());
    };
    Ok((StepCase::open(Path::new(case), number(batch)?)?, number(threads)?))
}

/// Ends the program: exit code 2 and one line for a fault.
pub fn finish(name: &str, result: Result<(), Fault>) -> std::process::ExitCode {
    match result {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("{name}: {fault}");
            std::process::ExitCode::from(2)
        }
    }
}
