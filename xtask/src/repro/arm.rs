//! The compared methods of a reproduction, each with its grid of learning rates.

use anyhow::Context as _;
use radapter::methods::METHODS;
use radapter::training::Method;

/// A method with a grid of learning rates, as large as those of the others.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Arm<const RATES: usize> {
    /// The name in the table.
    pub(crate) name: &'static str,
    /// The method's name in the registry.
    pub(crate) method: &'static str,
    /// The adapters' rank; `None` for full rank.
    pub(crate) rank: Option<i64>,
    pub(crate) grid: [f64; RATES],
}

impl<const RATES: usize> Arm<RATES> {
    pub(crate) const fn new(name: &'static str, method: &'static str, grid: [f64; RATES]) -> Self {
        Self { name, method, rank: None, grid }
    }

    pub(crate) const fn with_rank(self, rank: i64) -> Self {
        Self { rank: Some(rank), ..self }
    }

    pub(crate) fn registered(&self) -> anyhow::Result<&'static dyn Method> {
        let found = METHODS.iter().copied().find(|method| method.name() == self.method);
        found.with_context(|| format!("no method is named {}", self.method))
    }
}

/// The arms of the named methods; all arms if none is named.
pub(crate) fn chosen<const RATES: usize>(arms: &[Arm<RATES>], methods: &[String]) -> anyhow::Result<Vec<Arm<RATES>>> {
    for name in methods {
        if !arms.iter().any(|arm| arm.method == name) {
            let mut known: Vec<&str> = arms.iter().map(|arm| arm.method).collect();
            known.dedup();
            anyhow::bail!("--method {name} is not compared here; expected one of {}", known.join(", "));
        }
    }
    let is_chosen = |arm: &&Arm<RATES>| methods.is_empty() || methods.iter().any(|name| name == arm.method);
    Ok(arms.iter().filter(is_chosen).copied().collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn arms_are_chosen_by_their_methods_names() {
        let arms = [Arm::new("full fine-tuning", "full", [1.0]), Arm::new("R-Adapter", "r-adapter", [2.0])];
        let names = |methods: &[&str]| {
            let methods: Vec<String> = methods.iter().map(|&name| name.to_owned()).collect();
            chosen(&arms, &methods).map(|arms| arms.iter().map(|arm| arm.name).collect::<Vec<_>>())
        };
        assert_eq!(names(&[]).unwrap(), ["full fine-tuning", "R-Adapter"]);
        assert_eq!(names(&["r-adapter"]).unwrap(), ["R-Adapter"]);
        let error = names(&["other"]).unwrap_err().to_string();
        assert_eq!(error, "--method other is not compared here; expected one of full, r-adapter");
        assert!(arms[1].registered().unwrap().is_scaled() && !arms[0].registered().unwrap().is_scaled());
    }
}
