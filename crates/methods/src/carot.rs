//! CaRot: FLYP with self-distillation and an orthogonal image projection.

use radapter_training::Averaging;
use radapter_training::config::Tune;

use crate::weights::WeightTuning;

/// CaRot: both towers with CLIP's own loss, distillation from the [moving average](teacher) of the model
/// ([`SelfDistillation`](radapter_training::regularizer::SelfDistillation)), and an image projection that is kept orthogonal. Evaluated is
/// the trained model, not its average.
///
/// The released script also trains the logit scale and adds 0.05·‖P_image·P_textᵀ‖, which are left out.
pub const CAROT: WeightTuning = WeightTuning {
    name: "carot",
    about: "FLYP with distillation from the moving average and an orthogonal image projection",
    source: "Oh et al., NeurIPS 2024, arXiv 2311.01723",
    settings: r#"
        tune = "all"
        loss.kind = "info-nce"
        regularizer.kind = "self-distill"
        regularizer.orthogonality = 0.2
        lr = 1e-5
        final_lr = 0.0
        weight_decay = 0.1
    "#,
    tunes: &[Tune::All],
    needs_classifier: false,
    averaging: Some(teacher),
    ..WeightTuning::USUAL
};

/// Decays of the average at the first step, and from [`RAMP`] of the run on.
const DECAYS: [f64; 2] = [0.05, 0.9];
/// Share of the run in which the decay grows.
const RAMP: f64 = 0.2;
/// Updates of the average in a run: the published 500 steps apart in 25,020.
const UPDATES: u64 = 50;
/// Maximum of steps between updates.
const APART: u64 = 500;

/// The average that teaches: it is updated every 500 steps, or 50 times in shorter runs, with a decay that grows from 0.05 to 0.9 over the
/// first fifth of the run.
pub fn teacher(steps: u64) -> Averaging {
    let apart = (steps / UPDATES).clamp(1, APART);
    let ramp = (RAMP * steps as f64).max(1.0);
    Averaging::new(move |step| {
        // Steps are counted from 1 here, and from 0 in the published schedule.
        let step = step.saturating_sub(1);
        match step % apart {
            0 => DECAYS[0] + (DECAYS[1] - DECAYS[0]) * (step as f64 / ramp).min(1.0),
            _ => 1.0,
        }
    })
    .only_for_teacher()
}
