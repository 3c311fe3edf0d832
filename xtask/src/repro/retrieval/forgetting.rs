//! Forgetting: zero-shot accuracy on PACS after training on captions.

use std::collections::BTreeMap;
use std::path::Path;

use radapter::classification::classes::Classes;
use radapter::classification::head::Head;
use radapter::classification::read::read_labelled;
use radapter::classification::suite::{TestSet, evaluate};
use radapter::clip::model::Encoder;
use radapter::datasets::{OnError, Templates};
use radapter::embedding::{EmbedOptions, Image};

const DOMAINS: [&str; 4] = ["photo", "art_painting", "cartoon", "sketch"];

/// The test images of all four domains of PACS.
pub(crate) struct Pacs {
    sets: Vec<TestSet>,
    classes: Classes,
}

impl Pacs {
    /// Reads the sets in `root/test`.
    pub(crate) fn open(root: &Path) -> anyhow::Result<Self> {
        let read = |domain: &str| read_labelled(&root.join("test").join(domain), None, OnError::Fail);
        let classes = Classes::new(read(DOMAINS[0])?.classes)?;
        let set = |domain: &str| -> anyhow::Result<TestSet> { Ok(TestSet::new(domain, read(domain)?, &classes)?) };
        let sets = DOMAINS.into_iter().map(set).collect::<Result<_, _>>()?;
        Ok(Self { sets, classes })
    }

    /// The images, without their labels.
    pub(crate) fn images(&self) -> Vec<Image> {
        self.sets.iter().flat_map(|set| &set.samples).map(Image::from).collect()
    }

    /// Zero-shot accuracy on each domain, and their mean.
    pub(crate) fn measure(&self, model: &dyn Encoder) -> anyhow::Result<BTreeMap<String, f64>> {
        let options = EmbedOptions::default();
        let head = Head::zero_shot(model, &self.classes, &Templates::default(), options.batch)?;
        let mut found = BTreeMap::new();
        for set in &self.sets {
            let outcome = evaluate(model, &head, set, &options, &mut |_| {})?;
            found.insert(set.name.clone(), outcome.evaluation.top1);
        }
        let mean = found.values().sum::<f64>() / found.len() as f64;
        found.insert("mean".to_owned(), mean);
        Ok(found)
    }
}
