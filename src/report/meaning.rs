//! What the quantities of an inversion run mean, each in a sentence or two with its formula (in MathML).

use std::borrow::Cow;

use super::families::{self, Family};
use crate::study::extremum::{GUARD, RETURN, WINDOW};
use crate::study::outcome::InversionOutcome;

/// The definitions of what a page shows.
pub fn meaning(outcome: &InversionOutcome, shown: &[Family]) -> String {
    let has = |name: &str| shown.iter().any(|family| family.name == name);
    let mut entries: Vec<Entry> = Vec::new();
    if has(families::GYRATION_RADIUS) {
        entries.push(GYRATION_RADIUS);
    }
    if has(families::CENTROID_DISTANCE) {
        entries.push(CENTROID_DISTANCE);
    }
    entries.extend([ERRORS, LOSS]);
    if !outcome.columns.is_empty() {
        entries.extend([inversion(), stop()]);
    }
    if outcome.replicas.len() > 1 {
        entries.push(BAND);
    }
    let mut html = String::from("<dl class=\"meaning\">\n");
    for (name, words, formula) in entries {
        html.push_str(&format!("<div><dt>{name}</dt><dd>{words}"));
        if !formula.is_empty() {
            html.push_str(&format!(
                "<span class=\"formula\"><math displaystyle=\"true\">{formula}</math></span>"
            ));
        }
        html.push_str("</dd></div>\n");
    }
    html.push_str("</dl>\n");
    html
}

/// Name, words, formula.
type Entry = (&'static str, Cow<'static, str>, Cow<'static, str>);

const GYRATION_RADIUS: Entry = (
    "Gyration radius",
    Cow::Borrowed(
        "How far the samples of a class lie from their mean: <i>h</i> is a sample’s row of the hidden layer after the \
     activation, <i>u</i> = <i>h</i> / ‖<i>h</i>‖ the same on the unit sphere, and the mean <i>c</i> of a class is not \
     normalised again. <i>R</i>, not its square, is what the tables hold: between 0 (all at one point) and 1.",
    ),
    Cow::Borrowed(
        "<mrow><msubsup><mi>R</mi><mi>k</mi><mn>2</mn></msubsup><mo>=</mo><mfrac><mn>1</mn><msub><mi>n</mi><mi>k</mi></msub></mfrac>\
     <munder><mo>∑</mo><mrow><mi>i</mi><mo>∈</mo><mi>k</mi></mrow></munder><msup><mrow><mo>‖</mo><msub><mi>u</mi><mi>i</mi></msub>\
     <mo>−</mo><msub><mi>c</mi><mi>k</mi></msub><mo>‖</mo></mrow><mn>2</mn></msup><mo>,</mo><mspace width=\"1em\"/>\
     <msub><mi>c</mi><mi>k</mi></msub><mo>=</mo><mfrac><mn>1</mn><msub><mi>n</mi><mi>k</mi></msub></mfrac>\
     <munder><mo>∑</mo><mrow><mi>i</mi><mo>∈</mo><mi>k</mi></mrow></munder><msub><mi>u</mi><mi>i</mi></msub></mrow>",
    ),
);

const CENTROID_DISTANCE: Entry = (
    "Distance between class centroids",
    Cow::Borrowed(
        "How far apart two classes lie: the distance of their means on the unit sphere, not squared, between 0 and 2.",
    ),
    Cow::Borrowed(
        "<mrow><msub><mi>D</mi><mrow><mi>k</mi><mi>l</mi></mrow></msub><mo>=</mo><mo>‖</mo><msub><mi>c</mi><mi>k</mi></msub>\
     <mo>−</mo><msub><mi>c</mi><mi>l</mi></msub><mo>‖</mo></mrow>",
    ),
);

const ERRORS: Entry = (
    "Training and test error",
    Cow::Borrowed("The fraction of the samples whose label is not what the network says, after that many epochs."),
    Cow::Borrowed(
        "<mrow><mi>ε</mi><mo>=</mo><mfrac><mn>1</mn><mi>N</mi></mfrac><mo>#</mo><mrow><mo>{</mo><mi>i</mi><mo>:</mo>\
     <msub><mover><mi>y</mi><mo>^</mo></mover><mi>i</mi></msub><mo>≠</mo><msub><mi>y</mi><mi>i</mi></msub><mo>}</mo></mrow></mrow>",
    ),
);

const LOSS: Entry = (
    "Loss",
    Cow::Borrowed("The mean of the training loss over the samples: what the optimiser lowers."),
    Cow::Borrowed(""),
);

/// What [`extremum`](crate::study::extremum::extremum) looks for.
fn inversion() -> Entry {
    let words = format!(
        "Radii first fall and distances grow: the classes disentangle. At the inversion they turn and entangle again. It \
         is the first epoch <i>t</i> ≥ {GUARD} at which the quantity is extreme within [<i>t</i> − {WINDOW}, <i>t</i> + \
         {WINDOW}] and from which it moves back by at least {RETURN} before it passes that value again; a quantity \
         without such an epoch has no inversion."
    );
    ("Inversion", words.into(), "".into())
}

/// What [`stops`](crate::study::extremum::stops) looks for.
fn stop() -> Entry {
    let words = format!(
        "The released recipe stops at the first epoch from {GUARD} on at which the radius of the first class does not \
         fall. The stragglers of a replica are the training samples that it misclassifies there."
    );
    let formula = format!(
        "<mrow><msup><mi>t</mi><mo>*</mo></msup><mo>=</mo><mi>min</mi><mrow><mo>{{</mo><mi>t</mi><mo>≥</mo>\
         <mn>{GUARD}</mn><mo>:</mo><msub><mi>R</mi><mn>0</mn></msub><mo>(</mo><mi>t</mi><mo>)</mo><mo>≥</mo><msub>\
         <mi>R</mi><mn>0</mn></msub><mo>(</mo><mi>t</mi><mo>−</mo><mn>1</mn><mo>)</mo><mo>}}</mo></mrow></mrow>"
    );
    ("Stop epoch and stragglers", words.into(), formula.into())
}

const BAND: Entry = (
    "Mean and band",
    Cow::Borrowed(
        "The mean <i>m</i> over <i>n</i> replicas at the same epoch, with the unbiased standard deviation <i>s</i>; the band \
     is the 95 % confidence interval of the mean, with Student's <i>t</i> of <i>n</i> − 1 degrees of freedom. Against the training error, the mean stands at the mean error of that \
     epoch.",
    ),
    Cow::Borrowed(
        "<mrow><mi>m</mi><mo>±</mo><mi>t</mi><mspace width=\"0.2em\"/><mi>s</mi><mo>/</mo><msup><mi>n</mi><mrow><mn>1</mn><mo>/</mo><mn>2</mn></mrow></msup></mrow>",
    ),
);
