//! A linear predictor, trained until its gradient is small: (1/N) sum of the losses + (lambda / 2) |w|^2, the bias free.
//!
//! Loss and gradient are the engine's, on the f64 reference backend; the descent is [`minimize`]. With lambda > 0 the
//! minimum is unique, and its distance is at most |gradient| / lambda.

use crate::autograd::{Entry, Graph, Plan, Training, Value};
use crate::backend::{EntryId, Reference, Step};
use crate::nn::loss::Truth;
use crate::nn::network::Network;
use crate::nn::{Activation, Architecture, Loss};
use crate::study::StudyError;
use crate::study::minimize::{Minimum, minimize};
use crate::train::Samples;

/// A linear predictor after its training.
#[derive(Clone, Debug, PartialEq)]
pub struct Fitted {
    /// What was minimised, to which norm of the gradient, in how many evaluations.
    pub minimum: Minimum,
    /// Its outputs on the training samples, `[samples, outputs]`.
    pub train: Vec<f64>,
    /// Its outputs on the test samples; empty without any.
    pub test: Vec<f64>,
}

/// What is fitted.
pub struct Problem<'a> {
    /// Width of the data.
    pub inputs: usize,
    /// Classes.
    pub classes: usize,
    /// On what.
    pub train: Samples<'a>,
    /// What else outputs are wanted of.
    pub test: Option<Samples<'a>>,
    /// Of a margin.
    pub loss: Loss,
    /// The decay.
    pub lambda: f64,
}

/// Fits from zero, to a norm of the gradient of at most `tolerance`, in at most `most` evaluations.
///
/// # Errors
/// [`StudyError::Train`]; [`StudyError::Interrupted`] if `tell`, told evaluations and norm, says so.
pub fn fit(
    problem: &Problem,
    tolerance: f64,
    most: usize,
    tell: &mut dyn FnMut(usize, f64) -> bool,
) -> Result<Fitted, StudyError> {
    let Problem {
        inputs,
        classes,
        train,
        test,
        loss,
        lambda,
    } = *problem;
    let architecture = Architecture {
        inputs,
        hidden: Vec::new(),
        outputs: loss.outputs(classes),
        activation: Activation::Identity,
        bias: true,
    };
    let mut graph = Graph::new(1)?;
    let network = Network::record(&mut graph, &architecture)?;
    let space = graph.rows(train.labels.len())?;
    let x = graph.samples("samples", space, inputs)?;
    let labels = graph.index("labels", space, classes, false)?;
    let forward = network.forward(&mut graph, x)?;
    let losses = loss.of_rows(&mut graph, forward.outputs, Truth::Labels(labels))?;
    let mean = graph.mean_over_rows(losses, None)?;
    let decay = graph.l2_decay(&network.weights(), lambda)?;
    let objective = graph.add(mean, decay)?;
    let mut entries = vec![Entry {
        outputs: vec![objective, forward.outputs],
        training: Some(Training { objective, rule: None }),
    }];
    let test_pass: Option<(Samples, Value, Value)> = match test {
        None => None,
        Some(samples) => {
            let space = graph.rows(samples.labels.len())?;
            let x = graph.samples("test samples", space, inputs)?;
            let forward = network.forward(&mut graph, x)?;
            entries.push(Entry {
                outputs: vec![forward.outputs],
                training: None,
            });
            Some((samples, x, forward.outputs))
        }
    };
    let plan = Plan::new(&graph, &entries)?;
    let mut session = plan.start(&Reference)?;
    session.write(x, train.features)?;
    session.write_index(labels, train.labels)?;
    let parameters = session.parameters().to_vec();
    let lengths: Vec<usize> = architecture.parameters().iter().map(|p| p.rows * p.cols).collect();
    let step = Step {
        learning_rate: 0.0,
        number: 1,
    };
    let minimum = {
        let mut evaluate = |point: &[f64]| {
            let mut rest = point;
            for ((_, value), &length) in parameters.iter().zip(&lengths) {
                let (own, after) = rest.split_at(length);
                session.write(*value, own)?;
                rest = after;
            }
            session.run(EntryId(0), step)?;
            let mut gradient = Vec::with_capacity(point.len());
            for (_, value) in &parameters {
                gradient.extend(session.gradient(*value)?);
            }
            let value = session.read(objective)?;
            Ok((value.first().copied().unwrap_or(f64::NAN), gradient))
        };
        let start = vec![0.0; lengths.iter().sum()];
        let found = minimize(start, tolerance, most, &mut evaluate, tell)?;
        // The last evaluation may have been of a step that was not taken.
        evaluate(&found.point)?;
        found
    };
    let outputs = session.read(forward.outputs)?;
    let of_test = match test_pass {
        None => Vec::new(),
        Some((samples, x, outputs)) => {
            session.write(x, samples.features)?;
            session.evaluate(EntryId(1))?;
            session.read(outputs)?
        }
    };
    Ok(Fitted {
        minimum,
        train: outputs,
        test: of_test,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn logistic_regression_on_two_points_meets_its_equation() {
        // x = +-1 with labels 1 and 0: by symmetry b = 0, and sigma(-w) = lambda w.
        let (features, labels) = ([1.0, -1.0], [1, 0]);
        let problem = Problem {
            inputs: 1,
            classes: 2,
            train: Samples {
                features: &features,
                labels: &labels,
            },
            test: Some(Samples {
                features: &[3.0],
                labels: &[1],
            }),
            loss: Loss::Logistic,
            lambda: 0.1,
        };
        let fitted = fit(&problem, 1e-10, 1000, &mut |_, _| true).unwrap();
        let (w, b) = (fitted.minimum.point[0], fitted.minimum.point[1]);
        assert!(fitted.minimum.gradient_norm <= 1e-10);
        assert!((1.0 / (1.0 + w.exp()) - 0.1 * w).abs() < 1e-9, "{w}");
        assert!(b.abs() < 1e-8, "{b}");
        assert!((fitted.train[0] - w - b).abs() < 1e-12 && (fitted.test[0] - 3.0 * w - b).abs() < 1e-12);
        // The L2 support vector machine: (1 - w)^2 + lambda w^2 / 2 has its minimum at 2 / (2 + lambda).
        let machine = Problem {
            loss: Loss::SquaredHinge { threshold: 1.0 },
            ..problem
        };
        let fitted = fit(&machine, 1e-10, 1000, &mut |_, _| true).unwrap();
        assert!(
            (fitted.minimum.point[0] - 2.0 / 2.1).abs() < 1e-9,
            "{:?}",
            fitted.minimum
        );
    }
}
