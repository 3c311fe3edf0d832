//! The settings that a method tries.

use radapter_settings::near;

use super::contender::{CONTENDERS, Contender, Made};
use crate::command::args::Axis;
use crate::command::failure::Usage;

/// A combination of settings, as (key, value).
pub(super) type Point = Vec<(String, String)>;

/// The combinations of a method; a single empty one without a grid. An axis of the method replaces one of all methods.
pub(super) fn points(contender: &Contender, axes: &[Axis]) -> Vec<Point> {
    let own = |axis: &Axis| axis.method.as_deref() == Some(contender.name);
    let applies = |axis: &&Axis| {
        let replaced = || axes.iter().any(|other| own(other) && other.key == axis.key);
        own(axis) || (axis.method.is_none() && !replaced())
    };
    let mut points: Vec<Point> = vec![Vec::new()];
    for axis in axes.iter().filter(applies) {
        let with = |value: &String| {
            let pair = (axis.key.clone(), value.clone());
            points.iter().map(move |point| [point.clone(), vec![pair.clone()]].concat()).collect::<Vec<_>>()
        };
        points = axis.values.iter().flat_map(with).collect();
    }
    points
}

/// Refuses an axis of a method that is not trained, and a key twice for the same methods.
pub(super) fn check(axes: &[Axis]) -> Result<(), Usage> {
    for (index, axis) in axes.iter().enumerate() {
        if axes[..index].iter().any(|other| (&other.method, &other.key) == (&axis.method, &axis.key)) {
            return Err(Usage(format!("--grid has `{}` twice; give all its values at once", axis.key)));
        }
        let Some(method) = &axis.method else { continue };
        let trained = CONTENDERS.iter().filter(|known| matches!(known.made, Made::Trained { .. }));
        if !trained.clone().any(|known| known.name == method) {
            let hint = near::hint(method, trained.map(|known| known.name));
            return Err(Usage(format!("--grid {method}:…: `{method}` is not a method that is trained{hint}")));
        }
    }
    Ok(())
}

/// A combination as `key=value` words.
pub(super) fn words(point: &Point) -> Vec<String> {
    point.iter().map(|(key, value)| format!("{key}={value}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::command::compare::contender::find;

    fn texts(contender: &str, axes: &[&str]) -> Vec<String> {
        let axes: Vec<Axis> = axes.iter().map(|text| text.parse().unwrap()).collect();
        points(find(contender).unwrap(), &axes).iter().map(|point| words(point).join(" ")).collect()
    }

    #[test]
    fn axes_are_combined_and_those_of_a_method_replace_those_of_all() {
        assert_eq!(texts("full", &[]), [""]);
        let axes = ["lr=1,2", "ema=none,0.9", "full:lr=3"];
        assert_eq!(texts("flyp", &axes), ["lr=1 ema=none", "lr=2 ema=none", "lr=1 ema=0.9", "lr=2 ema=0.9"]);
        assert_eq!(texts("full", &axes), ["ema=none lr=3", "ema=0.9 lr=3"]);
    }

    #[test]
    fn an_axis_of_a_method_that_is_not_trained_is_refused() {
        let refused = |text: &str| check(&[text.parse().unwrap()]).unwrap_err().to_string();
        assert!(refused("wise-ft:lr=1").contains("not a method that is trained"));
        assert!(refused("ful:lr=1").contains("did you mean full?"));
    }
}
