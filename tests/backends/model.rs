//! Embeddings, gradients and merging through the library.

use std::path::{Path, PathBuf};

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Gradients, Tensor, TensorData};
use radapter::adapter::{AdapterConfig, AdapterSet, Alpha, RAdapter, attach, merge, with_alpha};
use radapter::clip::checkpoint::Checkpoint;
use radapter::clip::model::{Adapter, Clip, Context, Precision};
use radapter::clip::state_dict::RawTensor;
use radapter::losses::{MpmNceConfig, Positives, mpm_nce};
use safetensors::SafeTensors;

use crate::devices::backends;
use crate::tiny::tiny_config;

fn adapted(device: &Device) -> Clip<RAdapter> {
    let config = tiny_config();
    let clip = Clip::from_state(&config, &config.random_state(3), device).unwrap();
    let settings = AdapterConfig { drop: 0.0, ..AdapterConfig::default() };
    let model = attach(clip, &settings, 0).unwrap();
    // Adapters start at zero, which would hide most of their effect.
    let mut count = 0;
    let tensors = AdapterSet::initial(&config, &settings, 0).unwrap().to_tensors();
    let tensors = tensors.iter().map(|(key, tensor)| {
        let values = (0..tensor.len()).map(|_| {
            count += 1;
            0.3 * (count as f32 * 0.73).sin()
        });
        (key.to_owned(), RawTensor::from_f32(tensor.shape(), values.collect()))
    });
    AdapterSet::from_tensors(&tensors.collect()).unwrap().apply_to(model).unwrap()
}

fn batch(device: &Device) -> (Tensor<4>, Vec<Vec<u32>>) {
    let pixels: Vec<f32> = (0..4 * 3 * 24 * 24).map(|at| (at as f32 * 0.37).sin()).collect();
    let text = |words: &[u32]| [&[49_406][..], words, &[49_407][..]].concat();
    let pixels = Tensor::from_data(TensorData::new(pixels, [4, 3, 24, 24]), device);
    (pixels, vec![text(&[320, 1125]), text(&[7]), text(&[320, 1125]), text(&[1, 2, 3, 4, 5, 6])])
}

fn numbers<const D: usize>(tensor: Tensor<D>) -> Vec<f32> {
    tensor.without_autodiff().into_data().convert::<f32>().try_into_vec().unwrap()
}

fn embeddings<A: Adapter>(model: &Clip<A>, device: &Device) -> Vec<f32> {
    let (pixels, texts) = batch(device);
    let context = Context::inference();
    [numbers(model.encode_image(pixels, &context)), numbers(model.encode_text(&texts, &context))].concat()
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    assert_eq!(a.len(), b.len());
    assert!(a.iter().chain(b).all(|value| value.is_finite()), "values that are not finite");
    a.iter().zip(b).fold(0.0, |largest: f32, (a, b)| largest.max((a - b).abs()))
}

/// A step's loss, and all gradients in the model's order.
fn step(device: &Device) -> (f32, Vec<f32>) {
    struct Reader(Gradients, Vec<f32>);

    impl ModuleVisitor for Reader {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            self.1.extend(parameter.val().grad(&self.0).map(numbers).unwrap_or_default());
        }
    }

    let device = device.clone().autodiff();
    let model = adapted(&device);
    let (pixels, texts) = batch(&device);
    let context = Context::training(0, 0);
    let (image, text) = (model.encode_image(pixels, &context), model.encode_text(&texts, &context));
    let settings = MpmNceConfig { temperature: 0.1, margin: 0.05, smoothing: 0.02 };
    let loss = mpm_nce(image, text, &Positives::from_labels(&[0, 1, 0, 2]), &settings).unwrap();
    let value = numbers(loss.clone())[0];
    let mut reader = Reader(loss.backward(), Vec::new());
    model.visit(&mut reader);
    (value, reader.1)
}

#[test]
fn embeddings_and_merged_models_match_the_cpu() {
    let expected = embeddings(&adapted(&Device::flex()), &Device::flex());
    let alpha = Alpha::new(0.5).unwrap();
    for backend in backends() {
        let model = adapted(&backend.device);
        let found = embeddings(&model, &backend.device);
        let error = distance(&found, &expected);
        eprintln!("{}: embeddings {error:e}", backend.name);
        assert!(error <= backend.tolerance, "{}: {error:e}", backend.name);

        let merged = embeddings(&merge(&model, alpha).unwrap(), &backend.device);
        let error = distance(&merged, &embeddings(&with_alpha(model, alpha), &backend.device));
        eprintln!("{}: merged {error:e}", backend.name);
        assert!(error <= backend.tolerance, "{}, merged: {error:e}", backend.name);
    }
}

/// A precision that a device does not support is skipped with a note.
#[test]
fn embeddings_of_16_bits_are_close_to_f32() {
    let expected = embeddings(&adapted(&Device::flex()), &Device::flex());
    for backend in backends() {
        for (precision, limit) in [(Precision::Bf16, 4e-2), (Precision::F16, 6e-3)] {
            if !precision.is_supported(&backend.device) {
                eprintln!("{}: no {precision}", backend.name);
                continue;
            }
            let model = adapted(&backend.device).in_precision(precision);
            let error = distance(&embeddings(&model, &backend.device), &expected);
            eprintln!("{}: {precision} embeddings {error:e}", backend.name);
            assert!(error > 0.0 && error <= limit, "{}, {precision}: {error:e}", backend.name);
        }
    }
}

#[test]
fn loss_and_gradients_of_a_step_match_the_cpu() {
    let (loss, gradients) = step(&Device::flex());
    let norm = |values: &[f32]| values.iter().map(|value| f64::from(value * value)).sum::<f64>().sqrt();
    assert!(norm(&gradients) > 0.0);
    for backend in backends() {
        let (found, others) = step(&backend.device);
        assert_eq!(others.len(), gradients.len(), "{}", backend.name);
        let differences: Vec<f32> = gradients.iter().zip(&others).map(|(a, b)| a - b).collect();
        let error = norm(&differences) / norm(&gradients);
        eprintln!("{}: loss {:e}, gradients {error:e} of the norm", backend.name, (found - loss).abs());
        assert!((found - loss).abs() <= 10.0 * backend.tolerance, "{}: {found} and {loss}", backend.name);
        assert!(error <= 10.0 * f64::from(backend.tolerance), "{}: {error:e}", backend.name);
    }
}

fn golden() -> Option<PathBuf> {
    let beside = || Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/golden/clip-small");
    let path = std::env::var_os("RADAPTER_GOLDEN").map_or_else(beside, PathBuf::from);
    if path.is_dir() {
        return Some(path);
    }
    eprintln!("skipped: {} does not exist (RADAPTER_GOLDEN names another folder)", path.display());
    None
}

#[test]
fn embeddings_match_pytorch() {
    let Some(golden) = golden() else { return };
    let bytes = std::fs::read(golden.join("expected.safetensors")).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let words = |name: &str| {
        let view = file.tensor(name).unwrap();
        (view.shape().to_vec(), view.data().as_chunks::<4>().0.to_vec())
    };
    let values = |name: &str| words(name).1.into_iter().map(f32::from_le_bytes).collect::<Vec<f32>>();
    let (shape, tokens) = words("tokens");
    let tokens: Vec<Vec<u32>> =
        tokens.chunks(shape[1]).map(|row| row.iter().map(|id| u32::from_le_bytes(*id)).collect()).collect();
    let checkpoint = Checkpoint::open(golden.join("open_clip"), None).unwrap();
    for backend in backends() {
        let model = Clip::from_state(&checkpoint.config, &checkpoint.state, &backend.device).unwrap();
        let pixels = Tensor::from_data(TensorData::new(values("pixels"), words("pixels").0), &backend.device);
        let image = numbers(model.encode_image(pixels, &Context::inference()));
        let text = numbers(model.encode_text(&tokens, &Context::inference()));
        let error = distance(&image, &values("image_embeddings")).max(distance(&text, &values("text_embeddings")));
        eprintln!("{}: PyTorch's embeddings {error:e}", backend.name);
        assert!(error <= backend.tolerance, "{}: {error:e}", backend.name);
    }
}
