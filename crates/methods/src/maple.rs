//! MaPLe: prompts of both towers of a frozen CLIP, those of images derived from those of texts.

use burn::module::{Module, Param};
use burn::tensor::{DType, Tensor};
use radapter_adapter::{AdapterError, Alpha};
use radapter_clip::checkpoint::Checkpoint;
use radapter_clip::model::{Adapter, At, Clip, Context, Encoder, Place, Site, SoftPrompt, Tower};
use radapter_clip::tokenizer::Tokenizer;
use radapter_training::config::{MapleSettings, TrainSettings};
use radapter_training::finetuned::TunedModel;
use radapter_training::method::Output;

use crate::modules::{Attached, OF_PROMPTS, normal, prompted_model, room_for_prompt, uniform};

/// MaPLe (Khattak, Rasheed, Maaz, Khan and Khan, CVPR 2023): vectors P that enter each of the first blocks of the text tower behind the
/// start of text, and `P·Fᵀ + f` at the end of the sequence of the same blocks of the image tower, by cross-entropy over the
/// embeddings of all classes' texts.
///
/// The publication trains with plain gradient descent, here AdamW does.
#[derive(Clone, Copy, Debug)]
pub struct MapleMethod;

impl Attached for MapleMethod {
    type Module = Coupled;

    const NAME: &'static str = "maple";
    const ABOUT: &'static str = "learned prompts in both towers, those of images derived from those of texts, cross-entropy over the texts of all classes";
    const SOURCE: &'static str = "Khattak et al., CVPR 2023, arXiv 2210.03117";
    const OUTPUT: Output = Output::PromptsOnly;
    const SETTINGS: &'static str = OF_PROMPTS;
    const NEEDS_CLASSIFIER: bool = true;

    fn attach(clip: Clip, settings: &TrainSettings) -> Result<Clip<Coupled>, AdapterError> {
        with_prompts(clip, settings.maple, settings.seed)
    }

    fn model(
        clip: Clip<Coupled>,
        base: &Checkpoint,
        alpha: &dyn Fn(Place) -> Alpha,
    ) -> Result<TunedModel, AdapterError> {
        prompted_model(clip, base, alpha)
    }
}

/// The prompts of a text block, or what makes those of an image block from them.
#[derive(Module, Debug)]
pub struct Coupled {
    /// Of texts: `[tokens, width of the text tower]`
    pub tokens: Option<Param<Tensor<2>>>,
    /// Of images.
    pub projection: Option<Projection>,
}

/// The coupling of a block: a linear from the width of the text tower to that of the image tower.
#[derive(Module, Debug)]
pub struct Projection {
    /// `[image width, text width]`
    pub weight: Param<Tensor<2>>,
    /// `[1, image width]`
    pub bias: Param<Tensor<2>>,
}

impl Projection {
    /// `P·Fᵀ + f`
    ///
    /// # Shapes
    /// `[tokens, text width]` → `[tokens, image width]`
    pub fn forward(&self, tokens: Tensor<2>) -> Tensor<2> {
        tokens.matmul(self.weight.val().transpose()) + self.bias.val()
    }
}

impl Adapter for Coupled {
    fn leaves_output(&self, _at: At<'_>) -> bool {
        true
    }

    fn soft_prompt(&self, other: Option<&Self>, _place: Place, _context: &Context) -> Option<SoftPrompt> {
        let (tokens, position) = match (&self.tokens, &self.projection) {
            (Some(tokens), _) => (tokens.val(), 1),
            (None, Some(projection)) => (projection.forward(other?.tokens.as_ref()?.val()), usize::MAX),
            (None, None) => return None,
        };
        Some(SoftPrompt { tokens: tokens.unsqueeze_dim(0), position })
    }
}

/// The words whose vectors the first block's prompt starts from, as far as it is long.
const START: &str = "a photo of a";

/// Standard deviation of the other vectors at the start.
const SPREAD: f64 = 0.02;

/// Freezes a model and adds prompts. The first block's are words, the others' drawn; projections start as PyTorch initialises a linear.
fn with_prompts(clip: Clip, settings: MapleSettings, seed: u64) -> Result<Clip<Coupled>, AdapterError> {
    let MapleSettings { tokens, depth } = settings;
    let (config, device) = (clip.config.clone(), Encoder::device(&clip));
    room_for_prompt("maple.tokens", tokens, &config)?;
    let depth = depth.min(config.text.layers).min(config.vision.layers);
    let (from, to) = (config.text.width, config.vision.width);

    let words = Tokenizer::clip().encode_unpadded(START, usize::MAX);
    // What is trained is f32 in every precision.
    let table = clip.text.token_embedding.weight.val().cast(DType::F32);
    // Without the start and the end of text.
    let known = words[1..words.len() - 1].iter().take(tokens).map(|&word| word as usize);
    let known: Vec<Tensor<2>> = known.map(|word| table.clone().narrow(0, word, 1)).collect();
    Ok(clip.no_grad().map_adapters(|place, _| {
        let none = Coupled { tokens: None, projection: None };
        if place.site != Site::Attn || place.layer >= depth {
            return none;
        }
        let purpose = |name: &str| format!("maple {place} {name}");
        let projected = |name: &str, rows: usize, columns: usize| {
            uniform(&purpose(name), seed, [rows, columns], 1.0 / (from as f32).sqrt(), &device)
        };
        match place.tower {
            Tower::Text => {
                let drawn = normal(&purpose("tokens"), seed, [tokens, from], SPREAD, &device);
                let tokens = match place.layer {
                    0 => {
                        let rest = (known.len() < tokens).then(|| drawn.slice([known.len()..tokens, 0..from]));
                        Tensor::cat(known.iter().cloned().chain(rest).collect(), 0)
                    }
                    _ => drawn,
                };
                Coupled { tokens: Some(Param::from_tensor(tokens.detach())), ..none }
            }
            Tower::Visual => Coupled {
                projection: Some(Projection { weight: projected("weight", to, from), bias: projected("bias", 1, to) }),
                ..none
            },
        }
    }))
}
