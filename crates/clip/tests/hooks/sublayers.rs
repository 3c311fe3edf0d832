//! Modules before and after a sublayer.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use radapter_clip::model::{Adapter, At, Clip, Context, Tower};
use radapter_test_support::{bits, distance, embed, numbers, random_rows, uneven_batch, uneven_clip, uneven_state};

#[test]
fn hooks_that_are_not_implemented_change_no_bit() {
    #[derive(Module, Debug)]
    struct Bare {}

    impl Adapter for Bare {}

    for context in [Context::inference(), Context::training(1, 2)] {
        let plain = uneven_clip(0, &Device::flex());
        let bare = plain.clone().map_adapters(|_, _| Bare {});
        assert_eq!(bits(&embed(&bare, &context)), bits(&embed(&plain, &context)));
    }
}

#[test]
fn scaling_the_input_of_sublayers_equals_scaled_layer_norms() {
    #[derive(Module, Debug)]
    struct Scaled {}

    impl Adapter for Scaled {
        fn before(&self, input: Tensor<2>, _at: At<'_>) -> Tensor<2> {
            input.mul_scalar(2.0)
        }
    }

    let device = Device::flex();
    let (context, config) = (Context::inference(), radapter_test_support::uneven_config());
    let scaled = uneven_clip(0, &device).map_adapters(|_, _| Scaled {});
    let state = uneven_state(0).into_iter().map(|(name, tensor)| {
        let in_a_block = name.contains(".ln_1.") || name.contains(".ln_2.");
        let values = tensor.to_f32().iter().map(|value| if in_a_block { 2.0 * value } else { *value }).collect();
        (name, radapter_clip::state_dict::RawTensor::from_f32(tensor.shape(), values))
    });
    let expected = Clip::from_state(&config, &state.collect(), &device).unwrap();
    assert!(distance(&embed(&scaled, &context), &embed(&expected, &context)) < 1e-5);
    assert!(distance(&embed(&scaled, &context), &embed(&uneven_clip(0, &device), &context)) > 0.1);
}

/// A branch parallel to the sublayer, the only contribution in a model whose sublayers output zeros.
#[test]
fn a_parallel_branch_sees_the_input_of_the_sublayer() {
    #[derive(Module, Debug)]
    struct Parallel {
        weight: Tensor<2>,
    }

    impl Adapter for Parallel {
        fn after(&self, input: &Tensor<2>, output: Tensor<2>, _at: At<'_>) -> Tensor<2> {
            output + input.clone().matmul(self.weight.clone())
        }
    }

    let device = Device::flex();
    let state = uneven_state(0).into_iter().map(|(name, tensor)| {
        let silent = name.contains(".out_proj.") || name.contains(".c_proj.");
        let values = tensor.to_f32().iter().map(|value| if silent { 0.0 } else { *value }).collect();
        (name, radapter_clip::state_dict::RawTensor::from_f32(tensor.shape(), values))
    });
    let config = radapter_test_support::uneven_config();
    let clip = Clip::from_state(&config, &state.collect(), &device).unwrap();
    let weight = |tower| match tower {
        Tower::Visual => random_rows(16, 16, 3, &device),
        Tower::Text => random_rows(8, 8, 3, &device),
    };
    let (_, texts) = uneven_batch(&device);
    let (context, ids) = (Context::inference(), &texts[1]);
    let model = clip.map_adapters(|place, _| Parallel { weight: weight(place.tower) });
    let (mut x, passage) = model.begin_texts(std::slice::from_ref(ids), &context);
    for block in &model.text.transformer.resblocks {
        x = x.clone() + block.ln_1.forward(x).matmul(weight(Tower::Text));
        x = x.clone() + block.ln_2.forward(x).matmul(weight(Tower::Text));
    }
    let end = x.slice([ids.len() - 1..ids.len(), 0..8]);
    let expected = numbers(model.end(end, &passage));
    assert!(distance(&numbers(model.encode_text(std::slice::from_ref(ids), &context)), &expected) < 1e-5);
}
