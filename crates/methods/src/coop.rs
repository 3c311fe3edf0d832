//! CoOp: learned context in front of the class names of a frozen CLIP.

use burn::module::{Module, Param};
use burn::tensor::Tensor;
use radapter_adapter::{AdapterError, Alpha};
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::{Adapter, At, Clip, Context, Encoder, Place, Site, SoftPrompt, Tower};
use radapter_training::config::TrainSettings;
use radapter_training::finetuned::TunedModel;
use radapter_training::method::Output;

use crate::modules::{Attached, OF_PROMPTS, normal, prompted_model, room_for_prompt};

/// CoOp (Zhou, Yang, Loy and Liu, IJCV 2022): `[V]₁ … [V]ₘ [class].` with vectors V that all classes share, by cross-entropy over the
/// embeddings of all classes' texts.
///
/// The vectors stand behind the start of text. The publication trains with plain gradient descent, here AdamW does.
#[derive(Clone, Copy, Debug)]
pub struct CoOpMethod;

impl Attached for CoOpMethod {
    type Module = Prompt;

    const NAME: &'static str = "coop";
    const ABOUT: &'static str =
        "learned context in front of the class names, cross-entropy over the texts of all classes";
    const SOURCE: &'static str = "Zhou et al., IJCV 2022, arXiv 2109.01134";
    const OUTPUT: Output = Output::HeadOnly;
    const SETTINGS: &'static str = OF_PROMPTS;
    const NEEDS_CLASSIFIER: bool = true;

    fn attach(clip: Clip, settings: &TrainSettings) -> Result<Clip<Prompt>, AdapterError> {
        with_prompt(clip, settings.coop.tokens, settings.seed)
    }

    fn model(
        clip: Clip<Prompt>,
        base: &Checkpoint,
        alpha: &dyn Fn(Place) -> Alpha,
    ) -> Result<TunedModel, AdapterError> {
        prompted_model(clip, base, alpha)
    }
}

/// Where the tokens enter.
const PLACE: Place = Place { tower: Tower::Text, layer: 0, site: Site::Attn };

/// The learned vectors, at the text tower's entrance alone.
#[derive(Module, Debug)]
pub struct Prompt {
    /// `[tokens, width]`
    pub tokens: Option<Param<Tensor<2>>>,
}

impl Adapter for Prompt {
    fn leaves_output(&self, _at: At<'_>) -> bool {
        true
    }

    fn soft_prompt(&self, _other: Option<&Self>, _place: Place, _context: &Context) -> Option<SoftPrompt> {
        let tokens = self.tokens.as_ref()?.val().unsqueeze_dim(0);
        Some(SoftPrompt { tokens, position: 1 })
    }
}

/// Standard deviation of the vectors at the start.
const SPREAD: f64 = 0.02;

/// Freezes a model and adds vectors drawn from a normal distribution.
fn with_prompt(clip: Clip, tokens: usize, seed: u64) -> Result<Clip<Prompt>, AdapterError> {
    room_for_prompt("coop.tokens", tokens, &clip.config)?;
    let vectors = normal("coop", seed, [tokens, clip.config.text.width], SPREAD, &Encoder::device(&clip));
    Ok(clip
        .no_grad()
        .map_adapters(|place, _| Prompt { tokens: (place == PLACE).then(|| Param::from_tensor(vectors.clone())) }))
}
