//! The rows of a case, with all that metrics may be told.

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

use super::super::inputs::Inputs;
use super::estimate::{Estimate, W};
use crate::backend::Backend;
use crate::backend::pairwise::{Form, Points};
use crate::geometry::{Classifier, Cloud, GeometryError, Rows, Settings, Survey};

/// See the [module](self).
pub(super) struct Sample {
    pub(super) inputs: Inputs,
    pub(super) rows: Vec<f64>,
    pub(super) cols: usize,
    pub(super) labels: Vec<u32>,
    pub(super) classes: usize,
    pub(super) second: Vec<f64>,
    pub(super) second_cols: usize,
    pub(super) classifier: Classifier,
    pub(super) settings: Settings,
    /// Where the backend has found the smallest soft nearest neighbour loss.
    pub(super) found_temperature: Option<f64>,
    cloud: Cloud,
}

impl Sample {
    /// The case of a seed.
    ///
    /// # Errors
    /// Those of [`Cloud::new`].
    pub(super) fn new(seed: u64) -> Result<Sample, GeometryError> {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let mut between = |low: usize, high: usize| low + (rng.next_u64() % (high - low + 1) as u64) as usize;
        let classes = between(2, 5);
        let (rows, cols) = (between(2 * classes, 60), between(1, 40));
        let k = between(2, 9);
        Sample::of(rng, seed, [rows, cols, classes, k])
    }

    /// Standard normal rows of a shape of one's choice.
    ///
    /// # Errors
    /// Those of [`Cloud::new`].
    pub(super) fn shaped(rows: usize, cols: usize, classes: usize) -> Result<Sample, GeometryError> {
        Sample::of(ChaCha8Rng::seed_from_u64(0), 0, [rows, cols, classes, 10])
    }

    fn of(mut rng: ChaCha8Rng, seed: u64, [rows, cols, classes, k]: [usize; 4]) -> Result<Sample, GeometryError> {
        let inputs = Inputs::ALL[seed as usize % Inputs::ALL.len()];
        // Squares of the whole range would be no f32.
        let narrow = |v: f64| {
            if inputs == Inputs::HugeRange {
                f64::from(v.cbrt() as f32)
            } else {
                v
            }
        };
        let mut draw = |n: usize, cols: usize| -> Vec<f64> {
            inputs.draw(&mut rng, n * cols, cols).into_iter().map(narrow).collect()
        };
        let second_cols = 1 + cols / 2;
        let (mut values, second) = (draw(rows, cols), draw(rows, second_cols));
        let (weight, bias) = (draw(classes, cols), draw(classes, 1));
        // Every class has members, the first most of them, in no order.
        let labels: Vec<u32> = (0..rows)
            .map(|i| {
                let scattered = i * 7919 % 104_729;
                (if i < 2 * classes {
                    i % classes
                } else {
                    scattered % classes
                }) as u32
            })
            .collect();
        // In every third case classes lie apart; a shift by whole numbers leaves whole numbers whole.
        if seed % 3 == 2 && matches!(inputs, Inputs::Normal | Inputs::Integers | Inputs::Duplicates) {
            for (row, &label) in values.chunks_exact_mut(cols).zip(&labels) {
                row[label as usize % cols] += 8.0;
            }
        }
        let forms = [Form::Direct, Form::Centered, Form::F64];
        let mut sample = Sample {
            cloud: Cloud::new(values.clone(), cols, labels.clone(), classes)?,
            inputs,
            rows: values,
            cols,
            labels,
            classes,
            second,
            second_cols,
            classifier: Classifier {
                weight,
                bias: seed.is_multiple_of(2).then_some(bias),
            },
            settings: Settings {
                neighbors: Some(k.min(rows - 1)),
                // The eight kinds of numbers meet all forms.
                form: forms[(seed / 8) as usize % 3],
                ..Settings::default()
            },
            found_temperature: None,
        };
        let spread = sample.centered().iter().map(|x| x.value() * x.value()).sum::<f64>() / rows as f64;
        if spread > 1e-30 {
            sample.settings.temperature = 2.0 * spread;
        }
        Ok(sample)
    }

    /// The second representation as a cloud of its own.
    pub(super) fn like(sample: &Sample) -> Option<Sample> {
        let cloud = Cloud::new(
            sample.second.clone(),
            sample.second_cols,
            sample.labels.clone(),
            sample.classes,
        );
        Some(Sample {
            inputs: sample.inputs,
            rows: sample.second.clone(),
            cols: sample.second_cols,
            labels: sample.labels.clone(),
            classes: sample.classes,
            second: vec![],
            second_cols: 0,
            classifier: sample.classifier.clone(),
            settings: sample.settings,
            found_temperature: None,
            cloud: cloud.ok()?,
        })
    }

    /// What the metrics are asked.
    pub(super) fn survey<'a>(&'a self, backend: &'a dyn Backend) -> Survey<'a> {
        let second = Rows {
            values: &self.second,
            cols: self.second_cols,
        };
        Survey::new(&self.cloud, backend.pairs(), self.settings)
            .with_classifier(Some(&self.classifier))
            .with_second(Some(second))
    }

    /// dl/dT of the soft nearest neighbour loss, of rows about their mean.
    ///
    /// # Errors
    /// [`GeometryError::Pairs`]
    pub(super) fn temperature_slope(&self, backend: &dyn Backend) -> Result<f64, GeometryError> {
        let mut rows = self.rows.clone();
        crate::geometry::cloud::center_rows(&mut rows, self.cols);
        let found = Points::new(&rows, self.cols)
            .and_then(|points| points.labels(&self.labels, self.classes))
            .and_then(|points| {
                let Settings { temperature, form, .. } = self.settings;
                backend
                    .pairs()
                    .soft_nearest_neighbor_gradient(&points, temperature, form)
            });
        let found = found.map_err(|error| GeometryError::Pairs {
            detail: error.to_string(),
        })?;
        Ok(found.temperature.first().copied().unwrap_or(f64::NAN))
    }

    /// A row of the cloud.
    pub(super) fn row(&self, i: usize) -> &[f64] {
        &self.rows[i * self.cols..][..self.cols]
    }

    /// Members of each class.
    pub(super) fn counts(&self) -> &[usize] {
        self.cloud.counts()
    }

    /// Class of a row.
    pub(super) fn label(&self, i: usize) -> usize {
        self.labels[i] as usize
    }

    /// The cloud's rows about their mean.
    pub(super) fn centered(&self) -> Vec<Estimate> {
        centered(&self.rows, self.cols)
    }

    /// Pairs of classes a < b.
    pub(super) fn class_pairs(&self) -> impl Iterator<Item = (usize, usize)> + use<> {
        let classes = self.classes;
        (0..classes).flat_map(move |a| (a + 1..classes).map(move |b| (a, b)))
    }
}

/// The mean of numbers, found in two rounds: what the first leaves, r = x - m', is averaged again. So the error is one rounding of the
/// mean, and n + 3 of the mean |r|.
pub(super) fn mean(numbers: &[Estimate]) -> Estimate {
    let n = numbers.len() as f64;
    let exact = Estimate::sum(numbers.iter().map(|x| x.exact())).exact() / n;
    let own = numbers.iter().map(|x| x.error).sum::<f64>() / n;
    let size = numbers.iter().map(|x| x.value().abs() + x.error).sum::<f64>() / n;
    let first = (n + 1.0) * W * size + own;
    let rest = numbers.iter().map(|x| (x.exact() - exact).value().abs()).sum::<f64>() / n + first;
    let chain = numbers.iter().map(|x| x.chain).max().unwrap_or(0);
    exact.with_error(
        own + W * exact.value().abs() + (n + 3.0) * W * rest,
        chain + numbers.len() + 3,
    )
}

/// Rows `[n, cols]` about their mean, found in two rounds: each subtraction rounds what is left, the last mean's rounding is that of
/// its size, which is a rounding of what was left by the first.
pub(super) fn centered(rows: &[f64], cols: usize) -> Vec<Estimate> {
    let n = (rows.len() / cols) as f64;
    let mut all = vec![Estimate::given(0.0); rows.len()];
    for j in 0..cols {
        let column = || rows.iter().skip(j).step_by(cols).map(|&x| Estimate::given(x));
        let mean = (Estimate::sum(column()).exact() / n).exact();
        let size = column().map(|x| x.value().abs()).sum::<f64>() / n;
        // Of the first mean, which the second round takes away but for its own rounding.
        let first = (n + 1.0) * W * size;
        let left: Vec<Estimate> = column().map(|x| (x - mean).exact()).collect();
        let rest = left.iter().map(|x| x.value().abs()).sum::<f64>() / n + first;
        for (i, x) in left.into_iter().enumerate() {
            let error = 2.0 * W * (x.value().abs() + first) + (n + 3.0) * W * rest;
            all[i * cols + j] = x.with_error(error, rows.len() / cols + 3);
        }
    }
    all
}
