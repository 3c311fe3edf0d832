//! What `compare` compares: a method is one entry of [`CONTENDERS`].

use radapter_experiments::quickstart;
use radapter_settings::near;
use radapter_training::AnyTask;
use radapter_training::choice::AUTO;

use crate::command::failure::Usage;
use crate::tasks::methods;

/// The base model, which stands in every comparison.
pub(crate) const ZERO_SHOT: &str = "zero-shot";

/// A method of a comparison.
#[derive(Debug)]
pub(crate) struct Contender {
    pub(crate) name: &'static str,
    /// The name on a page.
    pub(crate) title: &'static str,
    pub(crate) made: Made,
}

/// How the models of a method come about.
#[derive(Debug)]
pub(crate) enum Made {
    /// Trained by a method of `train`, and measured at the alpha of the settings.
    Trained {
        method: &'static str,
        /// Settings beside those of the comparison, as for `--set`.
        settings: &'static [&'static str],
        /// Whether alpha is free after training.
        is_scaled: bool,
    },
    /// The runs of another at this alpha; `of: None` for the task's full fine-tuning.
    Rescaled { of: Option<&'static str>, alpha: f64 },
    /// The runs of another at the alpha that the rule of `alpha = "auto"` chooses for each; `of` as above.
    Chosen { of: Option<&'static str> },
    /// Full fine-tuning, interpolated from 0 at the first block to alpha at the last.
    Layerwise,
    /// The mean of the seeds of full fine-tuning.
    Soup,
    /// Model Stock of the seeds of full fine-tuning.
    Stock,
}

/// All methods, in the order of the table.
pub(crate) const CONTENDERS: &[Contender] = &[
    Contender { name: "r-adapter", title: "R-Adapter", made: trained("r-adapter", &[], true) },
    Contender {
        name: "r-adapter-rank-4",
        title: "R-Adapter, rank 4",
        made: trained("r-adapter", &["adapter.rank=4"], true),
    },
    Contender { name: "r-adapter-auto", title: "R-Adapter, auto", made: Made::Chosen { of: Some("r-adapter") } },
    Contender { name: "full", title: "full fine-tuning", made: trained("full", &[], false) },
    Contender { name: "flyp", title: "FLYP", made: trained("flyp", &[], false) },
    Contender { name: "ovseg", title: "OVSeg", made: trained("ovseg", &[], false) },
    Contender { name: "linear-probe", title: "linear probe", made: trained("linear-probe", &[], false) },
    Contender { name: "lp-ft", title: "LP-FT", made: trained("lp-ft", &[], false) },
    Contender { name: "clipood", title: "CLIPood", made: trained("clipood", &[], false) },
    Contender { name: "lipsum-ft", title: "Lipsum-FT", made: trained("lipsum-ft", &[], false) },
    Contender { name: "mask-fill", title: "Mask-Fill", made: trained("mask-fill", &[], false) },
    Contender { name: "lora", title: "LoRA", made: trained("lora", &[], false) },
    Contender { name: "adaptformer", title: "AdaptFormer", made: trained("adaptformer", &[], false) },
    Contender { name: "repadapter", title: "RepAdapter", made: trained("repadapter", &[], false) },
    Contender { name: "coop", title: "CoOp", made: trained("coop", &[], false) },
    Contender { name: "maple", title: "MaPLe", made: trained("maple", &[], false) },
    Contender { name: "carot", title: "CaRot", made: trained("carot", &[], false) },
    Contender { name: "wise-ft", title: "WiSE-FT", made: Made::Rescaled { of: None, alpha: 0.5 } },
    Contender { name: "wise-ft-auto", title: "WiSE-FT, auto", made: Made::Chosen { of: None } },
    Contender { name: "lines", title: "LiNeS", made: Made::Layerwise },
    Contender { name: "soup", title: "model soup", made: Made::Soup },
    Contender { name: "stock", title: "Model Stock", made: Made::Stock },
];

const fn trained(method: &'static str, settings: &'static [&'static str], is_scaled: bool) -> Made {
    Made::Trained { method, settings, is_scaled }
}

impl Contender {
    /// Whether a task has the method.
    pub(crate) fn is_for(&self, task: &dyn AnyTask) -> bool {
        match &self.made {
            Made::Trained { method, .. } => methods(task).any(|own| own.name() == *method),
            _ => true,
        }
    }

    /// Whether the method mixes runs of several seeds. Its model is a checkpoint, and not a run at some alpha.
    pub(crate) fn mixes_seeds(&self) -> bool {
        matches!(self.made, Made::Soup | Made::Stock)
    }

    /// The method whose runs it uses: itself if it is trained.
    pub(crate) fn parent(&'static self, task: &dyn AnyTask) -> anyhow::Result<&'static Contender> {
        let name = match self.made {
            Made::Trained { .. } => return Ok(self),
            Made::Rescaled { of: Some(name), .. } | Made::Chosen { of: Some(name) } => name,
            _ => full_fine_tuning(task)?,
        };
        find(name)
    }

    /// How it is made, for `radapter methods`; `None` for a method of `train` as it is.
    pub(crate) fn about(&self) -> Option<String> {
        Some(match &self.made {
            Made::Trained { settings: [], .. } => return None,
            Made::Trained { method, settings, .. } => format!("{method} with {}", settings.join(", ")),
            Made::Rescaled { of, alpha } => format!("runs of {} at alpha = {alpha}", of.unwrap_or(FULL)),
            Made::Chosen { of } => format!("runs of {} at the alpha that the rule {AUTO} chooses", of.unwrap_or(FULL)),
            Made::Layerwise => format!("runs of {FULL}, interpolated from 0 at the first block to 1 at the last"),
            Made::Soup => format!("the mean of the seeds of {FULL}"),
            Made::Stock => format!("Model Stock of the seeds of {FULL}"),
        })
    }
}

const FULL: &str = "full fine-tuning";

/// The name of the method that is full fine-tuning for a task.
pub(crate) fn full_fine_tuning(task: &dyn AnyTask) -> anyhow::Result<&'static str> {
    Ok(quickstart(task.name())?.full_fine_tuning)
}

/// The contender with this name.
pub(crate) fn find(name: &str) -> anyhow::Result<&'static Contender> {
    CONTENDERS.iter().find(|contender| contender.name == name).ok_or_else(|| {
        let hint = near::hint(name, CONTENDERS.iter().map(|contender| contender.name));
        Usage(format!("unknown method `{name}`{hint}")).into()
    })
}

/// The methods of `--methods`, each once and in the given order; without it those that task and seeds allow.
pub(super) fn chosen(task: &dyn AnyTask, names: &[String], seeds: usize) -> anyhow::Result<Vec<&'static Contender>> {
    let full = full_fine_tuning(task)?;
    if names.is_empty() {
        let usual = ["r-adapter", "r-adapter-auto", full, "flyp", "wise-ft", "lines", "soup", "stock"];
        let fits = |contender: &&Contender| usual.contains(&contender.name) && (seeds > 1 || !contender.mixes_seeds());
        return Ok(CONTENDERS.iter().filter(fits).collect());
    }
    let mut chosen: Vec<&Contender> = Vec::new();
    for name in names.iter().map(|name| name.trim()).filter(|name| *name != ZERO_SHOT) {
        let contender = find(name)?;
        if !contender.is_for(task) {
            let task = task.name();
            return Err(Usage(format!(
                "{name} needs a classifier, which {task} does not have; full fine-tuning of {task} is {full}"
            ))
            .into());
        }
        if contender.mixes_seeds() && seeds < 2 {
            return Err(Usage(format!(
                "{name} mixes the seeds of {full} and needs two or more; give --seeds 0,1, or leave {name} out of --methods"
            ))
            .into());
        }
        if !chosen.iter().any(|known| known.name == name) {
            chosen.push(contender);
        }
    }
    if chosen.is_empty() {
        return Err(Usage("--methods names none beside zero-shot, which stands in every comparison".into()).into());
    }
    Ok(chosen)
}
