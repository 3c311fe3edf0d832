//! An optimizer step on one parameter: AdamW with a moving average, and the norm for gradient clipping.

use burn::tensor::Tensor;

use crate::arguments::AdamW;

/// A parameter and its optimizer state; all of one length.
#[derive(Clone, Debug)]
pub struct Tracked {
    /// θ
    pub parameter: Tensor<1>,
    /// m
    pub first: Tensor<1>,
    /// v
    pub second: Tensor<1>,
    /// The moving average of θ, if there is one.
    pub average: Option<Tensor<1>>,
}

impl AdamW {
    /// Computes parameter and moments after the step, and the average `m·average + (1 − m)·parameter` with the new
    /// parameter. Storage that is not shared is reused. Tensors are outside graphs.
    pub fn step(&self, tracked: Tracked, gradient: Tensor<1>, m: f64) -> Tracked {
        #[cfg(feature = "flex")]
        if crate::ops::has_steps(&tracked.parameter) {
            return self.in_one_pass(tracked, gradient, m);
        }
        let Tracked { parameter, first, second, average } = tracked;
        let gradient = gradient.mul_scalar(self.gradient_factor);
        let first = first.mul_scalar(self.betas[0]) + gradient.clone().mul_scalar(self.complements[0]);
        let second = second.mul_scalar(self.betas[1]) + gradient.square().mul_scalar(self.complements[1]);
        let deviation = second.clone().div_scalar(self.second_correction).sqrt().add_scalar(self.epsilon);
        let update = first.clone().div_scalar(self.first_correction) / deviation;
        let parameter = parameter.mul_scalar(self.decay) - update.mul_scalar(self.rate);
        let average = average.map(|average| average.mul_scalar(m) + parameter.clone().mul_scalar(1.0 - m));
        Tracked { parameter, first, second, average }
    }

    #[cfg(feature = "flex")]
    fn in_one_pass(&self, tracked: Tracked, gradient: Tensor<1>, m: f64) -> Tracked {
        use burn::backend::Dispatch;

        use crate::ops::Steps;

        let Tracked { parameter, first, second, average } = tracked;
        let [parameter, first, second, gradient] = [parameter, first, second, gradient].map(Tensor::into_dispatch);
        let (parameter, first, second, average) = match average {
            None => {
                let found = <Dispatch as Steps>::adamw(parameter, gradient, first, second, *self);
                (found.0, found.1, found.2, None)
            }
            Some(average) => {
                let weights = [m as f32, (1.0 - m) as f32];
                let average = average.into_dispatch();
                let found =
                    <Dispatch as Steps>::adamw_averaged(parameter, gradient, first, second, average, *self, weights);
                (found.0, found.1, found.2, Some(found.3))
            }
        };
        let [parameter, first, second] = [parameter, first, second].map(Tensor::from_dispatch);
        Tracked { parameter, first, second, average: average.map(Tensor::from_dispatch) }
    }
}

/// Sums of squares of parts of a tensor; their sum, left to the host, is the squared norm. The parts are the same on
/// any number of threads. The tensor is outside graphs.
///
/// # Shapes
/// `[count]` → `[parts]`
pub fn square_sums(x: Tensor<1>) -> Tensor<1> {
    #[cfg(feature = "flex")]
    if crate::ops::has_steps(&x) {
        use burn::backend::Dispatch;

        return Tensor::from_dispatch(<Dispatch as crate::ops::Steps>::square_sums(x.into_dispatch()));
    }
    // Rows of a fixed length: a sum over a whole tensor may be split among threads in any order.
    const ROW: usize = 1024;
    let ([count], device) = (x.dims(), x.device());
    let squares = x.square();
    let whole = count - count % ROW;
    let mut sums = Vec::new();
    if whole > 0 {
        let rows = squares.clone().narrow(0, 0, whole).reshape([whole / ROW, ROW]);
        sums.push(rows.sum_dim(1).reshape([whole / ROW]));
    }
    if count > whole {
        sums.push(squares.narrow(0, whole, count - whole).sum());
    }
    if sums.is_empty() { Tensor::zeros([1], &device) } else { Tensor::cat(sums, 0) }
}
