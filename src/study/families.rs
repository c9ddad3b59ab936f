//! Which metric columns belong together, and what they are called for people.

use super::outcome::InversionOutcome;
use crate::geometry::{Arity, METRICS};

/// Name of a figure that every run has.
pub const ERROR: &str = "error";
/// The other of them.
pub const LOSS: &str = "loss";
/// Name of the family of the radii.
pub const GYRATION_RADIUS: &str = "gyration-radius";
/// Name of the family of the distances between class centroids.
pub const CENTROID_DISTANCE: &str = "centroid-distance";

/// The quantities that share a figure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Family {
    /// `gyration-radius`, `centroid-distance`, or the name of another metric's column.
    pub name: String,
    /// For people: `Gyration radius`.
    pub title: String,
    /// Index of each metric column in it, and its label in the legend.
    pub columns: Vec<(usize, String)>,
}

/// Groups the metric columns: all radii, all centroid distances, every other metric by itself.
pub fn families(outcome: &InversionOutcome) -> Vec<Family> {
    let mut families: Vec<Family> = Vec::new();
    for (index, column) in outcome.columns.iter().enumerate() {
        let (name, title, label) = describe(&column.name, &outcome.classes);
        match families.iter_mut().find(|family| family.name == name) {
            Some(family) => family.columns.push((index, label)),
            None => families.push(Family {
                name,
                title,
                columns: vec![(index, label)],
            }),
        }
    }
    families
}

/// Family, title of the family and label of a metric column.
fn describe(column: &str, classes: &[String]) -> (String, String, String) {
    let class = |index: &str| {
        index
            .parse()
            .ok()
            .and_then(|index: usize| classes.get(index))
            .map(String::as_str)
    };
    if let Some(label) = column.strip_prefix("gyration_radius_").and_then(class) {
        return (GYRATION_RADIUS.into(), "Gyration radius".into(), label.into());
    }
    let pair = column
        .strip_prefix("centroid_distance_")
        .and_then(|pair| pair.split_once('_'));
    if let Some((a, b)) = pair.and_then(|(a, b)| class(a).zip(class(b))) {
        return (
            CENTROID_DISTANCE.into(),
            "Distance between class centroids".into(),
            format!("{a} – {b}"),
        );
    }
    let words = column.replace('_', " ");
    if let Some((name, keys)) = of_metric(column) {
        let classes: Option<Vec<&str>> = keys.split('_').map(class).collect();
        let label = classes.map_or_else(|| keys.replace('_', " "), |classes| classes.join(" – "));
        return (name.into(), capital(&name.replace('-', " ")), label);
    }
    let title = capital(&words);
    let plain = |letter: char| if letter.is_ascii_alphanumeric() { letter } else { '-' };
    let file: String = column.chars().map(plain).collect();
    // A metric of that name would overwrite a figure that every run has.
    let file = if [ERROR, LOSS].contains(&file.as_str()) {
        format!("metric-{file}")
    } else {
        file
    };
    (file, title, words)
}

/// The metric of several values whose column this is, and the rest of its name: `class_distance_0_1` is `0_1` of `class-distance`.
fn of_metric(column: &str) -> Option<(&'static str, &str)> {
    METRICS
        .iter()
        .filter(|metric| metric.arity != Arity::One)
        .find_map(|metric| {
            let keys = column.strip_prefix(&metric.name.replace('-', "_"))?.strip_prefix('_')?;
            Some((metric.name, keys))
        })
}

fn capital(words: &str) -> String {
    let mut letters = words.chars();
    let first = letters.next();
    first.map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

/// A metric column for people: `gyration_radius_0` as `gyration radius, even`, `centroid_distance_0_1` as
/// `centroid distance, even – odd`.
pub fn column_name(column: &str, classes: &[String]) -> String {
    let (family, _, label) = describe(column, classes);
    match family.as_str() {
        GYRATION_RADIUS => format!("gyration radius, {label}"),
        CENTROID_DISTANCE => format!("centroid distance, {label}"),
        name if of_metric(column).is_some() => format!("{}, {label}", name.replace('-', " ")),
        _ => label,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_named_by_their_classes() {
        let classes = ["even".to_owned(), "odd".to_owned()];
        assert_eq!(column_name("gyration_radius_1", &classes), "gyration radius, odd");
        assert_eq!(
            column_name("centroid_distance_0_1", &classes),
            "centroid distance, even – odd"
        );
        assert_eq!(
            column_name("class_distance_0_1", &classes),
            "class distance, even – odd"
        );
        assert_eq!(column_name("nc2_angles", &classes), "nc2, angles");
        assert_eq!(column_name("participation_ratio", &classes), "participation ratio");
    }

    #[test]
    fn no_metric_takes_the_file_of_another_figure() {
        let name = |column| describe(column, &[]).0;
        assert_eq!(name("loss"), "metric-loss");
        assert_eq!(name("../error"), "---error");
        assert_eq!(name("participation_ratio"), "participation-ratio");
    }
}
