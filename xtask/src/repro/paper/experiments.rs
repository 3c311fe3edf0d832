//! What each experiment compares.

use super::Scale;

/// What is learned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Learned {
    /// Labelled images.
    Images,
    /// Captions.
    Captions,
    /// Masked regions.
    Regions,
}

/// A table of the paper.
#[derive(Debug)]
pub(super) struct Experiment {
    pub(super) name: &'static str,
    pub(super) title: &'static str,
    /// What it shows, and on which terms.
    pub(super) about: &'static str,
    pub(super) set: Learned,
    /// Settings of all arms.
    pub(super) common: fn(Scale) -> &'static [&'static str],
    /// The paper's recipe, which R-Adapter has at scale `full`.
    pub(super) recipe: Option<&'static str>,
    pub(super) arms: &'static [Arm],
    /// α of the measured models; of an arm its own if it is empty.
    pub(super) curve: &'static [f64],
    /// Whether all backbones are compared, or the first is taken.
    pub(super) all_models: bool,
}

/// A row: a method with its settings.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arm {
    pub(super) name: &'static str,
    /// Assignments; none for the model without training.
    pub(super) settings: &'static [&'static str],
    /// Learning rates, of which held-out samples choose one.
    pub(super) rates: &'static [&'static str],
    /// The weight of what was learned.
    pub(super) alpha: f64,
    /// The paper's figures, ID and OOD in %, where it has them.
    pub(super) paper: [Option<f64>; 2],
}

const fn arm(name: &'static str, settings: &'static [&'static str], rates: &'static [&'static str], alpha: f64) -> Arm {
    Arm { name, settings, rates, alpha, paper: [None, None] }
}

impl Experiment {
    /// The settings of an arm's runs at a learning rate: of all arms, of the paper's recipe, its own.
    pub(super) fn assignments(&self, arm: &Arm, scale: Scale, rate: &str) -> Vec<String> {
        let is_own = scale == Scale::Full && arm.settings.contains(&"method=r-adapter");
        let recipe = self.recipe.filter(|_| is_own);
        let all = (self.common)(scale).iter().copied().chain(recipe).chain(arm.settings.iter().copied());
        all.map(str::to_owned).chain([format!("lr={rate}")]).collect()
    }
}

impl Arm {
    const fn paper(self, id: f64, ood: f64) -> Self {
        Self { paper: [Some(id), Some(ood)], ..self }
    }

    const fn paper_ood(self, ood: f64) -> Self {
        Self { paper: [None, Some(ood)], ..self }
    }
}

const ZERO_SHOT: Arm = arm("zero-shot", &[], &[], 0.0);

/// Learning rates around the published ones, as many for each method; the gentle ones have the default of methods of all weights.
const OF_WEIGHTS: &[&str] = &["3e-5", "1e-4", "3e-4"];
const OF_GENTLE: &[&str] = &["1e-5", "3e-5", "1e-4"];
const OF_CLASSIFIER: &[&str] = &["1e-3", "1e-2", "1e-1"];
const OF_ADAPTERS: &[&str] = &["5e-4", "2e-3", "5e-3"];
const OF_LOW_RANK: &[&str] = &["2e-3", "5e-3", "2e-2"];
const OF_UPDATES: &[&str] = &["2e-4", "1e-3", "5e-3"];
const DEFAULT: &[&str] = &["5e-4"];

const FULL: Arm = arm("full fine-tuning", &["method=full"], OF_WEIGHTS, 1.0);
const WISE_FT: Arm = arm("WiSE-FT", &["method=full"], OF_WEIGHTS, 0.5);
const R_ADAPTER: Arm = arm("R-Adapter", &["method=r-adapter"], OF_ADAPTERS, 0.5);
const R_ADAPTER_DEFAULT: Arm = arm("R-Adapter, default lr", &["method=r-adapter"], DEFAULT, 0.5);
const LINEAR_PROBE: Arm = arm("linear probe", &["method=linear-probe"], OF_CLASSIFIER, 1.0);
const LORA: Arm = arm("LoRA", &["method=lora"], OF_UPDATES, 1.0);
const ADAPTFORMER: Arm = arm("AdaptFormer", &["method=adaptformer"], OF_ADAPTERS, 1.0);
const REPADAPTER: Arm = arm("RepAdapter", &["method=repadapter"], OF_ADAPTERS, 1.0);

const fn rank(name: &'static str, settings: &'static [&'static str]) -> Arm {
    arm(name, settings, OF_LOW_RANK, 0.5)
}

/// All experiments but `training-time`, which trains nothing to the end.
pub(super) const EXPERIMENTS: &[Experiment] = &[
    Experiment {
        name: "table1",
        title: "Table 1: methods of full data",
        about: "Every method on all training images.",
        set: Learned::Images,
        common,
        recipe: Some("recipe=paper-imagenet"),
        arms: &[
            ZERO_SHOT.paper(68.3, 58.4),
            FULL.paper(80.7, 52.8),
            WISE_FT.paper(81.7, 63.0),
            LINEAR_PROBE,
            arm("LP-FT", &["method=lp-ft"], OF_GENTLE, 1.0),
            arm("FLYP", &["method=flyp"], OF_GENTLE, 1.0),
            arm("CLIPood", &["method=clipood"], OF_GENTLE, 1.0),
            arm("Lipsum-FT", &["method=lipsum-ft"], OF_GENTLE, 1.0),
            arm("Mask-Fill", &["method=mask-fill"], OF_GENTLE, 1.0).paper(82.4, 63.3),
            arm("CaRot", &["method=carot"], OF_GENTLE, 1.0),
            LORA,
            ADAPTFORMER,
            REPADAPTER,
            R_ADAPTER.paper(82.0, 64.8),
            R_ADAPTER_DEFAULT,
            arm("R-Adapter with Lipsum", &["method=r-adapter", "regularizer.kind=lipsum"], DEFAULT, 0.5),
            arm("Lipsum-FT, default lr", &["method=lipsum-ft"], &["1e-5"], 1.0),
            arm("LP-FT, default lr", &["method=lp-ft"], &["3e-5"], 1.0),
        ],
        curve: &[],
        all_models: true,
    },
    Experiment {
        name: "table2",
        title: "Table 2: 16 shots, and ranks",
        about: "16 images of each class.",
        set: Learned::Images,
        common: few_shot,
        recipe: Some("recipe=paper-16-shot"),
        arms: &[
            ZERO_SHOT,
            Arm { settings: &["method=full", "shots=16"], ..FULL },
            Arm { settings: &["method=linear-probe", "shots=16"], ..LINEAR_PROBE },
            Arm { settings: &["method=lora", "shots=16"], ..LORA },
            Arm { settings: &["method=adaptformer", "shots=16"], ..ADAPTFORMER },
            Arm { settings: &["method=repadapter", "shots=16"], ..REPADAPTER },
            arm("CoOp", &["method=coop", "shots=16"], OF_ADAPTERS, 1.0),
            arm("MaPLe", &["method=maple", "shots=16"], OF_ADAPTERS, 1.0),
            rank("R-Adapter, rank 1", &["method=r-adapter", "shots=16", "adapter.rank=1"]),
            rank("R-Adapter, rank 4", &["method=r-adapter", "shots=16", "adapter.rank=4"]),
            rank("R-Adapter, rank 16", &["method=r-adapter", "shots=16", "adapter.rank=16"]),
            rank("R-Adapter, rank 64", &["method=r-adapter", "shots=16", "adapter.rank=64"]),
            Arm {
                name: "R-Adapter, full rank",
                settings: &["method=r-adapter", "shots=16", "adapter.rank=full"],
                ..R_ADAPTER
            },
        ],
        curve: &[],
        all_models: false,
    },
    Experiment {
        name: "shots",
        title: "Images of each class",
        about: "1 to 16 images of each class; beside Table 2.",
        set: Learned::Images,
        common: few_shot,
        recipe: Some("recipe=paper-16-shot"),
        arms: &[
            ZERO_SHOT,
            Arm { name: "full fine-tuning, 1", settings: &["method=full", "shots=1"], ..FULL },
            Arm { name: "full fine-tuning, 2", settings: &["method=full", "shots=2"], ..FULL },
            Arm { name: "full fine-tuning, 4", settings: &["method=full", "shots=4"], ..FULL },
            Arm { name: "full fine-tuning, 8", settings: &["method=full", "shots=8"], ..FULL },
            Arm { name: "full fine-tuning, 16", settings: &["method=full", "shots=16"], ..FULL },
            rank("R-Adapter, rank 4, 1", &["method=r-adapter", "shots=1", "adapter.rank=4"]),
            rank("R-Adapter, rank 4, 2", &["method=r-adapter", "shots=2", "adapter.rank=4"]),
            rank("R-Adapter, rank 4, 4", &["method=r-adapter", "shots=4", "adapter.rank=4"]),
            rank("R-Adapter, rank 4, 8", &["method=r-adapter", "shots=8", "adapter.rank=4"]),
            rank("R-Adapter, rank 4, 16", &["method=r-adapter", "shots=16", "adapter.rank=4"]),
        ],
        curve: &[],
        all_models: false,
    },
    Experiment {
        name: "table3",
        title: "Table 3: retrieval",
        about: "Both methods on captions, at the documented learning rates.",
        set: Learned::Captions,
        common: of_captions,
        recipe: Some("recipe=paper-coco"),
        arms: &[
            ZERO_SHOT,
            arm("FLYP", &["method=flyp"], &["3e-5"], 1.0),
            arm("R-Adapter", &["method=r-adapter"], &["5e-3"], 0.8),
        ],
        curve: &[],
        all_models: false,
    },
    Experiment {
        name: "table4",
        title: "Table 4: open-vocabulary segmentation",
        about: "OVSeg's tuning of the image tower and R-Adapter on masked regions, at the documented learning rates.",
        set: Learned::Regions,
        common,
        recipe: None,
        arms: &[
            ZERO_SHOT,
            arm("OVSeg", &["method=ovseg"], &["5e-4"], 1.0),
            arm("R-Adapter", &["method=r-adapter"], &["5e-2"], 0.4),
        ],
        curve: &[],
        all_models: false,
    },
    Experiment {
        name: "table5",
        title: "Table 5: ablation",
        about: "A plain adapter and what is added to it.",
        set: Learned::Images,
        common,
        recipe: Some("recipe=paper-imagenet"),
        arms: &[
            ablated("E0 plain adapter", &PLAIN, 1.0).paper(77.5, 47.7),
            ablated("E1 + dropout in adapters", &DROPOUT, 1.0).paper_ood(48.8),
            ablated("E2 + drop-path", &DROP_PATH, 1.0).paper_ood(47.9),
            ablated("E3 + adapter dropping (AD)", &DROPPING, 1.0).paper(77.8, 49.6),
            ablated("E4 + re-scaling (RS)", &PLAIN, 0.5).paper(76.5, 53.5),
            ablated("EMA (AC) alone", &AVERAGING, 1.0),
            ablated("AD + RS", &DROPPING, 0.5),
            ablated("E5 AD + AC + RS", &ENSEMBLES, 0.5).paper(76.6, 53.7),
            ablated("E6 + MPM-NCE", &MPM_NCE, 0.5).paper(77.5, 53.9),
            ablated("E7 + label smoothing", &SMOOTHED, 0.5).paper(77.7, 54.3),
            ablated("E7 without margin", &WITHOUT_MARGIN, 0.5).paper(77.1, 54.0),
            ablated("E7 with margin 0.1", &WIDE_MARGIN, 0.5).paper(77.8, 53.8),
            ADAPTFORMER.paper(77.2, 48.5),
            REPADAPTER.paper(77.2, 48.3),
        ],
        curve: &[],
        all_models: false,
    },
    Experiment {
        name: "fig3",
        title: "Figure 3: over α",
        about: "The weight of what was learned, from 0 to 1.",
        set: Learned::Images,
        common,
        recipe: Some("recipe=paper-imagenet"),
        arms: &[R_ADAPTER, R_ADAPTER_DEFAULT, WISE_FT],
        curve: &[0.0, 0.1, 0.2, 0.3, 0.5, 1.0],
        all_models: false,
    },
];

const fn ablated(name: &'static str, settings: &'static [&'static str], alpha: f64) -> Arm {
    arm(name, settings, OF_ADAPTERS, alpha)
}

const PLAIN: [&str; 4] = ["method=r-adapter", "adapter.drop=0", "ema=none", "loss.kind=info-nce"];
const DROPOUT: [&str; 4] = ["method=r-adapter", "adapter.drop_mode=element", "ema=none", "loss.kind=info-nce"];
const DROP_PATH: [&str; 5] =
    ["method=r-adapter", "adapter.drop=0", "adapter.drop_path=0.2", "ema=none", "loss.kind=info-nce"];
const DROPPING: [&str; 3] = ["method=r-adapter", "ema=none", "loss.kind=info-nce"];
const AVERAGING: [&str; 3] = ["method=r-adapter", "adapter.drop=0", "loss.kind=info-nce"];
const ENSEMBLES: [&str; 2] = ["method=r-adapter", "loss.kind=info-nce"];
const MPM_NCE: [&str; 2] = ["method=r-adapter", "loss.smoothing=0"];
const SMOOTHED: [&str; 2] = ["method=r-adapter", "loss.smoothing=0.02"];
const WITHOUT_MARGIN: [&str; 3] = ["method=r-adapter", "loss.smoothing=0.02", "loss.margin=0"];
const WIDE_MARGIN: [&str; 3] = ["method=r-adapter", "loss.smoothing=0.02", "loss.margin=0.1"];

fn common(scale: Scale) -> &'static [&'static str] {
    match scale {
        Scale::Full => &["epochs=10", "batch_size=512"],
        Scale::Small => &["epochs=5"],
        Scale::Shapes => &["epochs=10"],
    }
}

fn of_captions(scale: Scale) -> &'static [&'static str] {
    match scale {
        Scale::Full => &[],
        Scale::Small | Scale::Shapes => &["epochs=5", "batch_size=128"],
    }
}

/// As many samples for each number of shots.
fn few_shot(scale: Scale) -> &'static [&'static str] {
    match scale {
        Scale::Full => &["epochs=50", "batch_size=256"],
        Scale::Small | Scale::Shapes => &["steps=100", "batch_size=32", "validate_every=\"end\""],
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use radapter::classification::task::Classification;
    use radapter::methods::METHODS;
    use radapter::retrieval::task::Retrieval;
    use radapter::segmentation::task::Segmentation;
    use radapter::settings::Settings;
    use radapter::training::{AnyTask, Registered};

    use super::*;

    #[test]
    fn every_arm_has_its_own_name_and_settings_that_its_task_accepts() {
        for experiment in EXPERIMENTS {
            let task: &dyn AnyTask = match experiment.set {
                Learned::Images => &Registered::<Classification>::new(),
                Learned::Captions => &Registered::<Retrieval>::new(),
                Learned::Regions => &Registered::<Segmentation>::new(),
            };
            let names: Vec<&str> = experiment.arms.iter().map(|arm| arm.name).collect();
            for (index, arm) in experiment.arms.iter().enumerate() {
                assert!(!names[..index].contains(&arm.name), "{} twice in {}", arm.name, experiment.name);
                for scale in [Scale::Full, Scale::Small, Scale::Shapes] {
                    for rate in arm.rates {
                        let mut settings = Settings::default();
                        let all = experiment.assignments(arm, scale, rate);
                        all.iter().for_each(|assignment| settings.assign(assignment).unwrap());
                        task.check(METHODS, &settings).unwrap_or_else(|error| panic!("{}: {error}", arm.name));
                    }
                }
            }
        }
    }
}
