//! Model Stock's α: how much of the change several seeds agree on, for each block and sublayer.

use std::collections::BTreeMap;

use radapter_adapter::{Alpha, place_of};
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::Place;
use radapter_ensemble::stock_factor;

use super::{Choice, ChoiceError, Rule, Scene, each_alpha};

/// For each block and sublayer `t = N·cos θ / (1 + (N − 1)·cos θ)` of the changes that N runs of different seeds made (Jang, Yun and
/// Han, arXiv 2403.19522). Model Stock moves to the mean of the runs; here t scales the one run.
#[derive(Debug)]
pub(super) struct Stock;

impl Rule for Stock {
    fn name(&self) -> &'static str {
        "stock"
    }

    fn about(&self) -> &'static str {
        "for each block, how much of the change runs of several seeds agree on"
    }

    fn needs(&self) -> &'static str {
        "other runs with the same settings and another seed"
    }

    fn is_by_held_out(&self) -> bool {
        false
    }

    fn choose(&self, scene: &mut Scene<'_>) -> Result<Choice, ChoiceError> {
        let models = scene.tuned(self)?;
        let heads = scene.tuned_heads()?;
        let base = scene.base();
        let mut groups: BTreeMap<Option<Place>, Vec<&str>> = BTreeMap::new();
        for (name, tensor) in base.state.iter() {
            // A tensor that no run changed says nothing of the direction.
            let bytes = tensor.bytes();
            if models.iter().any(|model| model.state.get(name).is_some_and(|tuned| *tuned.bytes() != *bytes)) {
                groups.entry(place_of(name)).or_default().push(name);
            }
        }
        let factor = |group: Option<Place>| -> Alpha {
            let names = groups.get(&group).map(Vec::as_slice).unwrap_or_default();
            let values = |model: &Checkpoint, head: usize| -> Vec<f32> {
                let tensors = names.iter().filter_map(|name| model.state.get(name)).flat_map(|tensor| tensor.to_f32());
                // A classifier is in no block.
                let head = heads.get(head).filter(|_| group.is_none()).into_iter().flatten().copied();
                tensors.chain(head).collect()
            };
            let tuned: Vec<Vec<f32>> = models.iter().enumerate().map(|(run, model)| values(model, 1 + run)).collect();
            Alpha::new(stock_factor(&values(base, 0), &tuned)).unwrap_or_default()
        };
        Ok(Choice {
            rule: self.name().to_owned(),
            alphas: each_alpha(&base.config, factor),
            measure: format!("Model Stock's t over {} runs", models.len()),
            curve: Vec::new(),
            validation: BTreeMap::new(),
            notes: Vec::new(),
        })
    }
}
