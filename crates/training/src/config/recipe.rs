//! Published recipes, as layers of settings.

/// Published hyperparameters of a task as settings, which the user's own override.
///
/// A recipe assumes a run as long as the paper's: on a few hundred images 500 warm-up steps and m = 0.999 leave adapters almost
/// untrained. The defaults scale with the run instead; recipes reproduce a paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// Value of the `recipe` setting.
    pub name: &'static str,
    /// One-line description.
    pub about: &'static str,
    /// In TOML.
    pub settings: &'static str,
}

impl Recipe {
    /// Value of `recipe` for no recipe.
    pub const AUTO: &'static str = "auto";
}
