//! Linear layers of a ViT-B as matrix products: ours, and PyTorch's.

use std::path::Path;

use burn::tensor::{DType, Device, Distribution, Tensor};
use radapter::clip::model::Precision;
use radapter_kernels::linear;
use serde::{Deserialize, Serialize};

use super::Args;
use super::device::device;
use super::measurement::{best_gflops, median};
use super::peer::{self, Reply};
use super::run::{itself, reply};

/// Rows, inputs and outputs: an MLP's first layer on 32 images of 50 tokens, and an attention's projection on 128.
const SHAPES: [[usize; 3]; 2] = [[1600, 768, 3072], [6400, 768, 768]];

/// Our types, and the peer's mode that has them.
const TYPES: [(Precision, &str); 2] = [(Precision::F32, "eager"), (Precision::Bf16, "bf16-pure")];

/// GFLOP/s of a layer in one type.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Product {
    pub(crate) shape: [usize; 3],
    pub(crate) precision: String,
    /// One per round.
    pub(crate) ours: Vec<f64>,
    /// One per round; empty without a peer.
    pub(crate) peer: Vec<f64>,
}

/// The answer of one process: GFLOP/s of each shape.
#[derive(Serialize, Deserialize)]
struct Answer {
    gflops: Vec<f64>,
}

impl Product {
    /// Medians of ours and of the peer's, and of the rounds' ratios; NaN where nothing was measured.
    pub(crate) fn medians(&self) -> [f64; 3] {
        let ratios = self.ours.iter().zip(&self.peer).map(|(ours, peer)| ours / peer).collect();
        [median(self.ours.clone()), median(self.peer.clone()), median(ratios)]
    }
}

/// Measures all shapes in both types, each type in a process of its own.
pub(crate) fn measure(args: &Args) -> anyhow::Result<Vec<Product>> {
    let mut products = Vec::new();
    for (precision, mode) in TYPES {
        let row = |shape| Product { shape, precision: precision.to_string(), ours: Vec::new(), peer: Vec::new() };
        let mut rows = SHAPES.map(row);
        for round in 1..=args.rounds {
            eprintln!("products in {precision}: round {round} of {}", args.rounds);
            let mut command = itself()?;
            command.args(["--one", "--products", "--device", &args.device, "--precision", &precision.to_string()]);
            let ours: Answer = reply(&mut command)?;
            rows.iter_mut().zip(ours.gflops).for_each(|(row, found)| row.ours.push(found));
            let Some(python) = &args.peer else { continue };
            match theirs(python, args, mode) {
                Ok(Reply::Figures { figures, .. }) => {
                    rows.iter_mut().zip(figures.gflops).for_each(|(row, found)| row.peer.push(found));
                }
                Ok(Reply::Skipped { skipped }) => eprintln!("{mode}, products: skipped: {skipped}"),
                Err(error) => eprintln!("{mode}, products: {error:#}"),
            }
        }
        products.extend(rows);
    }
    Ok(products)
}

fn theirs(python: &Path, args: &Args, mode: &str) -> anyhow::Result<Reply<Answer>> {
    let shapes = SHAPES.map(|shape| shape.map(|side| side.to_string()).join("x")).join(",");
    let mut command = peer::command(python, &args.device);
    command.args(["--part", "products", "--mode", mode, "--shapes", &shapes]);
    reply(&mut command)
}

/// Measures once in this process and prints JSON.
pub(crate) fn one(args: &Args) -> anyhow::Result<()> {
    let device = device(&args.device)?;
    let gflops = SHAPES.map(|shape| of(shape, &device, args.precision[0].dtype())).to_vec();
    serde_json::to_writer(std::io::stdout().lock(), &Answer { gflops })?;
    Ok(())
}

fn of([rows, inputs, outputs]: [usize; 3], device: &Device, dtype: DType) -> f64 {
    let random = |sides: [usize; 2]| Tensor::<2>::random(sides, Distribution::Default, device).cast(dtype);
    let (x, weight) = (random([rows, inputs]), random([outputs, inputs]));
    let bias = random([1, outputs]).reshape([outputs]);
    let flop = 2.0 * (rows * inputs * outputs) as f64;
    best_gflops(flop, || linear(x.clone(), weight.clone(), bias.clone()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_those_of_the_rounds() {
        let ours = vec![10.0, 40.0, 30.0];
        let found = Product { shape: SHAPES[0], precision: "f32".to_owned(), ours, peer: vec![20.0, 20.0, 10.0] };
        assert_eq!(found.medians(), [30.0, 20.0, 2.0]);
    }
}
