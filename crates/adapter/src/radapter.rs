//! The adapter itself, as a burn module.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use radapter_clip::model::{Adapter, At, Context, Linear, Mode, Place, Rows};
use radapter_kernels::{matmul, matmul_add, matmul_add_two, product_add};

use crate::Alpha;
use crate::draws::Purpose;
use crate::dropping::{Draw, DropMode, Dropping, mask};

/// The adapter of one sublayer: a linear residual branch, or nothing where the settings place none.
///
/// `y + γ/(1−p)·s·F y` in training, else `y + α·s·F y` (arXiv 2408.05749, equations 4 and 6, with the scale `s` of the
/// published code).
#[derive(Module, Debug)]
pub struct RAdapter {
    /// `None` at a place without an adapter.
    pub residual: Option<Residual>,
}

/// The residual branch `s·F y` of an adapter.
#[derive(Module, Debug)]
#[allow(missing_docs, reason = "the type is documented")]
pub struct Residual {
    /// `F`.
    pub map: Map,
    /// `s` if it is a parameter; one element.
    pub scale: Option<Param<Tensor<1>>>,
    /// `s` if it is not a parameter.
    #[module(skip)]
    pub fixed_scale: f32,
    #[module(skip)]
    pub dropping: Dropping,
    /// Dropping of the whole sublayer, adapter included, for each sample.
    #[module(skip)]
    pub drop_path: Dropping,
    /// Factor at inference; training uses 1.
    #[module(skip)]
    pub alpha: Alpha,
}

/// The linear map `F`, in torch's `(out, in)` layout: a row vector `y` becomes `y · Fᵀ`.
#[derive(Module, Debug)]
pub enum Map {
    /// `F` itself: `[d, d]`
    Full(Param<Tensor<2>>),
    /// `F = up · down`
    Low(LowRank),
}

/// A map of rank r.
#[derive(Module, Debug)]
pub struct LowRank {
    /// `[r, d]`
    pub down: Param<Tensor<2>>,
    /// `[d, r]`
    pub up: Param<Tensor<2>>,
}

impl RAdapter {
    /// Whether this pass has a draw for which this holds.
    fn draws(&self, context: &Context, is_so: fn(DropMode) -> bool) -> bool {
        let draws = |dropping: &Dropping| dropping.draws(context.mode) && is_so(dropping.mode());
        let of = |residual: &Residual| draws(&residual.dropping) || draws(&residual.drop_path);
        self.residual.as_ref().is_some_and(of)
    }

    /// Creates the adapter of a place without one.
    pub const fn absent() -> Self {
        Self { residual: None }
    }
}

impl Residual {
    fn draw(&self, seed: u64, step: u64, place: Place, rows: Rows) -> Draw {
        let width = match &self.map {
            Map::Full(weight) => weight.dims()[0],
            Map::Low(LowRank { up, .. }) => up.dims()[0],
        };
        self.dropping.draw(Purpose::Dropping, seed, step, place, rows, width)
    }

    /// `factor · s` as a number or, where `s` is a parameter, a tensor.
    fn scaled(&self, tensor: Tensor<2>, factor: f64) -> Tensor<2> {
        match &self.scale {
            Some(scale) => tensor * scale.val().mul_scalar(factor).unsqueeze(),
            None => match factor * f64::from(self.fixed_scale) {
                1.0 => tensor,
                factor => tensor.mul_scalar(factor),
            },
        }
    }

    /// `factor · s · F` as a map that can be applied from the left, `(up, down)` with an empty `down` for a full one.
    ///
    /// The scale goes into the map, which is smaller than the activations, and which autodiff keeps for the backward pass
    /// anyway.
    fn factors(&self, factor: f64) -> (Tensor<2>, Option<Tensor<2>>) {
        match &self.map {
            Map::Full(weight) => (self.scaled(weight.val(), factor), None),
            Map::Low(LowRank { down, up }) => (self.scaled(up.val(), factor), Some(down.val())),
        }
    }

    /// `x + y + factor · s · F (γ·y)` for each row `y`, where the row or its elements have factors γ of their own if `rows` are given.
    ///
    /// # Shapes
    /// `x` and `y`: `[rows, d]`, `rows`: `[rows, 1]` or `[rows, d]` → `[rows, d]`
    fn add_to(&self, x: Option<Tensor<2>>, y: Tensor<2>, factor: f64, rows: Option<Tensor<2>>) -> Tensor<2> {
        let masked = match rows {
            Some(rows) => y.clone() * rows,
            None => y.clone(),
        };
        let (masked, weight) = match self.factors(factor) {
            (weight, None) => (masked, weight),
            (up, Some(down)) => (matmul(masked, down), up),
        };
        match x {
            Some(x) => matmul_add_two(masked, weight, y, x),
            None => matmul_add(masked, weight, y),
        }
    }

    /// `(I + factor·s·F)·W`, computed as `W + …`, so that the small term is added to the large one once.
    ///
    /// # Shapes
    /// `[d, k]` → `[d, k]`
    pub(crate) fn fold_weight(&self, weight: Tensor<2>, factor: f64) -> Tensor<2> {
        let (left, right) = match self.factors(factor) {
            (map, None) => (map, weight.clone()),
            (up, Some(down)) => (up, down.cast(weight.dtype()).matmul(weight.clone())),
        };
        product_add(left, right, weight)
    }

    /// `(I + factor·s·F)·b`
    ///
    /// # Shapes
    /// `[d]` → `[d]`
    pub(crate) fn fold_bias(&self, bias: Tensor<1>, factor: f64) -> Tensor<1> {
        let [width] = bias.dims();
        self.fold_weight(bias.reshape([width, 1]), factor).reshape([width])
    }
}

/// The effect of an adapter in one pass.
enum Pass {
    /// Adds nothing.
    Absent,
    /// Its output is multiplied by this.
    Scaled(f64),
    /// Each row of its input, or each element, is multiplied by its number.
    Rows(Vec<f32>),
}

impl RAdapter {
    /// A sublayer's output with this pass's branch, added to `x`.
    fn adapted(&self, residual: &Residual, x: Option<Tensor<2>>, output: Tensor<2>, at: At<'_>) -> Tensor<2> {
        match (self.pass(at), x) {
            (Pass::Absent, None) => output,
            (Pass::Absent, Some(x)) => radapter_kernels::add(x, output),
            (Pass::Scaled(factor), x) => residual.add_to(x, output, factor, None),
            (Pass::Rows(factors), x) => {
                let mask = mask(factors, at.rows, &output);
                residual.add_to(x, output, 1.0, Some(mask))
            }
        }
    }

    fn pass(&self, At { place, rows, context }: At<'_>) -> Pass {
        let Some(residual) = &self.residual else {
            return Pass::Absent;
        };
        match context.mode {
            // α = 0 gives the pretrained model bit for bit; adding zeros would turn −0 into 0.
            Mode::Inference if residual.alpha == Alpha::ZERO => Pass::Absent,
            Mode::Inference => Pass::Scaled(residual.alpha.get()),
            Mode::Training { seed, step } => match residual.draw(seed, step, place, rows) {
                Draw::Dropped => Pass::Absent,
                Draw::Kept(factor) => Pass::Scaled(factor),
                Draw::Rows(factors) => Pass::Rows(factors),
            },
        }
    }
}

/// Whether `(I + F)·W` for a full F and W of shape `[width, inputs]` is less work than `F` on that many rows. In units of `width`
/// multiplications: folded, a training step has the product with W and its gradient, and the gradient of the folded weight;
/// unfolded, it has `F y` and the gradients of F and of y.
fn folding_pays(rows: usize, width: usize, inputs: usize, mode: Mode) -> bool {
    match mode {
        Mode::Inference => width * inputs < rows * width,
        Mode::Training { .. } => 2 * width * inputs + rows * inputs < 3 * rows * width,
    }
}

impl Adapter for RAdapter {
    fn after(&self, _input: &Tensor<2>, output: Tensor<2>, at: At<'_>) -> Tensor<2> {
        let Some(residual) = &self.residual else {
            return output;
        };
        let output = self.adapted(residual, None, output, at);
        residual.drop_path.act(Purpose::Path, output, at)
    }

    fn leaves_output(&self, at: At<'_>) -> bool {
        match &self.residual {
            Some(Residual { dropping, drop_path, .. }) => {
                let mode = at.context.mode;
                let by_row = dropping.draws(mode) && dropping.mode() != DropMode::Adapter;
                !by_row && !drop_path.draws(mode) && matches!(self.pass(at), Pass::Absent)
            }
            None => true,
        }
    }

    fn add(&self, x: Tensor<2>, input: &Tensor<2>, output: Tensor<2>, at: At<'_>) -> Tensor<2> {
        match &self.residual {
            Some(residual) if !residual.drop_path.draws(at.context.mode) => self.adapted(residual, Some(x), output, at),
            _ => radapter_kernels::add(x, self.after(input, output, at)),
        }
    }

    fn fold(&self, linear: &Linear, at: At<'_>) -> Option<(Tensor<2>, Tensor<1>)> {
        let residual = self.residual.as_ref().filter(|residual| matches!(residual.map, Map::Full(_)))?;
        let [width, inputs] = linear.weight.shape().dims();
        if residual.drop_path.is_per_sample(at.context.mode) {
            return None;
        }
        if !folding_pays(at.rows.batch * at.rows.tokens, width, inputs, at.context.mode) {
            return None;
        }
        let Pass::Scaled(factor) = self.pass(at) else {
            return None;
        };
        let (weight, bias) = (linear.weight.val(), linear.bias.val());
        Some((residual.fold_weight(weight, factor), residual.fold_bias(bias, factor)))
    }

    fn treats_samples_alike(&self, context: &Context) -> bool {
        !self.draws(context, DropMode::is_per_sample)
    }

    fn treats_tokens_alike(&self, context: &Context) -> bool {
        !self.draws(context, |mode| matches!(mode, DropMode::Token | DropMode::Element))
    }
}
