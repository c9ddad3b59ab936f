//! Training inside another program, with nothing but the core: two clouds, one network, its radii by epoch.

use disentangle::backend::Cpu;
use disentangle::data::synthetic::gaussian_classes;
use disentangle::geometry::gyration_radius;
use disentangle::nn::{Activation, Initializer, Loss};
use disentangle::train::{Recipe, Samples, Trainer};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (features, labels) = gaussian_classes(1, 2, 500, 10, 2.0);
    let samples = Samples {
        features: &features,
        labels: &labels,
    };
    let mut recipe = Recipe::new(10, &[20], 2, Activation::Tanh, Loss::CrossEntropy);
    recipe.epochs = 50;
    let initial = recipe.initial(Initializer::Pytorch);
    let mut trainer = Trainer::new(recipe, samples, None, &initial, &Cpu::new(1)?)?;
    for epoch in 0..trainer.recipe().epochs {
        let measured = trainer.advance()?;
        let radii: Vec<f64> = measured.moments[0][0].iter().map(gyration_radius).collect();
        println!("{epoch:3}  error {:.3}  radii {radii:.4?}", measured.error[0]);
    }
    Ok(())
}
