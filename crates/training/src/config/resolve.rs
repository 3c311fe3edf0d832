use super::{
    ConfigError, Decay, Ema, Every, Keep, LossConfig, LossKind, OrNone, ResolvedConfig, Temperature, TrainConfig, Tune,
};
use radapter_adapter::AdapterConfig;

/// What a task would have where the user says nothing.
#[derive(Clone, Debug, PartialEq)]
pub struct TaskDefaults {
    /// Share of the adapters in the merged model.
    pub alpha: f64,
    /// The loss under `tune = "adapters"`.
    pub adapters_loss: LossKind,
    /// The loss under `tune = "all"` and `"image"`.
    pub all_loss: LossKind,
    /// δ.
    pub margin: f64,
    /// ε of MPM-NCE; that of the other losses is 0.
    pub smoothing: f64,
    /// The validation metric that chooses the best.
    pub best: String,
}

/// What defaults follow.
#[derive(Clone, Debug, PartialEq)]
pub struct Situation<'a> {
    /// Training samples.
    pub samples: usize,
    /// The checkpoint's own temperature, exp(−logit_scale).
    pub checkpoint_temperature: f64,
    /// The task's defaults.
    pub task: &'a TaskDefaults,
}

/// Concrete settings, and what the user should know of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Resolved {
    /// The settings.
    pub config: ResolvedConfig,
    /// Settings that are allowed and probably unwanted.
    pub warnings: Vec<String>,
}

impl TrainConfig {
    /// Fills in what is not said: by the recipe, else by defaults that follow the number of steps.
    ///
    /// # Errors
    /// [`ConfigError`] for values outside their range and settings that exclude each other.
    pub fn resolve(&self, situation: &Situation<'_>) -> Result<Resolved, ConfigError> {
        let recipe = self.recipe.unwrap_or_default();
        let base = recipe.settings();
        let task = situation.task;
        macro_rules! said {
            ($($key:ident).+) => { self.$($key).+.clone().or(base.$($key).+.clone()) };
        }
        let tune = said!(tune).unwrap_or_default();
        let all = tune != Tune::Adapters;

        let (epochs, steps) = match (self.epochs, self.steps) {
            (Some(epochs), Some(_)) => {
                let expected = "epochs and steps both give the run's length: leave one out";
                return Err(ConfigError::Range { key: "epochs", found: epochs.to_string(), expected });
            }
            (None, Some(steps)) => (None, Some(steps)),
            (epochs, None) => (Some(epochs.or(base.epochs).unwrap_or(10)), None),
        };
        let batch_size = said!(batch_size).unwrap_or(64.min(situation.samples.max(1)));
        let kind = said!(loss.kind).unwrap_or(if all { task.all_loss } else { task.adapters_loss });
        let smoothing = match kind {
            LossKind::MpmNce => task.smoothing,
            LossKind::InfoNce | LossKind::CrossEntropy => 0.0,
        };
        let temperature = match said!(loss.temperature).unwrap_or(Temperature::Value(0.01)) {
            Temperature::Value(value) => value,
            Temperature::Checkpoint => situation.checkpoint_temperature,
        };
        let patience = said!(patience).unwrap_or(OrNone::None);
        let mut config = ResolvedConfig {
            recipe,
            epochs,
            steps,
            batch_size,
            lr: said!(lr).unwrap_or(if all { 3e-5 } else { 5e-4 }),
            final_lr: said!(final_lr).unwrap_or(1e-6),
            weight_decay: said!(weight_decay).unwrap_or(if all { 0.1 } else { 0.0 }),
            betas: said!(betas).unwrap_or([0.9, 0.999]),
            eps: said!(eps).unwrap_or(1e-8),
            warmup: 0,
            schedule: said!(schedule).unwrap_or(Decay::Cosine),
            clip_norm: said!(clip_norm).unwrap_or(OrNone::Some(1.0)),
            seed: said!(seed).unwrap_or(0),
            tune,
            // A recipe's is the adapters' too.
            alpha: if all { self.alpha.unwrap_or(1.0) } else { said!(alpha).unwrap_or(task.alpha) },
            ema: OrNone::None,
            micro_batch: said!(micro_batch).unwrap_or(OrNone::None),
            checkpointing: said!(checkpointing).unwrap_or(false),
            precision: said!(precision).unwrap_or_default(),
            save_every: said!(save_every).unwrap_or(OrNone::Some(500)),
            validate_every: said!(validate_every).unwrap_or(Every::Epoch),
            best: said!(best).unwrap_or_else(|| task.best.clone()),
            patience,
            keep: said!(keep).unwrap_or(if patience == OrNone::None { Keep::Last } else { Keep::Best }),
            workers: said!(workers).unwrap_or_else(default_workers),
            loss: LossConfig {
                kind,
                margin: said!(loss.margin).unwrap_or(task.margin),
                smoothing: said!(loss.smoothing).unwrap_or(smoothing),
                temperature,
            },
            adapter: adapter_config(&base, self)?,
        };
        let total = config.total_steps(situation.samples);
        config.warmup = said!(warmup).unwrap_or((total / 20).min(500));
        config.ema = match said!(ema).unwrap_or(if all { Ema::None } else { Ema::Auto }) {
            Ema::Auto => OrNone::Some(0.01_f64.powf(1.0 / total.max(1) as f64).min(0.999)),
            Ema::None => OrNone::None,
            Ema::Decay(decay) => OrNone::Some(decay),
        };
        check(&config, total)?;
        let warnings = warnings(&config, total);
        Ok(Resolved { config, warnings })
    }
}

fn default_workers() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from).min(8)
}

/// The adapter's defaults, over them the recipe's keys, over them the user's.
fn adapter_config(base: &TrainConfig, user: &TrainConfig) -> Result<AdapterConfig, ConfigError> {
    let value = |reason: String| ConfigError::Value { origin: "adapter".to_owned(), reason };
    let mut table = toml::Table::try_from(AdapterConfig::default()).map_err(|e| value(e.to_string()))?;
    let mut config = AdapterConfig::default();
    for (key, said) in [&base.adapter, &user.adapter].into_iter().flatten().flatten() {
        table.insert(key.clone(), said.clone());
        // One by one, so that the error can name its key.
        config = table.clone().try_into().map_err(|error: toml::de::Error| ConfigError::Value {
            origin: format!("adapter.{key} = {said}"),
            reason: error.message().to_owned(),
        })?;
    }
    Ok(config)
}

fn check(config: &ResolvedConfig, total: u64) -> Result<(), ConfigError> {
    let range = |key, found: String, expected, fine: bool| match fine {
        true => Ok(()),
        false => Err(ConfigError::Range { key, found, expected }),
    };
    let positive =
        |key, value: f64| range(key, value.to_string(), "it must be above 0", value.is_finite() && value > 0.0);
    let not_negative =
        |key, value: f64| range(key, value.to_string(), "it must be at least 0", value.is_finite() && value >= 0.0);
    let count = |key, value: u64| range(key, value.to_string(), "it must be at least 1", value > 0);

    if let Some(epochs) = config.epochs {
        count("epochs", epochs)?;
    }
    count("steps", total)?;
    count("batch_size", config.batch_size as u64)?;
    count("workers", config.workers as u64)?;
    // TOML's integers have 63 bits.
    let fits = i64::try_from(config.seed).is_ok();
    range("seed", config.seed.to_string(), "it must be below 2^63", fits)?;
    positive("lr", config.lr)?;
    not_negative("final_lr", config.final_lr)?;
    not_negative("weight_decay", config.weight_decay)?;
    positive("eps", config.eps)?;
    for beta in config.betas {
        range("betas", beta.to_string(), "each must be in [0, 1)", (0.0..1.0).contains(&beta))?;
    }
    if let OrNone::Some(norm) = config.clip_norm {
        positive("clip_norm", norm)?;
    }
    if let OrNone::Some(m) = config.ema {
        range("ema", m.to_string(), "it must be in [0, 1)", (0.0..1.0).contains(&m))?;
    }
    if let OrNone::Some(size) = config.micro_batch {
        count("micro_batch", size as u64)?;
        let expected = "with micro_batch it must be \"adapter\" or \"token\", as each part would draw the same masks";
        range("adapter.drop_mode", "\"sample\"".to_owned(), expected, config.adapter_draws_fit_parts())?;
    }
    if let OrNone::Some(steps) = config.save_every {
        count("save_every", steps)?;
    }
    if let OrNone::Some(validations) = config.patience {
        count("patience", validations)?;
    }
    let expected = "it must be between 0, the base model, and 1, the adapted one (up to 1.5 with a warning)";
    range("alpha", config.alpha.to_string(), expected, (0.0..=1.5).contains(&config.alpha))?;
    let expected = "without adapters (tune) the run trains and validates all of it: mix it with the base when it is done, by --alpha";
    range("alpha", config.alpha.to_string(), expected, config.tune == Tune::Adapters || config.alpha == 1.0)?;
    positive("loss.temperature", config.loss.temperature)?;
    not_negative("loss.margin", config.loss.margin)?;
    let smoothing = config.loss.smoothing;
    range("loss.smoothing", smoothing.to_string(), "it must be in [0, 1)", (0.0..1.0).contains(&smoothing))
}

fn warnings(config: &ResolvedConfig, total: u64) -> Vec<String> {
    let mut warnings = Vec::new();
    if let OrNone::Some(m) = config.ema {
        let left = m.powf(total as f64);
        if left > 0.1 {
            warnings.push(format!(
                "ema = {m} over {total} steps leaves {:.0} % of the start in the average, which is what is evaluated: \
                 leave ema at \"auto\", or train longer",
                100.0 * left
            ));
        }
    }
    if config.warmup >= total {
        warnings.push(format!(
            "warmup = {} covers all {total} steps: the learning rate never reaches lr = {}",
            config.warmup, config.lr
        ));
    }
    if config.alpha > 1.0 {
        warnings.push(format!("alpha = {} extrapolates beyond the adapted model", config.alpha));
    }
    warnings
}
