//! Neighbourhood overlap: how much of a point's neighbourhood is of its class, or is the same in another representation.
//!
//! ```text
//!   chi(labels) = 1/N sum_i 1/k #{ j among the k nearest of i : y_j = y_i }
//!   chi(A, B)   = 1/N sum_i 1/k #{ j among the k nearest of i in A and in B }
//! ```
//! D. Doimo, A. Glielmo, A. Ansuini and A. Laio, NeurIPS 2020 (arXiv 2007.03506), eq. 1 and 3. Between 0 and 1, no unit. A point is not its own
//! neighbour; ties go to the lowest row. By chance the second is k / (N - 1).
//!
//! ```
//! use disentangle::geometry::neighborhood_overlap::{data_overlap, label_overlap};
//!
//! // Classes of two neighbours of each of four rows: the nearer is of the row's class, the other is not.
//! let neighbors = [0, 1, 0, 1, 1, 0, 1, 0];
//! assert_eq!(label_overlap(&neighbors, 2, 1, &[0, 0, 1, 1]), 1.0);
//! assert_eq!(label_overlap(&neighbors, 2, 2, &[0, 0, 1, 1]), 0.5);
//! // Rows 1 and 2 are near row 0 in both, in another order; of the neighbours of row 1 only row 3 is shared.
//! let (a, b) = ([1, 2, 0, 3], [2, 1, 3, 2]);
//! assert_eq!(data_overlap(&a, &b, 2, 1), 0.0);
//! assert_eq!(data_overlap(&a, &b, 2, 2), 3.0 / 4.0);
//! ```

/// chi of the labels of `neighbors` `[N, stored]`, of which the first `k` count, with the labels of the rows. NaN unless 1 <= k <= stored.
pub fn label_overlap(neighbors: &[u32], stored: usize, k: usize, labels: &[u32]) -> f64 {
    if !(1..=stored).contains(&k) {
        return f64::NAN;
    }
    let same = |(row, label): (&[u32], &u32)| row[..k].iter().filter(|other| *other == label).count();
    let shared: usize = neighbors.chunks_exact(stored).zip(labels).map(same).sum();
    shared as f64 / (k * labels.len()) as f64
}

/// chi of the neighbours in two representations, `[N, stored]` each. NaN unless 1 <= k <= stored.
pub fn data_overlap(a: &[u32], b: &[u32], stored: usize, k: usize) -> f64 {
    if !(1..=stored).contains(&k) {
        return f64::NAN;
    }
    let rows = a.len() / stored;
    let mut shared = 0;
    for (own, other) in a.chunks_exact(stored).zip(b.chunks_exact(stored)) {
        let mut other = other[..k].to_vec();
        other.sort_unstable();
        shared += own[..k].iter().filter(|j| other.binary_search(j).is_ok()).count();
    }
    shared as f64 / (k * rows) as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_cases_by_hand() {
        // Labels of the neighbours of three points, of which two count.
        assert_eq!(label_overlap(&[0, 1, 0, 1, 1, 0, 0, 0, 1], 3, 2, &[0, 1, 1]), 0.5);
        assert_eq!(data_overlap(&[1, 2, 9, 0, 2, 9], &[2, 3, 9, 2, 0, 9], 3, 2), 0.75);
        assert_eq!(data_overlap(&[1, 2], &[3, 4], 2, 2), 0.0);
    }
}
