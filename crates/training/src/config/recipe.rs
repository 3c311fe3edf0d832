//! Published recipes, as layers of settings.

/// A published table's column as settings, which the user's own override. A task has its recipes.
///
/// Recipes are for runs of their own length: on a few hundred images 500 warm-up steps and m = 0.999 leave adapters where they
/// began. So the defaults scale with the run, and the tables are there verbatim for whoever repeats a paper.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recipe {
    /// The value of `recipe`.
    pub name: &'static str,
    /// What it is for, in a line.
    pub about: &'static str,
    /// The settings, as TOML.
    pub settings: &'static str,
}

impl Recipe {
    /// The value of `recipe` that stands for none.
    pub const AUTO: &'static str = "auto";
}
