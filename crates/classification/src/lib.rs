//! Classification with CLIP: zero-shot classifiers, accuracy in and out of distribution, and robust fine-tuning.
//!
//! Modules, from the bottom up:
//!
//! * [`accuracy`]: top-1, top-5 and per-class accuracy and confusion, as functions of scores on the host.
//! * [`calibration`]: likelihood of labels, the temperature that fits best, and the expected calibration error.
//! * [`classes`] and [`candidates`]: the classes of a model in the order of its logits, and the answers that a data set allows.
//! * [`head`]: the classifier on [`radapter_embedding`]'s embeddings; [`predict`]: rankings for images.
//! * [`suite`]: one in-distribution set and its shifted sets, and the row of results over them; [`imagenet`]: the
//!   ImageNet family's.
//! * [`config`], [`data`], [`validator`], [`task`]: the task for the trainer; [`finetuned`]: from a run back to a
//!   model.
//!
//! The optimizer is in [`radapter_training`], which in turn does not know about classes.
//!
//! # A classifier without training
//!
//! ```no_run
//! use std::path::Path;
//!
//! use burn::tensor::Device;
//! use radapter_classification::classes::Classes;
//! use radapter_embedding::EmbedOptions;
//! use radapter_classification::head::Head;
//! use radapter_classification::read::read_labelled;
//! use radapter_classification::suite::{TestSet, evaluate};
//! use radapter_clip::checkpoint::Checkpoint;
//! use radapter_clip::model::Clip;
//! use radapter_datasets::{OnError, Templates};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let checkpoint = Checkpoint::open("clip-vit-b-32", None)?;
//! let clip = Clip::from_state(&checkpoint.config, &checkpoint.state, &Device::flex())?;
//! let images = read_labelled(Path::new("photos"), None, OnError::Fail)?;
//! let classes = Classes::new(images.classes.clone())?;
//! let head = Head::zero_shot(&clip, &classes, &Templates::default(), 64)?;
//! let set = TestSet::new("photos", images, &classes)?;
//! let outcome = evaluate(&clip, &head, &set, &EmbedOptions::default(), &mut |_| {})?;
//! println!("top-1: {:.1} %", 100.0 * outcome.evaluation.top1);
//! # Ok(())
//! # }
//! ```

pub mod accuracy;
pub mod calibration;
pub mod candidates;
pub mod classes;
pub mod config;
pub mod data;
pub mod finetuned;
pub mod head;
pub mod imagenet;
pub mod predict;
pub mod read;
pub mod suite;
pub mod task;
pub mod validator;
