//! What is trained on each set of the study.

use radapter::settings::{Settings, SettingsError};

use crate::repro::pacs::DOMAINS;
use crate::repro::sets::{CAPTIONED, SHAPES, STREETS};

/// A method at a learning rate.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arm {
    pub(super) name: &'static str,
    pub(super) method: &'static str,
    pub(super) lr: f64,
    /// Whether the learning rate is the documented one.
    pub(super) is_main: bool,
}

const fn arm(name: &'static str, method: &'static str, lr: f64) -> Arm {
    Arm { name, method, lr, is_main: true }
}

const R_ADAPTER: &str = "R-Adapter";
const WISE_FT: &str = "WiSE-FT";

/// The learning rates are those that held-out samples chose in the documented comparisons (`docs/results.md`).
const PACS: [Arm; 2] = [arm(R_ADAPTER, "r-adapter", 5e-3), arm(WISE_FT, "full", 3e-4)];
const DRAWN: [Arm; 2] = [arm(R_ADAPTER, "r-adapter", 1e-2), arm(WISE_FT, "full", 1e-3)];
const FLICKR8K: [Arm; 2] = [arm(R_ADAPTER, "r-adapter", 5e-3), arm(WISE_FT, "flyp", 3e-5)];
const CAMVID: [Arm; 2] = [arm(R_ADAPTER, "r-adapter", 5e-2), arm(WISE_FT, "ovseg", 5e-4)];
/// Other learning rates, to choose them together with α; the first is the default.
const JOINT: [Arm; 2] = [
    Arm { is_main: false, ..arm(R_ADAPTER, "r-adapter", 5e-4) },
    Arm { is_main: false, ..arm(R_ADAPTER, "r-adapter", 2e-3) },
];

impl Arm {
    /// The settings of a run.
    pub(super) fn settings(&self, seed: u64) -> Result<Settings, SettingsError> {
        let mut settings = Settings::default();
        settings.set("method", self.method)?;
        settings.set("lr", self.lr)?;
        settings.set("seed", seed as i64)?;
        Ok(settings)
    }
}

/// The arms of a set.
pub(super) fn arms(set: &str) -> Vec<Arm> {
    match set {
        CAPTIONED => FLICKR8K.to_vec(),
        STREETS => CAMVID.to_vec(),
        SHAPES => DRAWN.to_vec(),
        domain if domain == DOMAINS[0] => [&PACS[..], &JOINT].concat(),
        _ => PACS.to_vec(),
    }
}
