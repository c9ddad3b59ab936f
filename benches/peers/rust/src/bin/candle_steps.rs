//! Mini-batch steps in candle: `candle_steps CASE BATCH THREADS` (the threads are rayon's).

use std::process::ExitCode;

use candle_core::{Device, Tensor, Var};
use disentangle_benches::peer::{self, Fault, StepCase, step_arguments};

const RATE: f64 = 0.1;

struct Stepper {
    case: StepCase,
    x: Tensor,
    labels: Tensor,
    parameters: Vec<(Var, Var)>,
    steps: usize,
}

impl Stepper {
    fn new(case: StepCase) -> Result<Stepper, Fault> {
        let device = Device::Cpu;
        let x = Tensor::from_slice(&case.x, (case.rows, case.inputs), &device)?;
        let labels = Tensor::from_slice(&case.labels, case.rows, &device)?;
        let mut parameters = Vec::new();
        for (weight, bias, units) in &case.layers {
            let fan_in = weight.len() / units;
            let weight = Tensor::from_slice(weight, (*units, fan_in), &device)?;
            let bias = Tensor::from_slice(bias, *units, &device)?;
            parameters.push((Var::from_tensor(&weight)?, Var::from_tensor(&bias)?));
        }
        Ok(Stepper {
            case,
            x,
            labels,
            parameters,
            steps: 0,
        })
    }

    fn loss(&self, x: &Tensor, labels: &Tensor) -> candle_core::Result<Tensor> {
        let mut x = x.clone();
        for (layer, (weight, bias)) in self.parameters.iter().enumerate() {
            x = x.matmul(&weight.t()?)?.broadcast_add(bias)?;
            if layer + 1 < self.parameters.len() {
                x = x.tanh()?;
            }
        }
        let of_labels = x.gather(&labels.unsqueeze(1)?, 1)?.squeeze(1)?;
        (x.log_sum_exp(1)? - of_labels)?.mean_all()
    }

    fn step(&mut self) -> Result<(), Fault> {
        let (first, batch) = (self.case.first_row(self.steps), self.case.batch);
        let loss = self.loss(&self.x.narrow(0, first, batch)?, &self.labels.narrow(0, first, batch)?)?;
        let gradients = loss.backward()?;
        for parameter in self.parameters.iter().flat_map(|(weight, bias)| [weight, bias]) {
            let gradient = gradients.get(parameter).ok_or("a parameter without gradient")?;
            parameter.set(&parameter.sub(&(gradient * RATE)?)?)?;
        }
        self.steps += 1;
        Ok(())
    }

    fn state(&mut self) -> Result<Vec<f32>, Fault> {
        Ok(vec![self.loss(&self.x, &self.labels)?.to_scalar::<f32>()?])
    }
}

fn main() -> ExitCode {
    let run = || peer::serve(&mut Stepper::new(step_arguments()?.0)?, Stepper::step, Stepper::state);
    peer::finish("candle_steps", run())
}
