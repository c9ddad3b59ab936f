//! The figures of an inversion run: radii, centroid distances, errors, loss and every further metric, each against the
//! epoch and against the training error.
//!
//! The mean at an epoch is over all replicas, drawn as long as each of them has a value, and stands at their mean
//! training error when the axis is that. The band is the 95 % confidence interval of the mean, t(n - 1) sd / sqrt(n).
//! Curves are thinned until a figure is below its budget: the mean never by more than 0.2 pixels, the replicas by 0.2,
//! then 0.4, 0.8 ...; the caption says so where it can be seen.

use std::collections::BTreeMap;
use std::path::Path;

use super::FIGURES;
use super::chart::{self, Chart, FINE, Mark, MeanPoint, Series};
use super::families::{ERROR, Family, LOSS, families};
use super::files::{self, ReportError};
use super::legend::shortened;
use super::number::{Spread, significant};
use super::palette::{COLOURS, SERIES};
use super::summary::Spreads;
use super::svg;
use super::tables;
use super::ticks::Scale;
use crate::study::outcome::{EpochRecord, InversionOutcome, ReplicaOutcome};

/// What a figure has on its horizontal axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Against {
    /// The epoch.
    Epoch,
    /// The training error, decreasing, so that time runs from left to right: the axis of the papers.
    Error,
}

/// A figure in the two forms it is shown in.
#[derive(Clone, Debug)]
pub struct Figure {
    /// `gyration-radius-by-epoch`: name of its file and of its element in the page.
    pub name: String,
    /// What is on its horizontal axis.
    pub against: Against,
    /// What can be said of how it was drawn; empty if there is nothing.
    pub note: String,
    /// An `svg` element for a page that holds [`super::palette::css`].
    pub inline: String,
    /// The same as a file that stands alone.
    pub file: String,
}

/// The most that one figure may take, in bytes; less when there are so many that a page would grow too large.
pub const FIGURE_BYTES: usize = 150_000;
/// What all figures together may take in the page.
pub(super) const PAGE_BYTES: usize = 2_400_000;
/// Of more replicas than this, so many evenly chosen ones are drawn; mean and band are over all.
pub(super) const LINES: usize = 48;
/// The name of the axis of training errors.
pub(super) const ERROR_AXIS: &str = "training error, decreasing: time runs to the right →";
/// Width of a figure's file, in pixels.
const FILE_WIDTH: u32 = 720;

/// Draws all figures, those of one quantity side by side: against the epoch, then against the training error.
///
/// # Errors
/// [`ReportError::Inconsistent`] as [`tables::check`] finds it, [`ReportError::Figure`] if plotters refuses.
pub fn figures(outcome: &InversionOutcome) -> Result<Vec<Figure>, ReportError> {
    tables::check(outcome)?;
    let spreads = Spreads::of(outcome);
    let families = families(outcome);
    let budget = FIGURE_BYTES.min(PAGE_BYTES / (2 * (families.len() + 2)));
    let sheets = [Against::Epoch, Against::Error].map(|against| Sheet {
        outcome,
        spreads: &spreads,
        against,
    });
    let mut figures = Vec::new();
    for family in &families {
        for sheet in &sheets {
            figures.push(sheet.metrics(family).render(&family.name, sheet.against, budget)?);
        }
    }
    for sheet in &sheets {
        figures.push(sheet.errors().render(ERROR, sheet.against, budget)?);
    }
    for sheet in &sheets {
        figures.push(sheet.loss().render(LOSS, sheet.against, budget)?);
    }
    Ok(figures)
}

/// Writes `figures/*.svg` into a folder.
///
/// # Errors
/// [`ReportError::Io`].
pub fn write(folder: &Path, figures: &[Figure]) -> Result<(), ReportError> {
    let folder = folder.join(FIGURES);
    files::create_folder(&folder)?;
    for figure in figures {
        files::write_atomic(&folder.join(format!("{}.svg", figure.name)), figure.file.as_bytes())?;
    }
    Ok(())
}

/// What all figures of one axis have in common.
pub(super) struct Sheet<'o> {
    pub outcome: &'o InversionOutcome,
    pub spreads: &'o Spreads,
    pub against: Against,
}

/// A chart and what is to be said of it.
pub(super) struct Planned {
    pub chart: Chart,
    pub notes: Vec<String>,
}

impl Sheet<'_> {
    pub fn chart(&self, title: String, y_scale: Scale, series: Vec<Series>) -> Chart {
        let (x_label, x_scale, stop) = match self.against {
            Against::Epoch => ("epoch".to_owned(), Scale::Linear, self.spreads.stop_epoch),
            Against::Error => (ERROR_AXIS.to_owned(), Scale::LogReversed, self.spreads.stop_error),
        };
        let named = |stop: Spread| {
            let name = if stop.sd.is_some() {
                "stop epoch, mean ± sd"
            } else {
                "stop epoch"
            };
            (stop, name.to_owned())
        };
        let stop = stop.mean.map(|_| named(stop));
        Chart {
            title,
            x_label,
            x_scale,
            y_scale,
            series,
            stop,
        }
    }

    fn metrics(&self, family: &Family) -> Planned {
        let mut notes = Vec::new();
        let mut series: Vec<Series> = family
            .columns
            .iter()
            .enumerate()
            .map(|(paint, (column, label))| {
                let value = |record: &EpochRecord| record.metrics.get(*column).copied();
                let mut series = self.series(shortened(label, 24), paint, &value);
                self.mark(&mut series, *column, family.columns.len() <= 3);
                series
            })
            .collect();
        if series.len() > SERIES {
            notes.push(format!(
                "Thin: the mean over replicas of each of {} curves; thick: their mean.",
                series.len()
            ));
            series = vec![mean_of_means(&series)];
        } else if series.len() > COLOURS {
            notes.push("Only the means over the replicas are drawn, with their bands.".to_owned());
            series.iter_mut().for_each(|series| series.replicas.clear());
        } else {
            notes.extend(self.note_on_lines());
        }
        Planned {
            chart: self.chart(family.title.clone(), Scale::Linear, series),
            notes,
        }
    }

    fn errors(&self) -> Planned {
        let mut train = self.series("training".into(), 0, &|record| Some(record.train_error));
        if self.against == Against::Error {
            // The curve is the diagonal: replicas and band would only thicken it.
            train.replicas.clear();
            train.mean.iter_mut().for_each(|point| point.half = None);
        }
        let test = self.series("test".into(), 1, &|record| record.test_error);
        let mut notes: Vec<String> = self.note_on_lines().into_iter().collect();
        let mut series = vec![train];
        if test.mean.is_empty() && test.replicas.is_empty() {
            notes.push("The test error was not measured.".to_owned());
        } else {
            series.push(test);
        }
        Planned {
            chart: self.chart("Fraction misclassified".into(), y_scale(&series), series),
            notes,
        }
    }

    fn loss(&self) -> Planned {
        let series = vec![self.series("training".into(), 0, &|record| Some(record.train_loss))];
        let notes = self.note_on_lines().into_iter().collect();
        Planned {
            chart: self.chart("Loss".into(), y_scale(&series), series),
            notes,
        }
    }

    fn note_on_lines(&self) -> Option<String> {
        let replicas = self.outcome.replicas.len();
        (replicas > LINES).then(|| format!("{LINES} of {replicas} replicas are drawn; mean and band are over all."))
    }

    fn x(&self, record: &EpochRecord) -> f64 {
        match self.against {
            Against::Epoch => record.epoch as f64,
            Against::Error => record.train_error,
        }
    }

    /// The curve of a value of each record, with its mean over the replicas.
    pub fn series(&self, label: String, paint: usize, value: &dyn Fn(&EpochRecord) -> Option<f64>) -> Series {
        let curve = |replica: &ReplicaOutcome| -> Vec<(f64, f64)> {
            replica
                .records
                .iter()
                .filter_map(|record| Some((self.x(record), value(record)?)))
                .collect()
        };
        let replicas = &self.outcome.replicas;
        let drawn = replicas.len().min(LINES);
        let lines = if drawn < 2 {
            Vec::new()
        } else {
            (0..drawn)
                .filter_map(|line| replicas.get(line * replicas.len() / drawn))
                .map(curve)
                .filter(|curve| !curve.is_empty())
                .collect()
        };
        Series {
            label,
            paint,
            replicas: lines,
            mean: self.mean(value),
            turns: Vec::new(),
            mark: None,
        }
    }

    /// Mean and band at each epoch at which every replica has a value.
    fn mean(&self, value: &dyn Fn(&EpochRecord) -> Option<f64>) -> Vec<MeanPoint> {
        let mut epochs: BTreeMap<usize, Vec<(f64, f64)>> = BTreeMap::new();
        for record in self.outcome.replicas.iter().flat_map(|replica| &replica.records) {
            if let Some(y) = value(record).filter(|y| y.is_finite()) {
                epochs.entry(record.epoch).or_default().push((self.x(record), y));
            }
        }
        epochs
            .into_values()
            .filter(|points| points.len() == self.outcome.replicas.len())
            .filter_map(|points| {
                let y = Spread::of(points.iter().map(|point| point.1));
                let x = Spread::of(points.iter().map(|point| point.0));
                Some(MeanPoint {
                    x: x.mean?,
                    y: y.mean?,
                    half: y.half_width(),
                })
            })
            .collect()
    }

    /// Marks where a metric turns.
    pub fn mark(&self, series: &mut Series, column: usize, labelled: bool) {
        let (Some(spread), Some(described)) = (self.spreads.extrema.get(column), self.outcome.columns.get(column))
        else {
            return;
        };
        let x = match self.against {
            Against::Epoch => spread.epoch,
            Against::Error => spread.error,
        };
        if self.outcome.replicas.len() > 1 {
            let extrema = self
                .outcome
                .replicas
                .iter()
                .filter_map(|replica| replica.extrema.get(column).copied().flatten());
            series.turns = extrema
                .map(|extremum| match self.against {
                    Against::Epoch => (extremum.epoch as f64, extremum.value),
                    Against::Error => (extremum.error, extremum.value),
                })
                .collect();
        }
        if spread.count > 0 {
            let label = if labelled { x.mean_only() } else { String::new() };
            series.mark = Some(Mark {
                x,
                y: spread.value,
                turn: described.turn,
                label,
            });
        }
    }
}

/// Logarithmic where everything is positive and spans more than a factor of five.
pub(super) fn y_scale(series: &[Series]) -> Scale {
    let values = || {
        let lines = series
            .iter()
            .flat_map(|series| series.replicas.iter().flatten().map(|point| point.1));
        lines
            .chain(series.iter().flat_map(|series| series.mean.iter().map(|point| point.y)))
            .filter(|y| y.is_finite())
    };
    let (low, high) = (values().fold(f64::INFINITY, f64::min), values().fold(0.0, f64::max));
    if low > 0.0 && high > 5.0 * low {
        Scale::Log
    } else {
        Scale::Linear
    }
}

/// Many curves as one series: their means take the place of the replicas.
fn mean_of_means(series: &[Series]) -> Series {
    let shortest = series.iter().map(|series| series.mean.len()).min().unwrap_or(0);
    let mean = (0..shortest)
        .filter_map(|index| {
            let points = || series.iter().filter_map(|series| series.mean.get(index));
            let y = Spread::of(points().map(|point| point.y));
            Some(MeanPoint {
                x: Spread::of(points().map(|point| point.x)).mean?,
                y: y.mean?,
                half: None,
            })
        })
        .collect();
    let line = |series: &Series| series.mean.iter().map(|point| (point.x, point.y)).collect();
    let turn = |series: &Series| series.mark.as_ref().and_then(|mark| mark.x.mean.zip(mark.y.mean));
    Series {
        label: format!("mean of {} curves", series.len()),
        paint: 0,
        replicas: series.iter().map(line).collect(),
        mean,
        turns: series.iter().filter_map(turn).collect(),
        mark: None,
    }
}

impl Planned {
    /// Draws it within `budget` bytes.
    pub fn render(self, quantity: &str, against: Against, budget: usize) -> Result<Figure, ReportError> {
        let (suffix, axis) = match against {
            Against::Epoch => ("epoch", "epoch"),
            Against::Error => ("error", "training error"),
        };
        self.drawn(&format!("{quantity}-by-{suffix}"), against, axis, budget)
    }

    /// Draws it under a name, within `budget` bytes; `axis` is what it is drawn against, in words.
    pub fn drawn(mut self, name: &str, against: Against, axis: &str, budget: usize) -> Result<Figure, ReportError> {
        let failed = |cause| ReportError::Figure {
            name: name.to_owned(),
            cause,
        };
        let mut tolerance = FINE;
        let mut drawing = chart::draw(&self.chart, tolerance).map_err(failed)?;
        // Eight doublings make 51 pixels, a sixth of the figure's height: what is still too large then stays so.
        for _ in 0..8 {
            if drawing.body.len() <= budget {
                break;
            }
            tolerance *= 2.0;
            drawing = chart::draw(&self.chart, tolerance).map_err(failed)?;
        }
        if tolerance > 1.0 {
            let distance = significant(tolerance, 2);
            self.notes.push(format!(
                "Curves of replicas are thinned: none is off by more than {distance} pixels."
            ));
        }
        let described = self.described(axis);
        Ok(Figure {
            against,
            note: self.notes.join(" "),
            inline: svg::inline(&drawing, &described),
            file: svg::file(&drawing, &described, FILE_WIDTH),
            name: name.to_owned(),
        })
    }

    /// The figure in words, for those who cannot see it.
    fn described(&self, axis: &str) -> String {
        let mut words = format!("{} against {axis}.", self.chart.title);
        for series in &self.chart.series {
            let (Some(first), Some(last)) = (series.mean.first(), series.mean.last()) else {
                continue;
            };
            let (from, to) = (significant(first.y, 3), significant(last.y, 3));
            words.push_str(&format!(" {}: from {from} to {to}", series.label));
            if let Some(mark) = &series.mark {
                let (value, place) = (mark.y.plus_minus(), mark.x.plus_minus());
                words.push_str(&format!(", extremum {value} at {axis} {place}"));
            }
            words.push('.');
        }
        words
    }
}
