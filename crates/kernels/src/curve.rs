/// A function of single values between the two linear layers of an MLP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Curve {
    /// `x · σ(1.702 x)`
    QuickGelu,
    /// `x Φ(x)`
    Gelu,
}
