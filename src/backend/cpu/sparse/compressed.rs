//! Rows of samples without their commonest numbers.
//!
//! Most pixels are zero. Standardised per pixel they are no longer, but they still are the same number in their column:
//! x_ij = c_j + r_ij, where c_j is the commonest number of column j and r_ij is exactly 0 wherever x_ij = c_j. What is
//! kept is c and the r that are not 0, tile by tile, twice: by rows for the forward product and by columns for the
//! gradient of the weights.

use super::weighted_rows::{CHAINS, Lists, MOST_ROWS, SCALE};

/// Rows that are looked at to guess what is common.
const SAMPLE: usize = 255;

/// Largest share of r that is not 0 for which skipping pays. A pair (index, value) costs as much as about two and a half
/// numbers of a dense product with 20 units, and less beside more units.
const MOST_DENSE: f64 = 0.4;

/// A tile of rows.
pub(super) struct CompressedTile {
    /// For row i the columns and values.
    pub rows: Lists,
    /// For column j the rows (counted from the tile's first) and values; and one more column, which is 1 in every row.
    pub columns: Lists,
}

/// All rows.
pub(super) struct Compressed {
    /// c: per column. 0 where it is the commonest number.
    pub offsets: Vec<f64>,
    pub tiles: Vec<CompressedTile>,
    /// Rows of every tile but the last.
    tile_rows: usize,
}

impl Compressed {
    /// Rows `[rows, cols]` in tiles of `tile_rows`, if skipping zeros pays. It depends on the numbers alone, so that the
    /// same samples are always treated the same way.
    pub fn new(values: &[f64], cols: usize, tile_rows: usize) -> Option<Compressed> {
        if cols.max(tile_rows) > MOST_ROWS {
            return None;
        }
        let offsets = commonest(values, cols);
        let kept = values
            .chunks_exact(cols)
            .map(|row| row.iter().zip(&offsets).filter(|(x, c)| x != c).count())
            .sum::<usize>();
        if kept as f64 > MOST_DENSE * values.len() as f64 {
            return None;
        }
        let tiles = values
            .chunks(tile_rows * cols)
            .map(|tile| CompressedTile::new(tile, &offsets))
            .collect();
        Some(Compressed {
            offsets,
            tiles,
            tile_rows,
        })
    }

    /// The tile that begins with row `first`.
    pub fn tile(&self, first: usize) -> &CompressedTile {
        &self.tiles[first / self.tile_rows]
    }
}

/// The commonest finite number of each column in a sample of the rows; 0 if none is twice there.
fn commonest(values: &[f64], cols: usize) -> Vec<f64> {
    let rows = values.len() / cols;
    let sampled = rows.min(SAMPLE);
    let mut column = Vec::with_capacity(sampled);
    let of_column = |j: usize| {
        column.clear();
        column.extend((0..sampled).map(|n| values[(n * rows / sampled) * cols + j]));
        column.retain(|x| x.is_finite());
        column.sort_unstable_by(f64::total_cmp);
        let runs = column.chunk_by(|a, b| a == b);
        let longest = runs.max_by_key(|run| run.len()).filter(|run| run.len() > 1);
        longest.map_or(0.0, |run| run[0])
    };
    (0..cols).map(of_column).collect()
}

impl CompressedTile {
    fn new(values: &[f64], offsets: &[f64]) -> CompressedTile {
        let cols = offsets.len();
        // What is not skipped is rounded once, like every sample.
        let kept = |i: usize, j: usize| {
            let (x, c) = (values[i * cols + j], offsets[j]);
            (x != c).then_some((x - c) as f32)
        };
        let rows = values.len() / cols;
        CompressedTile {
            rows: lists(rows, cols, kept),
            columns: lists(cols + 1, rows, |j, i| if j < cols { kept(i, j) } else { Some(1.0) }),
        }
    }
}

/// For each of `count` lists the positions below `length` where `kept` has a value.
fn lists(count: usize, length: usize, kept: impl Fn(usize, usize) -> Option<f32>) -> Lists {
    let (mut starts, mut indices, mut values) = (vec![0], Vec::new(), Vec::new());
    for list in 0..count {
        for position in 0..length {
            if let Some(value) = kept(list, position) {
                indices.push((position * SCALE) as u16);
                values.push(value);
            }
        }
        // Whole groups for the kernel: zero times a row that the list already names.
        while !indices.len().is_multiple_of(CHAINS) {
            indices.push(indices[indices.len() - 1]);
            values.push(0.0);
        }
        starts.push(indices.len() as u32);
    }
    Lists {
        starts,
        indices,
        values,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 600 rows of 5 columns: the commonest numbers are 0, -0.25, 7, none, and 1 with an infinity and a NaN between.
    fn samples() -> Vec<f64> {
        let row = |i: usize| {
            let rare = i % 3 == 1;
            let x = i as f64;
            [
                if rare { x } else { 0.0 },
                if rare { x + 0.5 } else { -0.25 },
                if i.is_multiple_of(7) { -x } else { 7.0 },
                7.0 + f64::from(i.is_multiple_of(5)),
                match i {
                    3 => f64::INFINITY,
                    4 => f64::NAN,
                    _ => 1.0,
                },
            ]
        };
        (0..600).flat_map(row).collect()
    }

    #[test]
    fn both_orders_give_the_samples_back() {
        let values = samples();
        let compressed = Compressed::new(&values, 5, 256).unwrap();
        assert_eq!(compressed.offsets, [0.0, -0.25, 7.0, 7.0, 1.0]);
        assert_eq!(compressed.tiles.len(), 3);
        let (mut by_rows, mut by_columns) = (vec![0.0; values.len()], vec![0.0; values.len()]);
        for (t, tile) in compressed.tiles.iter().enumerate() {
            for (orders, by_row) in [(&mut by_rows, true), (&mut by_columns, false)] {
                let lists = if by_row { &tile.rows } else { &tile.columns };
                for (list, ends) in lists.starts.windows(2).enumerate() {
                    assert_eq!((ends[1] - ends[0]) as usize % CHAINS, 0);
                    if !by_row && list == 5 {
                        let ones: f32 = lists.values[ends[0] as usize..ends[1] as usize].iter().sum();
                        assert_eq!(ones, [256.0, 256.0, 88.0][t]);
                        continue;
                    }
                    for p in ends[0] as usize..ends[1] as usize {
                        let index = usize::from(lists.indices[p]) / SCALE;
                        let (i, j) = if by_row { (list, index) } else { (index, list) };
                        orders[(t * 256 + i) * 5 + j] += f64::from(lists.values[p]);
                    }
                }
            }
        }
        for back in [by_rows, by_columns] {
            for (n, (&back, &x)) in back.iter().zip(&values).enumerate() {
                let c = compressed.offsets[n % 5];
                // One rounding of x - c to f32.
                let exact = x - c;
                let same = back == exact || (back - exact).abs() <= exact.abs() * f64::from(f32::EPSILON) / 2.0;
                assert!(same || (back.is_nan() && x.is_nan()), "{n}: {back} for {x} - {c}");
            }
        }
    }

    #[test]
    fn dense_rows_and_too_many_columns_are_left_alone() {
        let distinct: Vec<f64> = (0..1000).map(f64::from).collect();
        assert!(Compressed::new(&distinct, 10, 256).is_none());
        // 41 of 100 kept is too many, 40 is not.
        let share =
            |kept: usize| -> Vec<f64> { (0..100).map(|n| if n < kept { n as f64 + 1.0 } else { 0.0 }).collect() };
        assert!(Compressed::new(&share(41), 1, 256).is_none());
        assert!(Compressed::new(&share(40), 1, 256).is_some());
        assert!(Compressed::new(&vec![0.0; 8193], 8193, 256).is_none());
    }
}
