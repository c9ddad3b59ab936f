//! The report of a run as its reader meets it: files in a folder.
#![cfg(feature = "cli")]

mod report_support;

use std::fs;
use std::path::Path;

use disentangle::data::Images;
use disentangle::report::{Exhibits, ReportError, RunFacts, read_outcome, write_run, write_run_with};
use disentangle::study::movie::{Axis, Frame, Movie, Plane, Point};
use disentangle::study::outcome::{
    EpochRecord, Extremum, InversionOutcome, MetricColumn, ReplicaOutcome, Stop, Straggler, Turn,
};
use proptest::prelude::*;
use report_support::{facts, inverting, monotonic};
use serde_json::{Value, json};

fn written(outcome: &InversionOutcome, facts: &RunFacts) -> (tempfile::TempDir, String) {
    let folder = tempfile::tempdir().unwrap();
    let page = write_run(folder.path(), outcome, facts).unwrap();
    let html = fs::read_to_string(page).unwrap();
    (folder, html)
}

fn names_in(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// Inline figures of a page.
fn figures_in(html: &str) -> Vec<&str> {
    html.split("<svg ")
        .skip(1)
        .map(|rest| rest.split("</svg>").next().unwrap())
        .collect()
}

/// Reads a page as XML, which its body is but for the elements that HTML leaves open.
fn assert_well_formed(html: &str) {
    let body = html.split_once("<body>").unwrap().1.split_once("</body>").unwrap().0;
    let closed: String = body
        .split('<')
        .map(|part| {
            let open = part.starts_with("input ");
            if open {
                part.replacen('>', "/>", 1).replace(" checked", " checked=\"\"")
            } else {
                part.to_owned()
            }
        })
        .collect::<Vec<_>>()
        .join("<");
    if let Err(error) = roxmltree::Document::parse(&format!("<body>{closed}</body>")) {
        panic!("{error}");
    }
}

#[test]
fn a_run_has_its_tables_figures_and_page() {
    let (folder, html) = written(&inverting(16, 500), &facts());
    assert_eq!(
        names_in(folder.path()),
        ["epochs.csv", "figures", "report.html", "stragglers.csv", "summary.json"]
    );
    let drawings = folder.path().join("figures");
    assert_eq!(
        names_in(&drawings),
        [
            "centroid-distance-by-epoch.svg",
            "centroid-distance-by-error.svg",
            "error-by-epoch.svg",
            "error-by-error.svg",
            "gyration-radius-by-epoch.svg",
            "gyration-radius-by-error.svg",
            "loss-by-epoch.svg",
            "loss-by-error.svg",
        ]
    );
    for name in names_in(&drawings) {
        let svg = fs::read_to_string(drawings.join(&name)).unwrap();
        let document = roxmltree::Document::parse(&svg).unwrap();
        let root = document.root_element();
        assert_eq!(root.tag_name().name(), "svg", "{name}");
        assert_eq!(
            root.tag_name().namespace(),
            Some("http://www.w3.org/2000/svg"),
            "{name}"
        );
        assert!(root.attribute("viewBox").is_some(), "{name}");
        // No colour is left that the dark mode would not change.
        assert!(
            document.descendants().all(|node| node.attribute("fill").is_none()),
            "{name}"
        );
        assert!(
            document.descendants().all(|node| node.attribute("stroke").is_none()),
            "{name}"
        );
        assert!(
            document
                .descendants()
                .all(|node| node.attribute("class").is_none_or(|class| !class.ends_with(' ')))
        );
        assert!(svg.len() < 155_000, "{name}: {} bytes", svg.len());
    }
    assert_eq!(figures_in(&html).len(), 8);
    assert_well_formed(&html);
    assert!(html.len() < 3_000_000, "{} bytes", html.len());
}

#[test]
fn the_page_says_what_was_found() {
    let (_folder, html) = written(&inverting(16, 500), &facts());
    assert!(
        html.contains("16 of 16 replicas invert; mean training error at the inversion 0.0"),
        "{}",
        &html[..9000]
    );
    assert!(html.contains(" stragglers each."));
    assert!(html.contains("All 3 quantities turn in 16 of 16."));
    assert!(html.contains("<th scope=\"row\">Gyration radius, even</th><td>minimum</td>"));
    assert!(html.contains("<th scope=\"row\">Centroid distance, even – odd</th><td>maximum</td>"));
    assert!(html.contains("<span>disentangle inversion</span> <span>--data data/mnist"));
    assert!(html.contains("training error, decreasing"));

    let (_folder, html) = written(&monotonic(16, 300), &facts());
    assert!(html.contains("No inversion was found: no quantity turns and comes back in any of 16 replicas."));
    assert!(html.contains("<dt>Replicas that invert</dt><dd>0 of 16</dd>"));
    assert!(!html.contains("NaN") && !html.contains("inf<"));
    assert_well_formed(&html);
}

#[test]
fn the_page_loads_nothing_and_hostile_words_stay_words() {
    let hostile = "<script>alert(\"x\")</script>&'\u{1}";
    let mut outcome = inverting(2, 60);
    outcome.classes = vec![hostile.into(), "b".into()];
    outcome.columns[2].name = "<b>metric".into();
    let facts = RunFacts {
        title: hostile.into(),
        command: hostile.into(),
        configuration: vec![(hostile.into(), hostile.into())],
        data: hostile.into(),
        device: hostile.into(),
        seconds: f64::NAN,
        underway: None,
    };
    let (folder, html) = written(&outcome, &facts);
    assert!(!html.contains("<script") && !html.contains("<b>"));
    assert!(html.contains("&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt;&amp;&#39;"));
    for loading in [
        "http:", "https:", "src=", "@import", "url(", "<link", "<iframe", "<img", "xlink",
    ] {
        assert!(!html.contains(loading), "{loading}");
    }
    assert!(html.contains("default-src 'none'"));
    assert_well_formed(&html);
    for name in names_in(&folder.path().join("figures")) {
        assert!(
            name.bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte)),
            "{name}"
        );
        roxmltree::Document::parse(&fs::read_to_string(folder.path().join("figures").join(name)).unwrap()).unwrap();
    }
}

#[test]
fn many_classes_and_many_replicas_stay_below_the_limit() {
    let classes = 10;
    let mut outcome = inverting(64, 500);
    let radii = (0..classes).map(|a| format!("gyration_radius_{a}"));
    let pairs = (0..classes).flat_map(|a| (a + 1..classes).map(move |b| format!("centroid_distance_{a}_{b}")));
    outcome.columns = radii
        .chain(pairs)
        .map(|name| MetricColumn {
            turn: Turn::usual(&name),
            name,
        })
        .collect();
    outcome.classes = (0..classes).map(|class| format!("digit {class}")).collect();
    let columns = outcome.columns.len();
    for replica in &mut outcome.replicas {
        replica.extrema = (0..columns).map(|column| replica.extrema[column % 3]).collect();
        for record in &mut replica.records {
            record.metrics = (0..columns)
                .map(|column| record.metrics[column % 3] + 0.01 * column as f64)
                .collect();
        }
    }
    let (_folder, html) = written(&outcome, &facts());
    assert!(html.len() < 3_000_000, "{} bytes", html.len());
    assert!(figures_in(&html).iter().all(|figure| figure.len() < 155_000));
    assert!(html.contains("48 of 64 replicas are drawn"));
    assert!(html.contains("each of 45 curves"));
    assert_well_formed(&html);
}

#[test]
fn jagged_curves_are_thinned_to_the_budget_and_the_page_says_so() {
    let mut outcome = inverting(48, 1000);
    for (salt, replica) in outcome.replicas.iter_mut().enumerate() {
        for (epoch, record) in replica.records.iter_mut().enumerate() {
            let jag = if (epoch * 7 + salt * 13) % 5 < 2 { 0.05 } else { -0.03 };
            record.metrics.iter_mut().for_each(|value| *value += jag);
        }
    }
    let (_folder, html) = written(&outcome, &facts());
    assert!(html.contains("Curves of replicas are thinned: none is off by more than"));
    assert!(figures_in(&html).iter().all(|figure| figure.len() < 155_000));
    assert!(html.len() < 3_000_000, "{} bytes", html.len());
}

#[test]
fn odd_outcomes_make_a_page_too() {
    let mut diverged = inverting(3, 40);
    for (index, record) in diverged.replicas[1].records.iter_mut().enumerate().skip(5) {
        record.train_loss = [f64::NAN, f64::INFINITY, f64::MAX, -f64::MAX][index % 4];
        record.train_error = 0.0;
        record.metrics.fill(f64::NAN);
        record.test_error = None;
    }
    let mut untested = inverting(1, 30);
    for record in &mut untested.replicas[0].records {
        record.test_error = None;
        record.train_error = 0.25;
    }
    let mut empty = inverting(2, 0);
    empty.replicas.iter_mut().for_each(|replica| replica.records.clear());
    let mut bare = inverting(2, 30);
    bare.columns.clear();
    for replica in &mut bare.replicas {
        replica.extrema.clear();
        replica.records.iter_mut().for_each(|record| record.metrics.clear());
    }
    let none = InversionOutcome {
        replicas: Vec::new(),
        ..inverting(1, 1)
    };
    for outcome in [diverged, untested, empty, bare, none] {
        let (_folder, html) = written(&outcome, &facts());
        assert_well_formed(&html);
        assert!(!html.contains("NaN"), "{html}");
    }
}

#[test]
fn the_summary_is_the_contract() {
    let record = |epoch, train_error, test_error| EpochRecord {
        epoch,
        train_loss: f64::NAN,
        train_error,
        test_error,
        metrics: vec![1.0, 2.0],
    };
    let mut outcome = inverting(3, 1);
    outcome.columns.truncate(2);
    let extremum = |epoch, error, value| Some(Extremum { epoch, error, value });
    let stop = |epoch, error, count| {
        let stragglers = (0..count)
            .map(|sample_index| Straggler { sample_index, label: 0 })
            .collect();
        Some(Stop {
            epoch,
            error,
            stragglers,
        })
    };
    let replica = |replica, records, stop, extrema| ReplicaOutcome {
        replica,
        records,
        stop,
        extrema,
    };
    outcome.replicas = vec![
        replica(
            0,
            vec![record(0, 0.5, None), record(1, 0.25, Some(0.5))],
            stop(30, 0.25, 2),
            vec![extremum(29, 0.25, 0.75), None],
        ),
        replica(
            1,
            vec![record(0, 0.75, None)],
            stop(34, 0.75, 6),
            vec![extremum(33, 0.75, f64::NAN), None],
        ),
        replica(2, vec![record(0, 0.5, None)], None, vec![None, None]),
    ];
    let (folder, _html) = written(&outcome, &facts());
    let text = fs::read_to_string(folder.path().join("summary.json")).unwrap();
    let summary: Value = serde_json::from_str(&text).unwrap();
    let null = Value::Null;
    // Two values a and b have the deviation |a - b| / sqrt(2).
    let half = |difference: f64| (difference * difference / 2.0).sqrt();
    assert_eq!(
        summary,
        json!({
            "replicas": [
                {"stop_epoch": 30, "stop_error": 0.25, "stragglers": 2, "extrema": {
                    "gyration_radius_0": {"epoch": 29, "error": 0.25, "value": 0.75}, "gyration_radius_1": null}},
                {"stop_epoch": 34, "stop_error": 0.75, "stragglers": 6, "extrema": {
                    "gyration_radius_0": {"epoch": 33, "error": 0.75, "value": null}, "gyration_radius_1": null}},
                {"stop_epoch": null, "stop_error": null, "stragglers": null, "extrema": {
                    "gyration_radius_0": null, "gyration_radius_1": null}},
            ],
            "mean": {
                "stop_epoch": 32.0, "stop_error": 0.5, "stragglers": 4.0,
                "final_train_error": (0.25 + 0.75 + 0.5) / 3.0, "final_test_error": 0.5,
                "extrema": {
                    "gyration_radius_0": {"epoch": 31.0, "error": 0.5, "value": 0.75, "count": 2},
                    "gyration_radius_1": {"epoch": null, "error": null, "value": null, "count": 0}},
            },
            "sd": {
                "stop_epoch": half(4.0), "stop_error": half(0.5), "stragglers": half(4.0),
                "final_train_error": 0.25, "final_test_error": null,
                "extrema": {
                    "gyration_radius_0": {"epoch": half(4.0), "error": half(0.5), "value": null, "count": 2},
                    "gyration_radius_1": {"epoch": null, "error": null, "value": null, "count": 0}},
            },
        }),
        "{text}"
    );
    assert_eq!(summary["replicas"][2]["stop_epoch"], null);
    let order: Vec<usize> = ["\"replicas\"", "\"mean\"", "\"sd\""]
        .iter()
        .map(|key| text.find(key).unwrap())
        .collect();
    assert!(order.is_sorted());
}

fn any_outcome() -> impl Strategy<Value = InversionOutcome> {
    let number = || prop_oneof![4 => any::<f64>(), 1 => 0.0..1.0f64];
    let finite = || any::<f64>().prop_filter("finite", |value| value.is_finite());
    let record = move |columns| {
        let metrics = prop::collection::vec(number(), columns);
        let parts = (any::<u32>(), number(), number(), prop::option::of(number()), metrics);
        parts.prop_map(|(epoch, train_loss, train_error, test_error, metrics)| EpochRecord {
            epoch: epoch as usize,
            train_loss,
            train_error,
            test_error,
            metrics,
        })
    };
    let straggler = (any::<u32>(), any::<u32>()).prop_map(|(index, label)| Straggler {
        sample_index: index as usize,
        label,
    });
    let stop =
        (any::<u32>(), finite(), prop::collection::vec(straggler, 0..4)).prop_map(|(epoch, error, stragglers)| Stop {
            epoch: epoch as usize,
            error,
            stragglers,
        });
    let extremum = move || {
        prop::option::of(
            (any::<u32>(), finite(), finite()).prop_map(|(epoch, error, value)| Extremum {
                epoch: epoch as usize,
                error,
                value,
            }),
        )
    };
    (0..4usize, prop::collection::hash_set(any::<u64>(), 1..4)).prop_flat_map(move |(columns, numbers)| {
        let replica = (
            prop::collection::vec(record(columns), 1..4),
            prop::option::of(stop.clone()),
            prop::collection::vec(extremum(), columns),
        );
        let numbers: Vec<u64> = numbers.into_iter().collect();
        prop::collection::vec(replica, numbers.len()).prop_map(move |replicas| {
            let names = ["gyration_radius_0", "centroid_distance_0_1", "silhouette"];
            InversionOutcome {
                classes: vec!["a".into(), "b".into()],
                columns: names
                    .iter()
                    .take(columns)
                    .map(|name| MetricColumn {
                        name: (*name).into(),
                        turn: Turn::usual(name),
                    })
                    .collect(),
                replicas: numbers
                    .iter()
                    .zip(replicas)
                    .map(|(&replica, (records, stop, extrema))| ReplicaOutcome {
                        replica,
                        records,
                        stop,
                        extrema,
                    })
                    .collect(),
            }
        })
    })
}

/// The same bits, but for the payload of a NaN: what `{:?}` shows tells every other pair of numbers apart.
fn shown(outcome: &InversionOutcome) -> String {
    format!("{outcome:?}")
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]
    #[test]
    fn a_run_reads_back_to_the_same_bits(outcome in any_outcome()) {
        let folder = tempfile::tempdir().unwrap();
        write_run(folder.path(), &outcome, &facts()).unwrap();
        let read = read_outcome(folder.path(), outcome.classes.clone()).unwrap();
        prop_assert_eq!(shown(&read), shown(&outcome));
    }
}

#[test]
fn a_damaged_run_is_one_line_that_names_file_and_place() {
    let outcome = inverting(2, 30);
    let damage = |name: &str, change: &dyn Fn(String) -> String| {
        let (folder, _html) = written(&outcome, &facts());
        let path = folder.path().join(name);
        fs::write(&path, change(fs::read_to_string(&path).unwrap())).unwrap();
        let error = read_outcome(folder.path(), outcome.classes.clone()).unwrap_err();
        let line = error.to_string();
        assert!(line.contains(name) && !line.contains('\n'), "{line}");
        (matches!(error, ReportError::Malformed { .. }), line)
    };
    let (malformed, line) = damage("epochs.csv", &|text| text[..text.len() - 30].to_owned());
    assert!(malformed && line.contains("line 63"), "{line}");
    let (malformed, line) = damage("epochs.csv", &|text| text.replacen("\n0,3,", "\n0,x,", 1));
    assert!(
        malformed && line.contains("line 5: expected an epoch, not \"x\""),
        "{line}"
    );
    assert!(damage("epochs.csv", &|_| String::new()).0);
    assert!(damage("stragglers.csv", &|text| text[..text.len() / 2].to_owned() + "\n").0);
    assert!(damage("stragglers.csv", &|text| text + "77,1,1\n").0);
    assert!(damage("summary.json", &|text| text[..text.len() / 2].to_owned()).0);
    assert!(damage("summary.json", &|text| text.replace("gyration_radius_1", "other")).0);

    let (folder, _html) = written(&outcome, &facts());
    fs::remove_file(folder.path().join("summary.json")).unwrap();
    let error = read_outcome(folder.path(), Vec::new()).unwrap_err();
    assert!(matches!(error, ReportError::Io { .. }), "{error}");
}

/// Images of noise-free patterns, and a movie on them whose points lie on a circle that turns.
fn exhibited(outcome: &InversionOutcome, side: usize, count: usize, frames: usize, points: usize) -> (Images, Movie) {
    let images = Images {
        pixels: (0..count * side * side)
            .map(|n| ((n * 7919 + n / 64 * 31) % 256) as u8)
            .collect(),
        labels: (0..count).map(|n| (n % 10) as u8).collect(),
        count,
        height: side,
        width: side,
        channels: 1,
    };
    let point = |k: usize| Point {
        sample_index: k * 11 % count,
        label: (k % 2) as u32,
        straggler: k < points / 3,
        replicas: usize::from(k < points / 3) * outcome.replicas.len(),
    };
    let axis = |name: &str| Axis {
        name: name.into(),
        share: 0.4,
    };
    let position = |frame: usize, k: usize| {
        let angle = k as f32 + frame as f32 * 0.1;
        [angle.cos() * 0.9, angle.sin() * 0.7]
    };
    let plane = |name: &str| Plane {
        name: name.into(),
        axes: [axis("first"), axis("second")],
        positions: (0..frames)
            .map(|frame| (0..points).map(|k| position(frame, k)).collect())
            .collect(),
    };
    let frame = |epoch: usize| Frame {
        epoch,
        predicted: (0..points).map(|k| ((k + epoch) % 2) as u32).collect(),
        probability: (0..points).map(|k| (k * 31 % 100) as f32 / 100.0).collect(),
    };
    let movie = Movie {
        replica: 0,
        layer: 0,
        samples: 8192,
        points: (0..points).map(point).collect(),
        frames: (0..frames).map(frame).collect(),
        planes: vec![plane("principal axes"), plane("class centroids")],
        inversion: Some(frames / 2),
    };
    (images, movie)
}

fn written_with(outcome: &InversionOutcome, exhibits: &Exhibits) -> String {
    let folder = tempfile::tempdir().unwrap();
    let page = write_run_with(folder.path(), outcome, &facts(), Some(exhibits)).unwrap();
    fs::read_to_string(page).unwrap()
}

/// The page without its scripts, which are no XML.
fn without_scripts(html: &str) -> String {
    let mut parts = html.split("<script");
    let first = parts.next().unwrap().to_owned();
    first
        + &parts
            .map(|part| part.split_once("</script>").unwrap().1)
            .collect::<String>()
}

#[test]
fn pictures_and_movie_stay_below_the_limit_even_where_pictures_do_not_pack() {
    let outcome = inverting(16, 500);
    for (side, white) in [(8, 255), (28, 255)] {
        let (images, _) = exhibited(&outcome, side, 20_000, 1, 1);
        let most = Exhibits::points(&images, 61);
        let (images, movie) = exhibited(&outcome, side, 20_000, 61, most);
        let exhibits = Exhibits::of(&outcome, Some(movie), &images, white, 8192);
        let html = written_with(&outcome, &exhibits);
        assert!(
            html.len() < 3_000_000,
            "{side}: {} bytes with {most} points",
            html.len()
        );
        assert_well_formed(&without_scripts(&html));
        assert_eq!(html.matches("<script").count(), 2);
        assert_eq!(html.matches("url(").count(), 1);
        assert!(html.contains("url(data:image/png;base64,"));
        assert!(html.contains("img-src data:; script-src 'sha256-"));
        assert!(html.contains("<span>16 of 16</span>"));
    }
}

#[test]
fn hostile_names_stay_words_in_the_movie_too() {
    let mut outcome = inverting(2, 200);
    outcome.classes = vec!["</script><script>alert(1)</script>".into(), "<!--<script>".into()];
    let (images, mut movie) = exhibited(&outcome, 8, 20_000, 5, 30);
    movie.planes[0].name = "<b>".into();
    movie.planes[0].axes[0].name = "</script><b>".into();
    let html = written_with(&outcome, &Exhibits::of(&outcome, Some(movie), &images, 16, 2000));
    assert_eq!(html.matches("<script").count(), 2);
    assert_eq!(html.matches("</script").count(), 2);
    let plain = without_scripts(&html);
    assert!(!plain.contains("<b>&lt;b&gt;</b>") && plain.contains(">&lt;b&gt;</label>") && !html.contains("<!--"));
    assert_well_formed(&without_scripts(&html));
    // Without a film, and with data that are no pictures: stragglers in words.
    let html = written_with(&outcome, &Exhibits::of(&outcome, None, &images, 16, 2000));
    assert!(!html.contains("<script") && !html.contains("script-src") && html.contains("class=\"cards\""));
    let flat = Images {
        width: 64,
        height: 1,
        ..images.clone()
    };
    let html = written_with(&outcome, &Exhibits::of(&outcome, None, &flat, 16, 2000));
    assert!(!html.contains("url(") && !html.contains("img-src") && html.contains("class=\"cards\""));
    assert_well_formed(&html);
}
