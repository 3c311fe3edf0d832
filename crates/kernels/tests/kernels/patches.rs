use burn::tensor::{DType, Device, Tensor};
use radapter_kernels::{Patches, cut_patches, matmul_add_repeated};

use crate::support::{close, small, tensor};

/// The cut by burn's own operations.
fn composed(pixels: Tensor<4>, size: usize, lead: usize) -> Tensor<2> {
    let [batch, channels, height, width] = pixels.dims();
    let (down, across, row) = (height / size, width / size, channels * size * size);
    let cut = pixels.slice([0..batch, 0..channels, 0..down * size, 0..across * size]);
    let cut = cut.reshape([batch, channels, down, size, across, size]).permute([0, 2, 4, 1, 3, 5]);
    let zeros = Tensor::zeros([batch, lead, row], &cut.device());
    let parts = [zeros, cut.reshape([batch, down * across, row])];
    Tensor::cat(parts.into_iter().filter(|part| part.dims()[1] > 0).collect(), 1).reshape([-1, row as i32])
}

#[test]
fn images_of_any_shape_and_their_gradients() {
    // The last one has pixels beyond its last patches.
    for (shape, size, lead) in [([1, 1, 1, 1], 1, 0), ([2, 3, 8, 4], 2, 1), ([3, 3, 7, 10], 3, 2)] {
        let run = |f: &dyn Fn(Tensor<4>) -> Tensor<2>| {
            let pixels = tensor::<4>(small(0, &shape), &Device::flex().autodiff()).require_grad();
            let found = f(pixels.clone());
            let slopes = tensor(small(1, &found.dims()), &found.device());
            let gradients = (found.clone() * slopes).sum().backward();
            (found.without_autodiff(), pixels.grad(&gradients).unwrap())
        };
        let found = run(&|pixels| cut_patches(pixels, Patches { size, lead, dtype: DType::F32 }));
        let expected = run(&|pixels| composed(pixels, size, lead));
        close("patches", found.0.clone(), expected.0, 0.0);
        close("pixels", found.1, expected.1, 0.0);
        let pixels = tensor::<4>(small(0, &shape), &Device::flex());
        let rounded = cut_patches(pixels, Patches { size, lead, dtype: DType::BF16 });
        assert_eq!(rounded.into_data(), found.0.cast(DType::BF16).into_data());
    }
}

#[test]
fn rows_are_added_again_and_again() {
    let run = |f: fn(Tensor<2>, Tensor<2>, Tensor<2>) -> Tensor<2>| {
        let device = Device::flex().autodiff();
        let leaf = |seed: usize, shape: [usize; 2]| tensor::<2>(small(seed, &shape), &device).require_grad();
        let (x, weight, base) = (leaf(0, [12, 5]), leaf(1, [7, 5]), leaf(2, [4, 7]));
        let found = f(x.clone(), weight.clone(), base.clone());
        let gradients = (found.clone() * tensor(small(3, &[12, 7]), &device)).sum().backward();
        let of = |x: Tensor<2>| x.grad(&gradients).unwrap();
        (found.without_autodiff(), [of(x), of(weight), of(base)])
    };
    let found = run(matmul_add_repeated);
    let expected = run(|x, weight, base| x.matmul(weight.transpose()) + Tensor::cat(vec![base; 3], 0));
    close("sum", found.0, expected.0, 2e-6);
    for (found, expected) in found.1.into_iter().zip(expected.1) {
        close("gradient", found, expected, 2e-6);
    }
}
