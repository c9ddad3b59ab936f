//! Thinning of a drawn curve: as few of its points as keep it within a stated distance of all of them.
//!
//! Source: D. H. Douglas and T. K. Peucker, "Algorithms for the reduction of the number of points required to
//! represent a digitized line or its caricature", Cartographica 10 (1973) 112, doi 10.3138/FM57-6770-U75U-7727.

/// A point on the drawing, in pixels.
pub type Pixel = (f64, f64);

/// The points to keep, in their order: the first, the last, and those without which some point would be farther than
/// `tolerance` from the drawn curve. A maximum or minimum of the curve thus never moves by more than `tolerance`.
pub fn thin(points: &[Pixel], tolerance: f64) -> Vec<Pixel> {
    let mut keep = vec![false; points.len()];
    if let Some(first) = keep.first_mut() {
        *first = true;
    }
    if let Some(last) = keep.last_mut() {
        *last = true;
    }
    // Stretches still to be looked at, by the indices of their ends: a list instead of recursion, whose depth data
    // could choose.
    let mut stretches = vec![(0, points.len().saturating_sub(1))];
    while let Some((first, last)) = stretches.pop() {
        let Some((&[start, ref between @ .., end], offset)) = points.get(first..=last).map(|part| (part, first + 1))
        else {
            continue;
        };
        let farthest = between
            .iter()
            .enumerate()
            .map(|(index, &point)| (offset + index, distance_to_segment(point, start, end)))
            .max_by(|a, b| a.1.total_cmp(&b.1));
        if let Some((index, distance)) = farthest
            && distance > tolerance
        {
            if let Some(kept) = keep.get_mut(index) {
                *kept = true;
            }
            stretches.push((first, index));
            stretches.push((index, last));
        }
    }
    points
        .iter()
        .zip(keep)
        .filter_map(|(&point, kept)| kept.then_some(point))
        .collect()
}

/// Distance of a point from the segment between two others.
fn distance_to_segment((x, y): Pixel, (x0, y0): Pixel, (x1, y1): Pixel) -> f64 {
    let (dx, dy) = (x1 - x0, y1 - y0);
    let squared = dx * dx + dy * dy;
    let along = if squared > 0.0 {
        (((x - x0) * dx + (y - y0) * dy) / squared).clamp(0.0, 1.0)
    } else {
        0.0
    };
    (x - x0 - along * dx).hypot(y - y0 - along * dy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_straight_needs_two_points() {
        let line: Vec<Pixel> = (0..100).map(|i| (f64::from(i), 2.0 * f64::from(i))).collect();
        // Every point is on the line to within the rounding of the projection, far below the tolerance.
        assert_eq!(thin(&line, 1e-9), [(0.0, 0.0), (99.0, 198.0)]);
        assert_eq!(thin(&[], 1.0), []);
        assert_eq!(thin(&[(1.0, 2.0)], 1.0), [(1.0, 2.0)]);
        assert_eq!(thin(&[(1.0, 2.0), (1.0, 2.0)], 1.0), [(1.0, 2.0), (1.0, 2.0)]);
    }

    #[test]
    fn no_point_is_farther_from_the_thinned_curve_than_the_tolerance() {
        let curve: Vec<Pixel> = (0..2000)
            .map(|i| f64::from(i) / 10.0)
            .map(|x| (x, 40.0 * (x / 17.0).sin() + (7.0 * x).sin()))
            .collect();
        for tolerance in [0.1, 0.5, 3.0] {
            let kept = thin(&curve, tolerance);
            assert!(kept.len() < curve.len() / 2 + 2 || tolerance < 0.2);
            for &point in &curve {
                let nearest = kept
                    .windows(2)
                    .map(|pair| distance_to_segment(point, pair[0], pair[1]))
                    .fold(f64::INFINITY, f64::min);
                assert!(nearest <= tolerance, "{nearest} > {tolerance}");
            }
        }
    }
}
