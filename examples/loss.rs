//! MPM-NCE alone: a pure function of embeddings, wherever they come from.

use burn::tensor::{Device, Distribution, Tensor};
use radapter::losses::{MpmNceConfig, Positives, info_nce, mpm_nce};

fn main() -> anyhow::Result<()> {
    let device = Device::flex().autodiff();
    let normalised = |x: Tensor<2>| {
        let norm = x.clone().powf_scalar(2.0).sum_dim(1).sqrt();
        x / norm
    };
    let embeddings = || Tensor::<2>::random([6, 16], Distribution::Normal(0.0, 1.0), &device).require_grad();
    let (image, text) = (embeddings(), embeddings());

    // Pairs of one class are positives of each other; a negative has to be worse by a margin.
    let positives = Positives::from_labels(&["cat", "dog", "cat", "cow", "dog", "cat"]);
    let config = MpmNceConfig { temperature: 0.1, ..MpmNceConfig::default() };
    let loss = mpm_nce(normalised(image.clone()), normalised(text.clone()), &positives, &config)?;
    eprintln!("MPM-NCE  {:.4}", loss.clone().into_scalar::<f32>());
    let plain = info_nce(normalised(image.clone()), normalised(text), 0.1)?;
    eprintln!("InfoNCE  {:.4}", plain.into_scalar::<f32>());

    let gradients = loss.backward();
    let gradient = image.grad(&gradients).map(|gradient| gradient.abs().mean().into_scalar::<f32>());
    eprintln!("mean size of the images' gradients: {gradient:?}");
    Ok(())
}
