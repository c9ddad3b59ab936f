//! The points whose pairs are reduced: rows of numbers, from slices or fetched row by row, and their classes.

use super::error::PairwiseError;

/// Classes at most: results have a number for each pair of them.
pub const MOST_CLASSES: usize = 1 << 12;

/// Rows that are fetched one by one: a memory-mapped file, or anything else that need not lie in memory as a whole.
///
/// ```
/// use disentangle::backend::pairwise::{Points, RowSource};
///
/// /// Row i of the corners of a cube: the bits of i. None of them lies in memory.
/// struct Corners;
///
/// impl RowSource for Corners {
///     fn replicas(&self) -> usize { 1 }
///     fn rows(&self) -> usize { 8 }
///     fn dim(&self) -> usize { 3 }
///     fn is_f32(&self) -> bool { true }
///     fn read(&self, _: usize, row: usize, to: &mut [f64]) -> Result<(), String> {
///         to.iter_mut().enumerate().for_each(|(bit, x)| *x = f64::from((row >> bit & 1) as u8));
///         Ok(())
///     }
/// }
///
/// let mut corner = [0.0; 3];
/// Corners.read(0, 6, &mut corner)?;
/// assert_eq!(corner, [0.0, 1.0, 1.0]);
/// let points = Points::from_source(&Corners)?;
/// assert_eq!((points.replica_count(), Corners.replicas()), (1, 1));
/// assert_eq!((points.rows(), points.dim()), (Corners.rows(), Corners.dim()));
/// assert_eq!(points.is_f32(), Corners.is_f32());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait RowSource: Sync {
    /// Copies of the rows along the replica axis.
    fn replicas(&self) -> usize;
    /// Rows of each replica.
    fn rows(&self) -> usize;
    /// Numbers in a row.
    fn dim(&self) -> usize;
    /// Whether the numbers are f32 (or narrower), so that reading them as f32 loses nothing.
    fn is_f32(&self) -> bool;
    /// Writes a row into a slice of `dim` numbers. Rows are asked for in any order and more than once.
    ///
    /// # Errors
    /// In one line, why the row is not to be had.
    fn read(&self, replica: usize, row: usize, to: &mut [f64]) -> Result<(), String>;
}

/// Where the coordinates are: `[replicas, rows, dim]`.
///
/// ```
/// use disentangle::backend::pairwise::{Points, Values};
///
/// // A slice says by its type what it holds.
/// let (single, double) = (vec![0.5f32, 1.5], vec![0.5f64, 1.5]);
/// assert!(matches!(Points::new(&single, 1)?.values(), Values::F32([0.5, 1.5])));
/// assert!(matches!(Points::new(&double, 1)?.values(), Values::F64([0.5, 1.5])));
/// # Ok::<(), disentangle::backend::pairwise::PairwiseError>(())
/// ```
#[derive(Clone, Copy)]
pub enum Values<'a> {
    /// In memory, f32.
    F32(&'a [f32]),
    /// In memory, f64.
    F64(&'a [f64]),
    /// Fetched.
    Source(&'a dyn RowSource),
}

impl<'a> From<&'a [f32]> for Values<'a> {
    fn from(values: &'a [f32]) -> Self {
        Values::F32(values)
    }
}

impl<'a> From<&'a [f64]> for Values<'a> {
    fn from(values: &'a [f64]) -> Self {
        Values::F64(values)
    }
}

impl<'a> From<&'a Vec<f32>> for Values<'a> {
    fn from(values: &'a Vec<f32>) -> Self {
        Values::F32(values)
    }
}

impl<'a> From<&'a Vec<f64>> for Values<'a> {
    fn from(values: &'a Vec<f64>) -> Self {
        Values::F64(values)
    }
}

/// A set of points: R replicas of N rows of width d, each row with a class.
///
/// ```
/// use disentangle::backend::pairwise::{PairwiseError, Points, Values};
///
/// // Two networks' images of the same three samples, which have two numbers and a class each.
/// let values: Vec<f32> = (0..12u8).map(f32::from).collect();
/// let points = Points::new(&values, 2)?.replicas(2)?.labels(&[0, 1, 1], 3)?;
/// assert_eq!((points.replica_count(), points.rows(), points.dim(), points.classes()), (2, 3, 2, 3));
/// assert_eq!((points.label(1, 0), points.class_sizes(1)), (0, vec![1, 2, 0]));
/// let mut row = [0.0; 2];
/// points.row(1, 0, &mut row)?;
/// assert_eq!(row, [6.0, 7.0]);
/// assert!(points.is_f32() && matches!(points.values(), Values::F32(_)));
/// // Squared distances of these must be numbers of f32, and those of 1e30 are none.
/// points.check(f64::from(f32::MAX))?;
/// let far = Points::new(&[0.0f32, 1e30][..], 1)?.check(f64::from(f32::MAX));
/// assert!(matches!(far, Err(PairwiseError::Magnitude { at: (0, 1, 0), .. })));
/// # Ok::<(), PairwiseError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Points<'a> {
    values: Values<'a>,
    replicas: usize,
    rows: usize,
    dim: usize,
    /// Empty: all of class 0. Else one per row, or one per replica and row.
    labels: &'a [u32],
    classes: usize,
}

impl<'a> Points<'a> {
    /// Rows of width `dim` in one replica and one class: slices of f32 or f64.
    ///
    /// # Errors
    /// [`PairwiseError::Empty`], [`PairwiseError::Length`] if `dim` does not divide the slice.
    pub fn new(values: impl Into<Values<'a>>, dim: usize) -> Result<Points<'a>, PairwiseError> {
        let values = values.into();
        if dim == 0 {
            return Err(PairwiseError::Empty { what: "columns" });
        }
        let (replicas, rows) = match values {
            Values::F32(v) => (1, count(v.len(), dim)?),
            Values::F64(v) => (1, count(v.len(), dim)?),
            Values::Source(source) => (source.replicas(), source.rows()),
        };
        if let Values::Source(source) = values
            && source.dim() != dim
        {
            return Err(PairwiseError::Length {
                what: "columns of the rows",
                found: source.dim(),
                expected: dim,
            });
        }
        let points = Points {
            values,
            replicas,
            rows,
            dim,
            labels: &[],
            classes: 1,
        };
        points.sized()
    }

    /// The rows of a source, in one class.
    ///
    /// ```
    /// use disentangle::backend::pairwise::{PairwiseError, Points, RowSource};
    ///
    /// struct Broken;
    ///
    /// impl RowSource for Broken {
    ///     fn replicas(&self) -> usize { 1 }
    ///     fn rows(&self) -> usize { 2 }
    ///     fn dim(&self) -> usize { 1 }
    ///     fn is_f32(&self) -> bool { false }
    ///     fn read(&self, _: usize, row: usize, _: &mut [f64]) -> Result<(), String> {
    ///         Err(format!("page {row} is gone"))
    ///     }
    /// }
    ///
    /// // Rows are asked for when they are needed, and so are the reasons why they are not to be had.
    /// let points = Points::from_source(&Broken)?;
    /// let error = points.row(0, 1, &mut [0.0]).err().map(|error| error.to_string());
    /// assert_eq!(error.as_deref(), Some("points: replica 0, row 1: page 1 is gone"));
    /// # Ok::<(), PairwiseError>(())
    /// ```
    ///
    /// # Errors
    /// [`PairwiseError::Empty`], [`PairwiseError::TooLarge`].
    pub fn from_source(source: &'a dyn RowSource) -> Result<Points<'a>, PairwiseError> {
        Points::new(Values::Source(source), source.dim())
    }

    /// The same numbers seen as `replicas` sets one after the other. A source says itself how many it has.
    ///
    /// # Errors
    /// [`PairwiseError::Empty`], [`PairwiseError::Length`] if the rows, or the labels that they have, cannot be divided so.
    pub fn replicas(self, replicas: usize) -> Result<Points<'a>, PairwiseError> {
        if replicas == 0 {
            return Err(PairwiseError::Empty { what: "replicas" });
        }
        let all = self.rows * self.replicas;
        let source = matches!(self.values, Values::Source(_));
        if !all.is_multiple_of(replicas) || (source && replicas != self.replicas) {
            return Err(PairwiseError::Length {
                what: "rows of all replicas",
                found: all,
                expected: self.replicas * all.div_ceil(replicas),
            });
        }
        if !self.labels.is_empty() && self.labels.len() != all && self.labels.len() != all / replicas {
            return Err(PairwiseError::Length {
                what: "labels",
                found: self.labels.len(),
                expected: all,
            });
        }
        let points = Points {
            replicas,
            rows: all / replicas,
            ..self
        };
        points.sized()
    }

    /// With a class below `classes` for each row: `[rows]` for all replicas or `[replicas, rows]`. Classes may be empty.
    ///
    /// # Errors
    /// [`PairwiseError::Length`], [`PairwiseError::Label`], [`PairwiseError::Empty`] for no classes, [`PairwiseError::Classes`] for more
    /// than 4,096.
    pub fn labels(self, labels: &'a [u32], classes: usize) -> Result<Points<'a>, PairwiseError> {
        if classes == 0 {
            return Err(PairwiseError::Empty { what: "classes" });
        }
        if classes > MOST_CLASSES {
            return Err(PairwiseError::Classes { found: classes });
        }
        if labels.len() != self.rows && labels.len() != self.rows * self.replicas {
            return Err(PairwiseError::Length {
                what: "labels",
                found: labels.len(),
                expected: self.rows,
            });
        }
        match labels.iter().position(|&label| label as usize >= classes) {
            Some(position) => Err(PairwiseError::Label {
                position,
                found: labels[position],
                classes,
            }),
            None => Ok(Points {
                labels,
                classes,
                ..self
            }),
        }
    }

    fn sized(self) -> Result<Points<'a>, PairwiseError> {
        for (size, what) in [(self.replicas, "replicas"), (self.rows, "rows"), (self.dim, "columns")] {
            if size == 0 {
                return Err(PairwiseError::Empty { what });
            }
        }
        let numbers = self
            .rows
            .checked_mul(self.replicas)
            .and_then(|n| n.checked_mul(self.dim));
        let fits = numbers.is_some_and(|n| n <= isize::MAX as usize / 8);
        // Row numbers, the padding of classes included, are u32.
        if !fits || self.rows > (u32::MAX / 2) as usize {
            return Err(PairwiseError::TooLarge {
                shape: (self.replicas, self.rows, self.dim),
            });
        }
        Ok(self)
    }

    /// Replicas R.
    pub fn replica_count(&self) -> usize {
        self.replicas
    }

    /// Rows N of each replica.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Width d.
    pub fn dim(&self) -> usize {
        self.dim
    }

    /// Classes C, empty ones included.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Where the numbers are.
    pub fn values(&self) -> Values<'a> {
        self.values
    }

    /// The class of a row.
    pub fn label(&self, replica: usize, row: usize) -> usize {
        match self.labels.len() {
            0 => 0,
            n if n == self.rows => self.labels[row] as usize,
            _ => self.labels[replica * self.rows + row] as usize,
        }
    }

    /// Rows of each class in a replica.
    pub fn class_sizes(&self, replica: usize) -> Vec<usize> {
        let mut sizes = vec![0; self.classes];
        for row in 0..self.rows {
            sizes[self.label(replica, row)] += 1;
        }
        sizes
    }

    /// Writes a row into a slice of `dim` numbers.
    ///
    /// # Errors
    /// [`PairwiseError::Source`].
    pub fn row(&self, replica: usize, row: usize, to: &mut [f64]) -> Result<(), PairwiseError> {
        let start = (replica * self.rows + row) * self.dim;
        match self.values {
            Values::F32(v) => to.iter_mut().zip(&v[start..]).for_each(|(t, &v)| *t = f64::from(v)),
            Values::F64(v) => to.copy_from_slice(&v[start..start + self.dim]),
            Values::Source(source) => source.read(replica, row, to).map_err(|reason| PairwiseError::Source {
                at: (replica, row),
                reason,
            })?,
        }
        Ok(())
    }

    /// Whether the numbers are f32, so that reading them as f32 loses nothing.
    pub fn is_f32(&self) -> bool {
        match self.values {
            Values::F32(_) => true,
            Values::F64(_) => false,
            Values::Source(source) => source.is_f32(),
        }
    }

    /// Checks that all numbers are finite and so small that the squared distance of two rows is below `largest` (the
    /// largest number of the precision in use).
    ///
    /// # Errors
    /// [`PairwiseError::NotFinite`], [`PairwiseError::Magnitude`], [`PairwiseError::Source`].
    pub fn check(&self, largest: f64) -> Result<(), PairwiseError> {
        // |x - y|^2 <= d (2 m)^2, and a factor 4 of room for what is added to it.
        let limit = 0.25 * (largest / self.dim as f64).sqrt();
        // NaN is at most nothing.
        let sound = |row: &[f64]| row.iter().fold(true, |sound, v| sound & (v.abs() <= limit));
        let rows = |start: usize| (start / self.dim / self.rows, start / self.dim % self.rows);
        match self.values {
            Values::F32(v) => {
                let limit_of_f32 = limit.min(f64::from(f32::MAX)) as f32;
                for (n, chunk) in v.chunks(self.dim).enumerate() {
                    if !chunk.iter().fold(true, |sound, v| sound & (v.abs() <= limit_of_f32)) {
                        let row: Vec<f64> = chunk.iter().map(|&v| f64::from(v)).collect();
                        return self.fault(rows(n * self.dim), &row, limit);
                    }
                }
            }
            Values::F64(v) => {
                for (n, chunk) in v.chunks(self.dim).enumerate() {
                    if !sound(chunk) {
                        return self.fault(rows(n * self.dim), chunk, limit);
                    }
                }
            }
            Values::Source(_) => {
                let mut row = vec![0.0; self.dim];
                for replica in 0..self.replicas {
                    for i in 0..self.rows {
                        self.row(replica, i, &mut row)?;
                        if !sound(&row) {
                            return self.fault((replica, i), &row, limit);
                        }
                    }
                }
            }
        }
        Ok(())
    }

    fn fault(&self, (replica, row): (usize, usize), values: &[f64], limit: f64) -> Result<(), PairwiseError> {
        for (column, &value) in values.iter().enumerate() {
            let at = (replica, row, column);
            if !value.is_finite() {
                return Err(PairwiseError::NotFinite { at, value });
            }
            if value.abs() > limit {
                return Err(PairwiseError::Magnitude { at, value, limit });
            }
        }
        Ok(())
    }
}

/// `x / |x|`, or 0 and a last coordinate of 1 for a zero row. The division by the largest first keeps squares in range.
#[cfg(any(feature = "pairwise", feature = "cuda"))]
pub(crate) fn normalize(row: &mut [f64], raw: usize) {
    let top = row[..raw].iter().fold(0.0f64, |top, x| top.max(x.abs()));
    if top == 0.0 {
        row[raw] = 1.0;
        return;
    }
    let norm = row[..raw].iter().map(|x| (x / top).powi(2)).sum::<f64>().sqrt();
    row[..raw].iter_mut().for_each(|x| *x = *x / top / norm);
    row[raw] = 0.0;
}

fn count(elements: usize, dim: usize) -> Result<usize, PairwiseError> {
    if !elements.is_multiple_of(dim) {
        return Err(PairwiseError::Length {
            what: "points",
            found: elements,
            expected: elements.next_multiple_of(dim),
        });
    }
    Ok(elements / dim)
}
