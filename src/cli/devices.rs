//! `disentangle devices`: what `--device` can be here, and why what is absent is absent.

use clap::Args;
use disentangle::backend::Cpu;
use serde::Serialize;

use super::error::CliError;
use super::facts;
use super::output::print;

/// The options of `devices`.
#[derive(Args, Clone, Debug)]
pub struct DevicesOptions {
    /// One JSON object on standard output
    #[arg(long)]
    pub json: bool,
}

#[derive(Serialize)]
struct Devices {
    devices: Vec<Line>,
}

/// A value of `--device`.
#[derive(Serialize)]
struct Line {
    device: String,
    present: bool,
    /// What it is, or why it is absent.
    what: String,
}

impl Line {
    fn new(device: impl Into<String>, found: Result<String, String>) -> Line {
        Line {
            device: device.into(),
            present: found.is_ok(),
            what: found.unwrap_or_else(|why| why),
        }
    }
}

/// Runs the subcommand. An absent device is an answer, not an error.
///
/// # Errors
/// [`CliError::Failed`] if standard output takes nothing.
pub fn run(options: DevicesOptions) -> Result<(), CliError> {
    let mut devices = vec![Line::new("cpu", cpu())];
    devices.extend(cuda());
    devices.push(Line::new("reference", Ok("f64, plain loops, one thread: slow".into())));
    if options.json {
        let text = serde_json::to_string_pretty(&Devices { devices }).map_err(CliError::input)?;
        return print(&format!("{text}\n"));
    }
    let lines = devices.iter().map(|line| {
        let present = if line.present { "present" } else { "absent" };
        format!("{:<11}{present:<9}{}\n", line.device, line.what)
    });
    print(&lines.collect::<String>())
}

fn cpu() -> Result<String, String> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let cpu = Cpu::new(1).map_err(|error| error.to_string())?;
    Ok(format!("f32, {}, {}, {threads} threads", facts::processor(), cpu.isa()))
}

#[cfg(not(feature = "cuda"))]
fn cuda() -> Vec<Line> {
    let why = "this build has no CUDA backend: build it with cargo's feature cuda";
    vec![Line::new("cuda", Err(why.into()))]
}

#[cfg(feature = "cuda")]
fn cuda() -> Vec<Line> {
    use disentangle::backend::cuda::{CudaError, OLDEST_DEVICE, devices};
    let (driver, found) = match devices() {
        Ok(found) => found,
        Err(error) => return vec![Line::new("cuda", Err(error.to_string()))],
    };
    let line = |device: disentangle::backend::cuda::Device| {
        let what = if device.capability < OLDEST_DEVICE {
            let error = CudaError::Capability {
                ordinal: device.ordinal,
                name: device.name,
                found: device.capability,
            };
            Err(error.to_string())
        } else {
            Ok(format!(
                "f32, {}, compute capability {}.{}, {} multiprocessors, {} MiB, driver for CUDA {}.{}",
                device.name,
                device.capability.0,
                device.capability.1,
                device.multiprocessors,
                device.bytes >> 20,
                driver.0,
                driver.1
            ))
        };
        Line::new(format!("cuda:{}", device.ordinal), what)
    };
    found.into_iter().map(line).collect()
}
