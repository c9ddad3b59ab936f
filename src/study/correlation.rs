//! How two lists of numbers go together.
//!
//! Pearson's r = sum (x - mx)(y - my) / sqrt(sum (x - mx)^2 sum (y - my)^2). Spearman's rho is Pearson's r of the ranks,
//! where equal numbers share the mean of their ranks (C. Spearman, Am. J. Psychol. 15, 1904).

/// Pearson's r; `None` for lists that differ in length, or of which one does not vary. A number that is not finite makes
/// it `None` too.
pub fn pearson(x: &[f64], y: &[f64]) -> Option<f64> {
    if x.len() != y.len() || x.is_empty() {
        return None;
    }
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (mx, my) = (mean(x), mean(y));
    let (mut xy, mut xx, mut yy) = (0.0, 0.0, 0.0);
    for (x, y) in x.iter().zip(y) {
        let (dx, dy) = (x - mx, y - my);
        xy += dx * dy;
        xx += dx * dx;
        yy += dy * dy;
    }
    let r = xy / (xx * yy).sqrt();
    // Rounding may leave it an ulp above 1.
    r.is_finite().then(|| r.clamp(-1.0, 1.0))
}

/// Spearman's rho; `None` as for [`pearson`].
pub fn spearman(x: &[f64], y: &[f64]) -> Option<f64> {
    if x.iter().chain(y).any(|v| v.is_nan()) {
        return None;
    }
    pearson(&ranks(x), &ranks(y))
}

/// Ranks from 1; equal numbers share the mean of theirs.
pub fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|&a, &b| values[a].total_cmp(&values[b]));
    let mut ranks = vec![0.0; values.len()];
    let mut before = 0;
    for same in order.chunk_by(|&a, &b| values[a] == values[b]) {
        // Ranks before + 1 to before + n, whose mean this is.
        let mean = before as f64 + (same.len() as f64 + 1.0) / 2.0;
        same.iter().for_each(|&n| ranks[n] = mean);
        before += same.len();
    }
    ranks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_values() {
        // x = 1..5, y = squares with one swap: sums by hand. mx = 3, my = 11; xy = 60, xx = 10, yy = 374.
        let (x, y) = ([1.0, 2.0, 3.0, 4.0, 5.0], [1.0, 4.0, 9.0, 16.0, 25.0]);
        assert!((pearson(&x, &y).unwrap() - 60.0 / 3740f64.sqrt()).abs() < 1e-15);
        assert_eq!(spearman(&x, &y), Some(1.0));
        assert_eq!(spearman(&x, &[25.0, 16.0, 9.0, 4.0, 1.0]), Some(-1.0));
        // Without ties rho = 1 - 6 sum d^2 / (n (n^2 - 1)): d = 0, 1, 1, 0, 0.
        let rho = spearman(&x, &[1.0, 9.0, 4.0, 16.0, 25.0]).unwrap();
        assert!((rho - (1.0 - 6.0 * 2.0 / 120.0)).abs() < 1e-15);
    }

    #[test]
    fn ties_share_their_ranks() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0, -0.0, 0.0]), [5.5, 3.0, 5.5, 4.0, 1.5, 1.5]);
        // Ranks 1.5 1.5 3 and 1 2.5 2.5: xy = 0.75, xx = yy = 1.5.
        assert!((spearman(&[1.0, 1.0, 2.0], &[1.0, 2.0, 2.0]).unwrap() - 0.5).abs() < 1e-15);
    }

    #[test]
    fn what_does_not_vary_has_no_correlation() {
        assert_eq!(pearson(&[1.0, 1.0], &[1.0, 2.0]), None);
        assert_eq!(pearson(&[], &[]), None);
        assert_eq!(pearson(&[1.0], &[1.0, 2.0]), None);
        assert_eq!(spearman(&[f64::NAN, 1.0], &[1.0, 2.0]), None);
    }
}
