//! Help that fits a screen.

use super::{Place, stderr, stdout};

#[test]
fn no_arguments_print_help_that_fits_a_screen() {
    let place = Place::new();
    let output = place.run(&[]);
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
    let text = stdout(&output);
    assert!(text.lines().count() <= 24, "{text}");
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
    assert!(text.contains("inversion") && text.contains("report.html"), "{text}");
    assert_eq!(stdout(&place.run(&["--help"])), text);
}

#[test]
fn the_options_are_in_groups_and_100_columns() {
    let output = Place::new().run(&["inversion", "--help"]);
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
    let text = stdout(&output);
    assert!(text.lines().all(|line| line.chars().count() <= 100), "{text}");
    let headings: Vec<&str> = text
        .lines()
        .filter(|line| line.ends_with(':') && !line.starts_with(' '))
        .collect();
    assert_eq!(
        headings,
        ["Options:", "Data:", "Network:", "Training:", "Measurement:", "Run:"]
    );
}

#[test]
fn the_version_is_that_of_the_package() {
    let output = Place::new().run(&["--version"]);
    assert_eq!(stdout(&output), format!("disentangle {}\n", env!("CARGO_PKG_VERSION")));
}
