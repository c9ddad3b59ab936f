//! Thinning of a drawn curve: as few of its points as keep it within a stated distance of all of them.
//!
//! Source: D. H. Douglas and T. K. Peucker, "Algorithms for the reduction of the number of points required to
//! represent a digitized line or its caricature", Cartographica 10 (1973) 112, doi 10.3138/FM57-6770-U75U-7727.

/// A point on the drawing, in pixels.
pub type Pixel = (f64, f64);

/// Points that are thinned together. The search takes up to the square of their number, when hardly a point can go.
const STRETCH: usize = 256;

/// The points to keep, in their order: the first, the last, every 256th, and those without which some point
/// would be farther than `tolerance` from the drawn curve. A maximum or minimum of the curve thus never moves by more
/// than `tolerance`.
pub fn thin(points: &[Pixel], tolerance: f64) -> Vec<Pixel> {
    let last = points.len().saturating_sub(1);
    let mut keep: Vec<bool> = (0..points.len())
        .map(|index| index % STRETCH == 0 || index == last)
        .collect();
    // Stretches still to be looked at, by the indices of their ends: a list instead of recursion, whose depth data
    // could choose.
    let mut stretches: Vec<(usize, usize)> = (0..last)
        .step_by(STRETCH)
        .map(|first| (first, last.min(first + STRETCH)))
        .collect();
    while let Some((first, last)) = stretches.pop() {
        let Some(&[start, ref between @ .., end]) = points.get(first..=last) else {
            continue;
        };
        let segment = Segment::new(start, end);
        let mut farthest = (0, tolerance * tolerance);
        for (index, &point) in between.iter().enumerate() {
            let squared = segment.squared_distance(point);
            if squared > farthest.1 {
                farthest = (first + 1 + index, squared);
            }
        }
        if let (index @ 1.., _) = farthest {
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

/// What is drawn between two points.
struct Segment {
    start: Pixel,
    direction: Pixel,
    /// One over its squared length; zero if it has none.
    inverse: f64,
}

impl Segment {
    fn new(start: Pixel, end: Pixel) -> Self {
        let direction = (end.0 - start.0, end.1 - start.1);
        let squared = direction.0 * direction.0 + direction.1 * direction.1;
        let inverse = if squared > 0.0 { 1.0 / squared } else { 0.0 };
        Self {
            start,
            direction,
            inverse,
        }
    }

    fn squared_distance(&self, (x, y): Pixel) -> f64 {
        let (x, y) = (x - self.start.0, y - self.start.1);
        let along = ((x * self.direction.0 + y * self.direction.1) * self.inverse).clamp(0.0, 1.0);
        let (x, y) = (x - along * self.direction.0, y - along * self.direction.1);
        x * x + y * y
    }
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
                    .map(|pair| Segment::new(pair[0], pair[1]).squared_distance(point))
                    .fold(f64::INFINITY, f64::min);
                // The same arithmetic judged them, so that no rounding comes between.
                assert!(nearest <= tolerance * tolerance, "{nearest} > {tolerance} squared");
            }
        }
    }
}
