//! Fine-tuning methods for CLIP by name.
//!
//! A method is one file and one line of [`METHODS`]. It defines the trained parameters, the modules attached to the model, the
//! published settings and the output of a run. [`radapter_training`] runs it.
//!
//! ```
//! let names: Vec<&str> = radapter_methods::METHODS.iter().map(|method| method.name()).collect();
//! assert_eq!(names, ["r-adapter", "full", "flyp", "ovseg", "linear-probe", "lp-ft", "clipood", "lipsum-ft", "mask-fill", "carot", "lora", "adaptformer", "repadapter", "coop", "maple"]);
//! ```
//!
//! | module | |
//! |---|---|
//! | [`r_adapter`] | small linear adapters after attention and MLP, dropped at random, averaged, scaled by α and merged |
//! | [`full`] | all weights of the image tower and a classifier, cross-entropy |
//! | [`flyp`] | all weights of both towers, CLIP's own loss |
//! | [`ovseg`] | all weights of the image tower, texts locked, CLIP's own loss |
//! | [`linear_probe`] | a classifier on the frozen image tower |
//! | [`lp_ft`] | the classifier first, then all weights of the image tower |
//! | [`clipood`] | all weights of the image tower against locked texts, with margins and a Beta moving average |
//! | [`lipsum_ft`] | full fine-tuning that keeps the logits of random texts |
//! | [`mask_fill`] | full fine-tuning that keeps the embeddings of images with patches of others |
//! | [`carot`] | FLYP with distillation from the moving average and an orthogonal image projection |
//! | [`lora`] | low-rank updates of the attention's projections, merged |
//! | [`adaptformer`] | bottlenecks in parallel to the MLPs, not merged |
//! | [`repadapter`] | linear adapters in front of attention and MLP, merged |
//! | [`coop`] | learned context in front of the class names |
//! | [`maple`] | learned prompts in both towers |
//! | [`weights`] | what the methods without modules share |
//! | [`modules`] | what the methods with modules share, except R-Adapter |

pub mod adaptformer;
pub mod carot;
pub mod clipood;
pub mod coop;
pub mod flyp;
pub mod full;
pub mod linear_probe;
pub mod lipsum_ft;
pub mod lora;
pub mod lp_ft;
pub mod maple;
pub mod mask_fill;
pub mod modules;
pub mod ovseg;
pub mod r_adapter;
pub mod repadapter;
pub mod weights;

use radapter_training::Method;

use crate::modules::ModuleMethod;

/// All methods, R-Adapter first. A run that names none uses the first that supports its `tune` setting.
pub const METHODS: &[&dyn Method] = &[
    &r_adapter::RAdapterMethod,
    &full::FULL,
    &flyp::FLYP,
    &ovseg::OVSEG,
    &linear_probe::LINEAR_PROBE,
    &lp_ft::LP_FT,
    &clipood::CLIPOOD,
    &lipsum_ft::LIPSUM_FT,
    &mask_fill::MASK_FILL,
    &carot::CAROT,
    &ModuleMethod(lora::LoraMethod),
    &ModuleMethod(adaptformer::AdaptFormerMethod),
    &ModuleMethod(repadapter::RepAdapterMethod),
    &ModuleMethod(coop::CoOpMethod),
    &ModuleMethod(maple::MapleMethod),
];
