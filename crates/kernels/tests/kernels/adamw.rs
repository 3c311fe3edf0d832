use burn::tensor::{Device, Tensor};
use radapter_kernels::{AdamW, Tracked, square_sums};

use crate::support::{small, tensor};

const COUNT: usize = 40_000;
const M: f64 = 0.9;

fn numbers(x: &Tensor<1>) -> Vec<f64> {
    x.to_data().iter::<f64>().collect()
}

/// Three steps, with and without an average, against the formula in double precision.
#[test]
fn steps_are_the_formula_s() {
    let device = Device::flex();
    let (lr, betas, epsilon, decay, factor) = (0.01, [0.9, 0.999], 1e-8, 0.1, 0.5);
    for averaged in [false, true] {
        let start = tensor::<1>(small(0, &[COUNT]), &device);
        let zeros = || Tensor::<1>::zeros([COUNT], &device);
        let average = averaged.then(|| start.clone());
        let mut found = Tracked { parameter: start.clone(), first: zeros(), second: zeros(), average };
        let (mut parameter, mut first, mut second) = (numbers(&start), vec![0.0; COUNT], vec![0.0; COUNT]);
        let mut mean = numbers(&start);
        for time in 1..=3 {
            let gradient = tensor::<1>(small(time as usize, &[COUNT]), &device);
            found = AdamW::new(lr, betas, epsilon, decay, time, factor).step(found, gradient.clone(), M);
            let correction = betas.map(|beta| 1.0 - beta.powi(time as i32));
            for (at, gradient) in numbers(&gradient).into_iter().enumerate() {
                let gradient = factor * gradient;
                first[at] = betas[0] * first[at] + (1.0 - betas[0]) * gradient;
                second[at] = betas[1] * second[at] + (1.0 - betas[1]) * gradient * gradient;
                let step = first[at] / correction[0] / ((second[at] / correction[1]).sqrt() + epsilon);
                parameter[at] = (1.0 - lr * decay) * parameter[at] - lr * step;
                mean[at] = M * mean[at] + (1.0 - M) * parameter[at];
            }
        }
        let worst = |found: &Tensor<1>, expected: &[f64]| {
            numbers(found).iter().zip(expected).fold(0.0_f64, |worst, (a, b)| worst.max((a - b).abs()))
        };
        assert!(worst(&found.parameter, &parameter) < 1e-6);
        assert!(worst(&found.first, &first) < 1e-6);
        assert!(worst(&found.second, &second) < 1e-7);
        assert_eq!(found.average.is_some(), averaged);
        if let Some(average) = &found.average {
            assert!(worst(average, &mean) < 1e-6);
        }
        assert_eq!(start.into_data(), small(0, &[COUNT]), "what others hold stays as it is");
    }
}

#[test]
fn squares_are_summed() {
    for count in [1, 7, 16_384, 16_385, COUNT] {
        let x = tensor::<1>(small(0, &[count]), &Device::flex());
        let exact: f64 = numbers(&x).iter().map(|value| value * value).sum();
        let found: f64 = numbers(&square_sums(x)).iter().sum();
        assert!((found - exact).abs() <= 1e-7 * exact, "{count}: {found}, {exact}");
    }
}
