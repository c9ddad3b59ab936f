//! Rows of samples without their commonest numbers.
//!
//! Most pixels are zero. Standardised per pixel they are no longer, but they still are the same number in their column:
//! x_ij = c_j + s_j k_ij, where c_j is the commonest number of column j and k_ij is exactly 0 wherever x_ij = c_j. What is
//! kept is c, s (see `codes`; 1 for samples that are no bytes) and the k that are not 0, tile by tile, twice: by rows for the
//! forward product and by columns for the gradient of the weights.

use std::sync::OnceLock;

use super::super::isa::Isa;
use super::super::pool::Pool;
use super::codes::{self, Values};
use super::grouping::{GROUP, Sets};
use super::weighted_rows::{AHEAD, Lists, MOST_ROWS, SCALE};

/// Rows that are looked at to guess what is common.
const SAMPLE: usize = 255;

/// Largest share of the samples that are entries of groups (see `grouping`) for which skipping pays. `disentangle bench
/// --filter "8192 x 784 x 20"` times both ways on rings, of which a quarter are entries.
const MOST_DENSE: f64 = 0.6;

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
    /// s: per column.
    pub scales: Vec<f64>,
    tiles: Vec<CompressedTile>,
    /// Rows of every tile but the last.
    tile_rows: usize,
}

impl Compressed {
    /// Rows `[rows, cols]` in tiles of `tile_rows`, if skipping zeros pays. It depends on the numbers alone, so that the
    /// same samples are always treated the same way.
    pub fn new(isa: Isa, pool: &Pool, values: &[f64], cols: usize, tile_rows: usize) -> Option<Compressed> {
        if cols.max(tile_rows) > MOST_ROWS {
            return None;
        }
        let offsets = commonest(values, cols);
        let of_row = |row: &[f64]| row.iter().zip(&offsets).filter(|(x, c)| x != c).count();
        let kept: usize = values.chunks_exact(cols).map(of_row).sum();
        // A group has at least the entries of its longest list, and so of the mean.
        let most = MOST_DENSE * values.len() as f64;
        if kept as f64 > most {
            return None;
        }
        let scales = codes::scales(values, &offsets);
        let parts: Vec<_> = values
            .chunks(tile_rows * cols)
            .map(|tile| (tile, OnceLock::new()))
            .collect();
        pool.run(parts.len(), &|_, n| {
            let (tile, compressed) = &parts[n];
            compressed.get_or_init(|| CompressedTile::new(isa, tile, &offsets, scales.as_deref()));
        });
        // `run` comes back when every part has been compressed, so none is left out.
        let tiles: Vec<CompressedTile> = parts.into_iter().filter_map(|(_, tile)| tile.into_inner()).collect();
        let entries: usize = tiles
            .iter()
            .map(|tile| tile.rows.entries() + tile.columns.entries())
            .sum();
        if (entries * GROUP) as f64 / 2.0 > most {
            return None;
        }
        Some(Compressed {
            scales: scales.unwrap_or_else(|| vec![1.0; cols]),
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
    fn new(isa: Isa, values: &[f64], offsets: &[f64], scales: Option<&[f64]>) -> CompressedTile {
        let cols = offsets.len();
        let kept = |i: usize, j: usize| values[i * cols + j] != offsets[j];
        let value = |i: usize, j: usize| {
            let r = values[i * cols + j] - offsets[j];
            scales.map_or(r, |s| (r / s[j]).round())
        };
        let rows = values.len() / cols;
        let kept_of_column = |j: usize, i: usize| j == cols || kept(i, j);
        let value_of_column = |j: usize, i: usize| if j == cols { 1.0 } else { value(i, j) };
        CompressedTile {
            rows: lists(isa, (rows, cols), scales.is_some(), kept, value),
            columns: lists(isa, (cols + 1, rows), scales.is_some(), kept_of_column, value_of_column),
        }
    }
}

/// `count` lists of the positions below `length` that are `kept`, in groups.
fn lists(
    isa: Isa,
    (count, length): (usize, usize),
    codes: bool,
    kept: impl Fn(usize, usize) -> bool,
    value: impl Fn(usize, usize) -> f64,
) -> Lists {
    let mut sets = Sets::new(count, length);
    for list in 0..count {
        (0..length)
            .filter(|&position| kept(list, position))
            .for_each(|position| sets.insert(list, position));
    }
    let order = sets.groups(isa);
    let unions: Vec<_> = order.chunks(GROUP).map(|group| (group, sets.union(group))).collect();
    let ends = unions.iter().scan(0, |end, (_, union)| {
        *end += union.len() as u32;
        Some(*end)
    });
    let entry = |group: &[u16], position: usize| {
        let own = |list: &&u16| kept(usize::from(**list), position);
        let of = |q: usize| group.get(q).filter(own).map(|&list| value(usize::from(list), position));
        std::array::from_fn(|q| of(q).unwrap_or(0.0))
    };
    let entries = unions
        .iter()
        .flat_map(|(group, union)| union.iter().map(|&position| entry(group, position)));
    Lists {
        starts: std::iter::once(0).chain(ends).collect(),
        indices: unions
            .iter()
            .flat_map(|(_, union)| union.iter().map(|position| (position * SCALE) as u16))
            .chain([0; AHEAD])
            .collect(),
        values: Values::new(codes, entries),
        order,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compressed(values: &[f64], cols: usize, tile_rows: usize) -> Option<Compressed> {
        Compressed::new(Isa::detect(), &Pool::new(2).unwrap(), values, cols, tile_rows)
    }

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
        let compressed = compressed(&values, 5, 256).unwrap();
        assert_eq!(compressed.offsets, [0.0, -0.25, 7.0, 7.0, 1.0]);
        assert_eq!(compressed.tiles.len(), 3);
        let mut room = [[0.0; GROUP]; 256];
        let (mut by_rows, mut by_columns) = (vec![0.0; values.len()], vec![0.0; values.len()]);
        for (t, tile) in compressed.tiles.iter().enumerate() {
            for (orders, by_row) in [(&mut by_rows, true), (&mut by_columns, false)] {
                let lists = if by_row { &tile.rows } else { &tile.columns };
                for (group, ends) in lists.order.chunks(GROUP).zip(lists.starts.windows(2)) {
                    let entries = ends[0] as usize..ends[1] as usize;
                    let indices = &lists.indices[entries.clone()];
                    let decoded = lists.values.decode(Isa::Portable, entries, &mut room);
                    for (q, &list) in group.iter().enumerate() {
                        let list = usize::from(list);
                        let values = decoded.iter().map(|values| values[q]);
                        let own = || {
                            indices
                                .iter()
                                .map(|&index| usize::from(index) / SCALE)
                                .zip(values.clone())
                        };
                        if !by_row && list == 5 {
                            assert_eq!(own().map(|(_, one)| one).sum::<f32>(), [256.0, 256.0, 88.0][t]);
                            continue;
                        }
                        for (index, value) in own() {
                            let (i, j) = if by_row { (list, index) } else { (index, list) };
                            orders[(t * 256 + i) * 5 + j] += f64::from(value);
                        }
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
        assert!(compressed(&distinct, 10, 256).is_none());
        // The first columns of 96 and the one of ones: by rows 52 / 96 and 64 / 96, by columns 14 and 17 groups of four.
        let share = |kept: usize| -> Vec<f64> {
            (0..96 * 96)
                .map(|n| if n % 96 < kept { n as f64 + 1.0 } else { 0.0 })
                .collect()
        };
        assert!(compressed(&share(52), 96, 256).is_some());
        assert!(compressed(&share(64), 96, 256).is_none());
        assert!(compressed(&vec![0.0; 8193], 8193, 256).is_none());
    }
}
