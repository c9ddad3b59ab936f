//! Where a noisy curve turns for good: extrema from which it moves back by more than its error on both sides.

/// A place where a curve turns: its index, and whether it is a minimum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bend {
    /// Index.
    pub at: usize,
    /// Or a maximum.
    pub minimum: bool,
}

/// Where a curve turns for good: extrema from which it moves back by more than `threshold` on both sides. The ends do not
/// count; NaN is passed over.
pub fn bends(curve: &[f64], threshold: f64) -> Vec<Bend> {
    let mut bends = Vec::new();
    let mut places = (0..curve.len()).filter(|&n| curve[n].is_finite());
    let Some(first) = places.next() else { return bends };
    let (mut low, mut high) = (first, first);
    // Which way the curve is known to go: up, down, or not yet.
    let mut rising = None;
    for n in places {
        if curve[n] < curve[low] {
            low = n;
        }
        if curve[n] > curve[high] {
            high = n;
        }
        if rising != Some(true) && curve[n] > curve[low] + threshold {
            if rising == Some(false) {
                bends.push(Bend { at: low, minimum: true });
            }
            (rising, high) = (Some(true), n);
        } else if rising != Some(false) && curve[n] < curve[high] - threshold {
            if rising == Some(true) {
                bends.push(Bend {
                    at: high,
                    minimum: false,
                });
            }
            (rising, low) = (Some(false), n);
        }
    }
    bends
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_turns_where_it_moves_back_by_more_than_its_error() {
        let bend = |at, minimum| Bend { at, minimum };
        let curve = [5.0, 3.0, 1.0, 2.0, 4.0, 3.5, 4.1, 2.0, f64::NAN, 1.5];
        assert_eq!(bends(&curve, 0.9), [bend(2, true), bend(6, false)]);
        assert_eq!(bends(&curve, 10.0), []);
        assert_eq!(bends(&curve, 0.4).len(), 4);
        assert_eq!(bends(&[1.0, 1.0, 1.0], 0.0), []);
        assert_eq!(bends(&[1.0, 2.0, 3.0], 0.0), [], "ends do not count");
        assert_eq!(bends(&[], 0.0), []);
    }
}
