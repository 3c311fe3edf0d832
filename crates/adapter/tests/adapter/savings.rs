//! Saved computations change no result: the last block computes the pooled position alone, and an adapter is folded
//! into the linear before it where that is less work. The plain way gives the same embeddings and the same gradients.

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::{Device, Tensor, TensorData};
use radapter_adapter::{AdapterConfig, DropMode, RAdapter, attach};
use radapter_clip::model::{Adapter, At, Clip, Context};

use crate::support::{batch, config, distance, numbers, random_set, state};

/// The same adapter, but all positions are computed and nothing is folded.
#[derive(Module, Debug)]
struct Plain {
    inner: RAdapter,
}

impl Adapter for Plain {
    fn after(&self, input: &Tensor<2>, output: Tensor<2>, at: At<'_>) -> Tensor<2> {
        self.inner.after(input, output, at)
    }

    fn treats_samples_alike(&self, context: &Context) -> bool {
        self.inner.treats_samples_alike(context)
    }

    fn treats_tokens_alike(&self, _context: &Context) -> bool {
        false
    }
}

fn embeddings<A: Adapter>(model: &Clip<A>, context: &Context) -> Tensor<2> {
    let (pixels, texts) = batch(&Device::flex().autodiff());
    // More rows than the towers are wide: there folding pays.
    let pixels = Tensor::cat(vec![pixels; 4], 0);
    Tensor::cat(vec![model.encode_image(pixels, context), model.encode_text(&texts, context)], 0)
}

#[test]
fn it_changes_neither_embeddings_nor_gradients() {
    let training = |step| Context::training(3, step);
    for (drop_mode, context) in [
        (DropMode::Adapter, Context::inference()),
        (DropMode::Adapter, training(0)),
        (DropMode::Sample, training(1)),
        (DropMode::Token, training(2)),
        (DropMode::Element, training(3)),
    ] {
        let drop_path = if drop_mode == DropMode::Sample { 0.3 } else { 0.0 };
        let settings = AdapterConfig { drop: 0.3, drop_mode, drop_path, ..AdapterConfig::default() };
        let clip = Clip::from_state(&config(), &state(0), &Device::flex().autodiff()).unwrap();
        let model = random_set(&settings, 4, 0.3).apply_to(attach(clip, &settings, 0).unwrap()).unwrap();
        let whole = model.clone().map_adapters(|_, inner| Plain { inner });

        let (found, expected) = (embeddings(&model, &context), embeddings(&whole, &context));
        assert!(distance(&numbers(found.clone()), &numbers(expected.clone())) < 1e-6, "{drop_mode:?}");
        let (found, expected) = (gradients(&model, found), gradients(&whole, expected));
        assert_eq!(found.len(), expected.len());
        for (at, (found, expected)) in found.iter().zip(&expected).enumerate() {
            assert_eq!(found.is_some(), expected.is_some(), "{drop_mode:?}, parameter {at}");
            if let (Some(found), Some(expected)) = (found, expected) {
                let largest = expected.iter().fold(0.0_f32, |largest, value| largest.max(value.abs()));
                let distance = distance(found, expected);
                assert!(distance <= 2e-5 * largest + 1e-7, "{drop_mode:?}, parameter {at}: {distance} of {largest}");
            }
        }
        assert!(found.iter().flatten().flatten().any(|value| *value != 0.0), "{drop_mode:?}");
    }
}

/// The gradients of all parameters in the model's order, of a loss that differs for all embeddings.
fn gradients<A: Adapter>(model: &Clip<A>, embeddings: Tensor<2>) -> Vec<Option<Vec<f32>>> {
    struct Reader(burn::tensor::Gradients, Vec<Option<Vec<f32>>>);

    impl ModuleVisitor for Reader {
        fn visit_float<const D: usize>(&mut self, parameter: &Param<Tensor<D>>) {
            self.1.push(parameter.val().grad(&self.0).map(numbers));
        }
    }

    let [rows, columns] = embeddings.dims();
    let weights = (0..rows * columns).map(|at| (at as f32).sin()).collect();
    let weights = Tensor::<2>::from_data(TensorData::new::<f32, _>(weights, [rows, columns]), &embeddings.device());
    let mut reader = Reader((embeddings * weights).sum().backward(), Vec::new());
    model.visit(&mut reader);
    reader.1
}
