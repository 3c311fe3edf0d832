use burn::tensor::{Device, Tensor, activation};
use radapter_kernels::gelu;

use crate::support::{close, tensor, values};

#[test]
fn it_and_its_gradient_are_burn_s() {
    for (rows, columns) in [(1, 1), (3, 5), (37, 129), (300, 257)] {
        let run = |f: fn(Tensor<2>) -> Tensor<2>| {
            let x = tensor::<2>(values(0, &[rows, columns]), &Device::flex().autodiff()).require_grad();
            let found = f(x.clone());
            let weights = tensor::<2>(values(1, &[rows, columns]), &found.device());
            let gradients = (found.clone() * weights).sum().backward();
            (found.without_autodiff(), x.grad(&gradients).unwrap())
        };
        let (found, expected) = (run(gelu), run(activation::gelu));
        close("output", found.0, expected.0, 3e-7);
        close("gradient", found.1, expected.1, 1e-6);
    }
}

/// The values of Φ at whole numbers, from tables: small values are accurate too, which a difference of large numbers
/// would lose.
#[test]
fn the_tails_are_right() {
    let x = Tensor::<1>::from_floats([-5.0, -4.0, -3.0, -2.0, -1.0, 0.0, 1.0, 2.0], &Device::flex());
    let found: Vec<f64> = gelu(x.clone()).into_data().iter::<f64>().collect();
    let cdf = [
        2.866_515_718_79e-7,
        3.167_124_183_31e-5,
        1.349_898_031_63e-3,
        2.275_013_194_82e-2,
        0.158_655_253_931,
        0.5,
        0.841_344_746_069,
        0.977_249_868_052,
    ];
    for ((found, x), cdf) in found.into_iter().zip(x.into_data().iter::<f64>()).zip(cdf) {
        assert!((found - x * cdf).abs() <= 5e-6 * (x * cdf).abs(), "{x}: {found}, {}", x * cdf);
    }
}
