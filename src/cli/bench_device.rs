//! `disentangle bench --device cuda`: times by the device's clock, percent of what it can do, and cuBLAS beside the products.

use disentangle::backend::Cuda;
use disentangle::bench::device::{DeviceBench, DeviceTimes};
use serde::Serialize;

use super::bench::{Line, Plan, columns, duration, failed, row};
use super::error::CliError;
use super::output::print;

#[derive(Serialize)]
struct Table {
    device: String,
    name: String,
    compute_capability: String,
    /// The CUDA version that the driver is for.
    driver: String,
    /// The version of cuBLAS; null where there is none.
    cublas: Option<String>,
    /// What the device can do.
    peaks: Vec<Limit>,
    kernels: Vec<Timed>,
}

#[derive(Serialize)]
struct Limit {
    gflops: f64,
    copied_gbytes_per_second: f64,
}

#[derive(Serialize)]
struct Timed {
    #[serde(flatten)]
    line: Line,
    /// Of the same product by cuBLAS.
    cublas_median_seconds: Option<f64>,
    /// That time over ours: above 1 ours is faster.
    cublas_over_ours: Option<f64>,
}

/// Times a plan's cases on a device.
///
/// # Errors
/// [`CliError::Failed`] for memory that is not to be had, kernels that fail, and output that nobody takes.
pub fn run(cuda: &Cuda, plan: &Plan) -> Result<(), CliError> {
    let mut bench = DeviceBench::new(cuda).map_err(failed)?;
    let (device, peak, driver) = (cuda.device(), bench.peak(), cuda.driver());
    let cublas = bench.cublas().map(|version| version.to_string());
    let mut table = Table {
        device: format!("cuda:{}", device.ordinal),
        name: device.name.clone(),
        compute_capability: format!("{}.{}", device.capability.0, device.capability.1),
        driver: format!("{}.{}", driver.0, driver.1),
        cublas: cublas.as_ref().ok().cloned(),
        peaks: vec![Limit {
            gflops: peak.flops / 1e9,
            copied_gbytes_per_second: peak.bytes / 1e9,
        }],
        kernels: Vec::new(),
    };
    if !plan.json {
        let cublas = match &cublas {
            Ok(version) => format!("cuBLAS {version}, in f32 without TF32: the column has its time over ours"),
            Err(why) => format!("No column of cuBLAS: {why}"),
        };
        print(&heading(&table, &cublas))?;
    }
    for case in &plan.cases {
        let DeviceTimes { seconds, cublas } = bench.time(case, plan.budget).map_err(failed)?;
        let timed = Timed {
            line: Line::new(case, seconds, (peak.flops, peak.bytes)),
            cublas_median_seconds: cublas,
            cublas_over_ours: cublas.map(|cublas| cublas / seconds),
        };
        if !plan.json {
            print(&timed.row())?;
        }
        table.kernels.push(timed);
    }
    if plan.json {
        let text = serde_json::to_string_pretty(&table).map_err(|error| CliError::Failed(error.to_string()))?;
        print(&format!("{text}\n"))?;
    }
    Ok(())
}

impl Timed {
    fn row(&self) -> String {
        let beside = match (self.cublas_median_seconds, self.cublas_over_ours) {
            (Some(seconds), Some(ratio)) => format!(" {:>10} {ratio:>6.2}", duration(seconds)),
            _ => String::new(),
        };
        format!("{}{beside}\n", row(&self.line))
    }
}

fn heading(table: &Table, cublas: &str) -> String {
    let mut text = format!(
        "{}, {}, driver for CUDA {}. What this device can do:\n",
        table.device, table.name, table.driver
    );
    for peak in &table.peaks {
        text.push_str(&format!(
            "  {:.0} GFLOP/s of multiply-adds in f32, {:.1} GB/s copied\n",
            peak.gflops, peak.copied_gbytes_per_second
        ));
    }
    let beside = match table.cublas {
        Some(_) => format!(" {:>10} {:>6}", "cuBLAS", "/ ours"),
        None => String::new(),
    };
    text.push_str(&format!("{cublas}.\n\n{}{beside}\n", columns()));
    text
}
