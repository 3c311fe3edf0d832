//! What the faults are caused in: trainings, an index, a merge, a sweep.

use std::path::Path;
use std::process::Command;

use super::world::{World, copy};

/// What a case writes into its folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// `run`, which is resumed.
    Run,
    /// `index`, updated from an older one by the same command again.
    Index,
    /// `result`, which is there when it is complete.
    Result,
}

/// A call of the command.
#[derive(Debug)]
pub(crate) struct Case {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    words: &'static str,
    /// Arguments that a resumed run needs again.
    again: &'static str,
}

impl Case {
    /// The words of the first call.
    pub(crate) fn words(&self) -> String {
        let common = " --steps 6 --batch-size 4 --set save_every=1 --set validate_every=2 --set log.tensorboard=true \
                      --set adapter.rank=4 --set workers=1 --out {out}/run ";
        match self.kind {
            Kind::Run => format!("train {}{common}{}", self.words, self.again),
            Kind::Index | Kind::Result => self.words.to_owned(),
        }
    }

    /// Writes what is there before the first call.
    pub(crate) fn prepare(&self, world: &World, out: &Path) -> anyhow::Result<()> {
        match self.kind {
            Kind::Index => {
                copy(&world.path("index"), &out.join("index"))?;
                // Its appearance shows that a process has begun.
                Ok(std::fs::remove_file(out.join("index/lock"))?)
            }
            Kind::Run | Kind::Result => Ok(()),
        }
    }

    /// The words of the call that continues after a fault; `None` if the result is there.
    pub(crate) fn continued(&self, out: &Path) -> Option<String> {
        match self.kind {
            Kind::Run if out.join("run/config.toml").exists() => {
                Some(format!("train --resume --out {{out}}/run {}", self.again))
            }
            // Empty, it is there from the beginning, to show early that it can be written.
            Kind::Result if has_entries(&out.join("result")) => None,
            Kind::Run | Kind::Index | Kind::Result => Some(self.words()),
        }
    }

    /// The first call.
    pub(crate) fn start(&self, world: &World, out: &Path) -> Command {
        world.radapter(&self.words(), out)
    }
}

const CLASSES: &str = "classification --model embedded --train {root}/data/train/photo --val {root}/data/train/sketch";

pub(crate) const CASES: [Case; 9] = [
    Case { name: "train classification", kind: Kind::Run, words: CLASSES, again: "" },
    Case {
        name: "train classification, micro_batch",
        kind: Kind::Run,
        words: "classification --model embedded --train {root}/data/train/photo --set micro_batch=2 --set ema=none",
        again: "",
    },
    Case { name: "train classification, two devices", kind: Kind::Run, words: CLASSES, again: "--device cpu,cpu" },
    Case {
        name: "train classification, pixel cache",
        kind: Kind::Run,
        words: CLASSES,
        again: "--pixel-cache {out}/pixels",
    },
    Case {
        name: "train retrieval",
        kind: Kind::Run,
        words: "retrieval --model embedded --captions {root}/several/captions/train-photo.json --images \
                {root}/several/train",
        again: "",
    },
    Case {
        name: "train segmentation",
        kind: Kind::Run,
        words: "segmentation --model embedded --images {root}/several/train/photo --annotations \
                {root}/several/masks/train/photo --classes {root}/labels.txt",
        again: "",
    },
    Case {
        name: "index",
        kind: Kind::Index,
        words: "index --model embedded --images {root}/data/train/photo --moved --out {out}/index",
        again: "",
    },
    Case {
        name: "merge",
        kind: Kind::Result,
        words: "merge --run {root}/run --format hf --out {out}/result",
        again: "",
    },
    Case {
        name: "sweep",
        kind: Kind::Result,
        words: "sweep --run {root}/run --suite {root}/suite.toml --alpha 0,1 --out {out}/result",
        again: "",
    },
];

/// Whether a folder is there, and not empty.
pub(crate) fn has_entries(folder: &Path) -> bool {
    std::fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

/// The case of a name.
pub(crate) fn case(name: &str) -> &'static Case {
    CASES.iter().find(|case| case.name == name).unwrap_or(&CASES[0])
}
