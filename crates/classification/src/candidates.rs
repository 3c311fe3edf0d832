//! Possible answers on a data set, as a view of the model's logits.

use crate::classes::{Classes, ClassesError};

/// Possible answers on a data set. A candidate is one or more of the model's classes, and its score is the highest of
/// theirs.
///
/// This covers all protocols: all classes, a subset of them (ImageNet-A and -R), and groups of them
/// (ObjectNet, whose folders are coarser than ImageNet's classes).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Candidates {
    names: Vec<String>,
    members: Vec<Vec<usize>>,
    classes: usize,
}

impl Candidates {
    /// Makes every class of the model a candidate.
    pub fn all(classes: &Classes) -> Self {
        Self {
            names: classes.names().map(str::to_owned).collect(),
            members: (0..classes.len()).map(|class| vec![class]).collect(),
            classes: classes.len(),
        }
    }

    /// Selects classes of the model by name; they keep the model's order, whatever order they are given in.
    ///
    /// # Errors
    /// [`ClassesError`] for a name that the model lacks, a repeated name, and an empty selection.
    pub fn subset<'a>(classes: &Classes, names: impl IntoIterator<Item = &'a str>) -> Result<Self, ClassesError> {
        let mut positions = Vec::new();
        for (second, name) in names.into_iter().enumerate() {
            let position = classes.position(name)?;
            if let Some(first) = positions.iter().position(|&known| known == position) {
                let name = name.to_owned();
                return Err(ClassesError::Duplicate { name, first, second });
            }
            positions.push(position);
        }
        if positions.is_empty() {
            return Err(ClassesError::Empty);
        }
        positions.sort_unstable();
        let name = |&position: &usize| classes.get(position).map(|class| class.folder.clone());
        Ok(Self {
            names: positions.iter().filter_map(name).collect(),
            members: positions.iter().map(|&position| vec![position]).collect(),
            classes: classes.len(),
        })
    }

    /// Groups the model's classes under new names, in this order.
    ///
    /// # Errors
    /// [`ClassesError`] for a class that the model lacks, a repeated group name, no group, and an empty group.
    pub fn groups<'a, M: IntoIterator<Item = &'a str>>(
        classes: &Classes,
        groups: impl IntoIterator<Item = (&'a str, M)>,
    ) -> Result<Self, ClassesError> {
        let mut names: Vec<String> = Vec::new();
        let mut members = Vec::new();
        for (second, (name, group)) in groups.into_iter().enumerate() {
            if let Some(first) = names.iter().position(|known| known == name) {
                let name = name.to_owned();
                return Err(ClassesError::Duplicate { name, first, second });
            }
            let group: Vec<usize> =
                group.into_iter().map(|member| classes.position(member)).collect::<Result<_, _>>()?;
            if group.is_empty() {
                return Err(ClassesError::Empty);
            }
            names.push(name.to_owned());
            members.push(group);
        }
        if names.is_empty() {
            return Err(ClassesError::Empty);
        }
        Ok(Self { names, members, classes: classes.len() })
    }

    /// Returns the number of candidates; never zero.
    #[allow(clippy::len_without_is_empty, reason = "never empty")]
    pub fn len(&self) -> usize {
        self.names.len()
    }

    /// Returns the candidates' names in order.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Returns the number of classes of the model.
    pub fn classes(&self) -> usize {
        self.classes
    }

    /// Returns the position of the candidate with this name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.names.iter().position(|known| known == name)
    }

    /// Returns the candidates' scores, each the highest of its classes' logits.
    ///
    /// NaN is propagated, so that the accuracy can refuse it.
    ///
    /// # Panics
    /// If there is not one logit per class of the model.
    pub fn scores(&self, logits: &[f32]) -> Vec<f32> {
        assert_eq!(logits.len(), self.classes, "logits and classes of the model");
        let best = |members: &Vec<usize>| {
            let max = |a: f32, b: f32| if a >= b || a.is_nan() { a } else { b };
            members.iter().map(|&class| logits[class]).fold(f32::NEG_INFINITY, max)
        };
        self.members.iter().map(best).collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn classes() -> Classes {
        Classes::from_names(["a", "b", "c", "d"]).unwrap()
    }

    #[test]
    fn all_classes_score_their_logits() {
        let all = Candidates::all(&classes());
        assert_eq!(all.scores(&[0.1, 0.2, 0.3, 0.4]), [0.1, 0.2, 0.3, 0.4]);
        assert_eq!(all.position("c"), Some(2));
    }

    #[test]
    fn a_subset_keeps_the_models_order() {
        let subset = Candidates::subset(&classes(), ["d", "b"]).unwrap();
        assert_eq!(subset.names(), ["b", "d"]);
        assert_eq!(subset.scores(&[0.1, 0.2, 0.3, 0.4]), [0.2, 0.4]);
        assert_eq!(subset.position("a"), None);
    }

    #[test]
    fn a_group_scores_its_best_class() {
        let groups = Candidates::groups(&classes(), [("x", vec!["c", "a"]), ("y", vec!["b"])]);
        let groups = groups.unwrap();
        assert_eq!(groups.scores(&[0.5, 0.2, 0.3, 0.9]), [0.5, 0.2]);
        for logits in [[f32::NAN, 0.0, 1.0, 0.0], [1.0, 0.0, f32::NAN, 0.0]] {
            assert!(groups.scores(&logits)[0].is_nan(), "{logits:?}");
        }
    }

    #[test]
    fn invalid_candidates_are_refused() {
        let classes = classes();
        let unknown = Candidates::subset(&classes, ["e"]);
        assert!(matches!(unknown, Err(ClassesError::Unknown { .. })));
        let twice = Candidates::subset(&classes, ["a", "b", "a"]);
        assert!(matches!(twice, Err(ClassesError::Duplicate { first: 0, second: 2, .. })));
        assert!(matches!(Candidates::subset(&classes, []), Err(ClassesError::Empty)));
        let nothing = Candidates::groups(&classes, [("x", vec![])]);
        assert!(matches!(nothing, Err(ClassesError::Empty)));
        let twice = Candidates::groups(&classes, [("x", vec!["a"]), ("x", vec!["b"])]);
        assert!(matches!(twice, Err(ClassesError::Duplicate { .. })));
    }
}
