//! Mini-batch steps in burn on its ndarray backend: `burn_steps CASE BATCH THREADS` (the threads are the backend's).

use std::process::ExitCode;

use burn::backend::{Autodiff, NdArray};
use burn::tensor::activation::{log_softmax, tanh};
use burn::tensor::{Int, Tensor, TensorData};
use disentangle_benches::peer::{self, Fault, StepCase, step_arguments};

const RATE: f32 = 0.1;

type B = Autodiff<NdArray<f32>>;

struct Stepper {
    case: StepCase,
    x: Tensor<B, 2>,
    labels: Tensor<B, 2, Int>,
    parameters: Vec<(Tensor<B, 2>, Tensor<B, 2>)>,
    steps: usize,
}

impl Stepper {
    fn new(case: StepCase) -> Stepper {
        let device = Default::default();
        let x = Tensor::from_data(TensorData::new(case.x.clone(), [case.rows, case.inputs]), &device);
        let labels: Vec<i64> = case.labels.iter().map(|&label| i64::from(label)).collect();
        let labels = Tensor::from_data(TensorData::new(labels, [case.rows, 1]), &device);
        let matrix = |values: &[f32], rows: usize, cols: usize| {
            Tensor::<B, 2>::from_data(TensorData::new(values.to_vec(), [rows, cols]), &device).require_grad()
        };
        let layer = |(weight, bias, units): &(Vec<f32>, Vec<f32>, usize)| {
            (matrix(weight, *units, weight.len() / units), matrix(bias, 1, *units))
        };
        let parameters = case.layers.iter().map(layer).collect();
        Stepper {
            case,
            x,
            labels,
            parameters,
            steps: 0,
        }
    }

    fn loss(&self, x: Tensor<B, 2>, labels: Tensor<B, 2, Int>) -> Tensor<B, 1> {
        let mut x = x;
        for (layer, (weight, bias)) in self.parameters.iter().enumerate() {
            x = x.matmul(weight.clone().transpose()) + bias.clone();
            if layer + 1 < self.parameters.len() {
                x = tanh(x);
            }
        }
        -log_softmax(x, 1).gather(1, labels).mean()
    }

    fn step(&mut self) -> Result<(), Fault> {
        let first = self.case.first_row(self.steps);
        let rows = first..first + self.case.batch;
        let (x, labels) = (self.x.clone().slice([rows.clone()]), self.labels.clone().slice([rows]));
        let gradients = self.loss(x, labels).backward();
        let descend = |parameter: &Tensor<B, 2>| -> Result<Tensor<B, 2>, Fault> {
            let gradient = parameter.grad(&gradients).ok_or("a parameter without gradient")?;
            let moved = parameter.clone().inner() - gradient * RATE;
            Ok(Tensor::from_inner(moved).require_grad())
        };
        let moved: Result<Vec<_>, Fault> = self
            .parameters
            .iter()
            .map(|(weight, bias)| Ok((descend(weight)?, descend(bias)?)))
            .collect();
        self.parameters = moved?;
        self.steps += 1;
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<f32>, Fault> {
        Ok(vec![self.loss(self.x.clone(), self.labels.clone()).into_scalar()])
    }
}

fn main() -> ExitCode {
    let run = || peer::serve(&mut Stepper::new(step_arguments()?.0), Stepper::step, Stepper::state);
    peer::finish("burn_steps", run())
}
