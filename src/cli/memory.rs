//! Whether a run fits the machine, before anything is allocated: an allocator that says yes to everything kills the
//! process later.

use disentangle::backend::cpu::{BLOCK_ROWS, TILE_ROWS, is_wide};
use disentangle::backend::kernel::UpdateRule;
use disentangle::nn::Architecture;

use super::error::CliError;

/// Taken for the memory of a machine that does not tell.
const UNKNOWN: f64 = 1e12;

/// Checks that parameters, their gradients and the optimiser's states, the outputs on `rows` samples and the activations
/// on a tile of them, and of the layers `held` on all of them, fit into the memory that is free. This is less than a run
/// needs (the least that any backend gets by with), so what is refused cannot work.
///
/// # Errors
/// [`CliError::Input`] that tells both numbers.
pub fn check(
    architecture: &Architecture,
    rule: UpdateRule,
    replicas: usize,
    rows: usize,
    held: &[usize],
) -> Result<(), CliError> {
    let needed = least_bytes(architecture, rule, replicas, rows, held);
    let free = free_bytes().unwrap_or(UNKNOWN);
    if needed <= free {
        return Ok(());
    }
    let widths: Vec<String> = architecture.hidden.iter().map(usize::to_string).collect();
    Err(CliError::Input(format!(
        "--replicas {replicas} of --hidden {}: {:.1} GB of memory at least, expected at most the {:.1} GB that are free",
        widths.join(","),
        needed / 1e9,
        free / 1e9
    )))
}

/// Checks that `needed` bytes are free; `options` are those that decide about them.
///
/// # Errors
/// [`CliError::Input`] that tells both numbers.
pub fn check_bytes(options: &str, needed: f64) -> Result<(), CliError> {
    let free = free_bytes().unwrap_or(UNKNOWN);
    if needed <= free {
        return Ok(());
    }
    Err(CliError::Input(format!(
        "--{options}: {:.1} GB of memory at least, expected at most the {:.1} GB that are free",
        needed / 1e9,
        free / 1e9
    )))
}

/// In floating point, where no product overflows.
fn least_bytes(architecture: &Architecture, rule: UpdateRule, replicas: usize, rows: usize, held: &[usize]) -> f64 {
    let parameters: f64 = architecture
        .parameters()
        .iter()
        .map(|p| p.rows as f64 * p.cols as f64)
        .sum();
    let states = rule.states() as f64;
    // Initial values in f64; value, gradient and states in f32.
    let of_parameters = parameters * (8.0 + 4.0 * (2.0 + states));
    let of_outputs = rows as f64 * architecture.outputs as f64 * 4.0;
    // Activations and their gradients, of a tile or block of rows at a time or of all.
    let wide = architecture.parameters().iter().any(|p| is_wide(p.cols, p.rows));
    let at_a_time = if wide { BLOCK_ROWS } else { TILE_ROWS };
    let widths: f64 = architecture.hidden.iter().map(|&width| width as f64).sum();
    let of_activations = rows.min(at_a_time) as f64 * widths * 2.0 * 4.0;
    // In f32 where they are computed, and one at a time in f64 on its way to a file.
    let units = || {
        held.iter()
            .filter_map(|&layer| architecture.hidden.get(layer))
            .map(|&width| width as f64)
    };
    let of_held = rows as f64 * (units().sum::<f64>() * 4.0 + units().fold(0.0, f64::max) * 8.0);
    replicas as f64 * (of_parameters + of_outputs + of_activations + of_held)
}

/// What the system says is available, and no more than the process may have.
fn free_bytes() -> Option<f64> {
    let available = std::fs::read_to_string("/proc/meminfo").ok().and_then(|text| {
        let line = text.lines().find(|line| line.starts_with("MemAvailable:"))?;
        line.split_whitespace().nth(1)?.parse::<f64>().ok()
    });
    let of_group = std::fs::read_to_string("/sys/fs/cgroup/memory.max").ok();
    let of_group = of_group.and_then(|text| text.trim().parse::<f64>().ok());
    let of_process = std::fs::read_to_string("/proc/self/limits").ok().and_then(|text| {
        let limit = text.lines().find_map(|line| line.strip_prefix("Max address space"))?;
        limit.split_whitespace().next()?.parse::<f64>().ok()
    });
    let available = available.map(|kibibytes| kibibytes * 1024.0)?;
    Some([of_group, of_process].into_iter().flatten().fold(available, f64::min))
}
