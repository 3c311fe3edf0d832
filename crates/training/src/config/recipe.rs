use serde::{Deserialize, Serialize};

use super::{Decay, Ema, OrNone, TrainConfig};

/// Where defaults come from.
///
/// The published recipes are for runs of their own length: on a few hundred images 500 warm-up steps and m = 0.999 leave the
/// adapters where they began. So `auto` scales with the run, and the table is there verbatim for who repeats the paper.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Recipe {
    /// Defaults that follow the run's length.
    #[default]
    Auto,
    /// ImageNet, 10 epochs of batch 512.
    PaperImagenet,
    /// COCO retrieval, 10 epochs of batch 512.
    PaperCoco,
    /// 16 shots of ImageNet, 50 epochs of batch 256, rank 4.
    #[serde(rename = "paper-16-shot")]
    Paper16Shot,
    /// From base to novel classes, 101 epochs of batch 32, rank 4.
    PaperBaseToNovel,
}

impl Recipe {
    /// The published table's column as settings, which the user's own override (R-Adapter's code and paper, ECCV 2024).
    pub(super) fn settings(self) -> TrainConfig {
        let (epochs, batch_size, warmup, m, alpha, smoothing, margin, rank, clip) = match self {
            Self::Auto => return TrainConfig::default(),
            Self::PaperImagenet => (10, 512, 500, 0.999, 0.5, 0.02, 0.05, None, true),
            Self::PaperCoco => (10, 512, 500, 0.999, 0.8, 0.0, 0.05, None, false),
            Self::Paper16Shot => (50, 256, 0, 0.999, 0.5, 0.02, 0.05, Some(4), true),
            Self::PaperBaseToNovel => (101, 32, 500, 0.9, 0.5, 0.0, 0.1, Some(4), true),
        };
        let mut settings = TrainConfig {
            epochs: Some(epochs),
            batch_size: Some(batch_size),
            lr: Some(5e-4),
            final_lr: Some(1e-6),
            weight_decay: Some(0.0),
            betas: Some([0.9, 0.999]),
            warmup: Some(warmup),
            schedule: Some(Decay::Cosine),
            clip_norm: Some(if clip { OrNone::Some(1.0) } else { OrNone::None }),
            alpha: Some(alpha),
            ema: Some(Ema::Decay(m)),
            ..TrainConfig::default()
        };
        settings.loss.smoothing = Some(smoothing);
        settings.loss.margin = Some(margin);
        settings.adapter = rank.map(|rank: i64| toml::Table::from_iter([("rank".to_owned(), rank.into())]));
        settings
    }
}
