//! Our side of `peers/steps.py`: `step_peer CASE BATCH THREADS`. The work of a `run` is a step on the next batch; the `state`
//! is the loss on all rows.

use std::process::ExitCode;

use disentangle::autograd::{Entry, Graph, Plan, Session, Training, Value};
use disentangle::backend::{Cpu, EntryId, Step};
use disentangle::nn::loss::Truth;
use disentangle::nn::network::Network;
use disentangle::nn::{Activation, Architecture, Loss, Optimizer};
use disentangle_benches::peer::{self, Fault, StepCase, step_arguments};

struct Stepper {
    case: StepCase,
    session: Session,
    index: Value,
    loss: Value,
    steps: usize,
    rows: Vec<u32>,
}

fn main() -> ExitCode {
    peer::finish("step_peer", run())
}

fn run() -> Result<(), Fault> {
    let (case, threads) = step_arguments()?;
    peer::serve(&mut Stepper::new(case, threads)?, Stepper::step, Stepper::state)
}

impl Stepper {
    fn new(case: StepCase, threads: usize) -> Result<Stepper, Fault> {
        let units: Vec<usize> = case.layers.iter().map(|(_, _, units)| *units).collect();
        let (&outputs, hidden) = units.split_last().ok_or("a case without layers")?;
        let architecture = Architecture {
            inputs: case.inputs,
            hidden: hidden.to_vec(),
            outputs,
            activation: Activation::Tanh,
            bias: true,
        };
        let mut graph = Graph::new(1)?;
        let network = Network::record(&mut graph, &architecture)?;
        let all = graph.rows(case.rows)?;
        let batch = graph.rows(case.batch)?;
        let x = graph.input("x", all, case.inputs, false)?;
        let labels = graph.index("labels", all, outputs, false)?;
        let index = graph.index("batch", batch, case.rows, false)?;
        let (batch_x, batch_labels) = (graph.gather(x, index)?, graph.gather(labels, index)?);
        let mut mean_loss = |x, labels| -> Result<Value, Fault> {
            let forward = network.forward(&mut graph, x)?;
            let losses = Loss::CrossEntropy.of_rows(&mut graph, forward.outputs, Truth::Labels(labels))?;
            Ok(graph.mean_over_rows(losses, None)?)
        };
        let (objective, loss) = (mean_loss(batch_x, batch_labels)?, mean_loss(x, labels)?);
        let parameters: Vec<Value> = graph.parameters().map(|(value, _)| value).collect();
        let training = Entry {
            outputs: vec![],
            training: Some(Training {
                objective,
                rule: Some(Optimizer::Sgd.rule(0.0, 0.0)?),
            }),
        };
        let evaluation = Entry {
            outputs: vec![loss],
            training: None,
        };
        let backend = Cpu::new(threads)?;
        let mut session = Plan::new(&graph, &[training, evaluation])?.start(&backend)?;
        let wide = |values: &[f32]| values.iter().map(|&v| f64::from(v)).collect::<Vec<f64>>();
        let given = case.layers.iter().flat_map(|(weight, bias, _)| [weight, bias]);
        for (parameter, values) in parameters.iter().zip(given) {
            session.write(*parameter, &wide(values))?;
        }
        session.write(x, &wide(&case.x))?;
        session.write_index(labels, &case.labels)?;
        Ok(Stepper {
            rows: vec![0; case.batch],
            case,
            session,
            index,
            loss,
            steps: 0,
        })
    }

    fn step(&mut self) -> Result<(), Fault> {
        let first = self.case.first_row(self.steps) as u32;
        for (row, number) in self.rows.iter_mut().zip(first..) {
            *row = number;
        }
        self.session.write_index(self.index, &self.rows)?;
        self.steps += 1;
        let step = Step {
            learning_rate: 0.1,
            number: self.steps as u64,
        };
        Ok(self.session.run(EntryId(0), step)?)
    }

    fn state(&mut self) -> Result<Vec<f64>, Fault> {
        self.session.evaluate(EntryId(1))?;
        Ok(self.session.read(self.loss)?)
    }
}
