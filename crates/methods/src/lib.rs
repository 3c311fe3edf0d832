//! Fine-tuning methods for CLIP by name.
//!
//! A method is one file and one line of [`METHODS`]. It says which parameters are trained, what is attached to the model, what its
//! published settings are, and what its runs come to; [`radapter_training`] trains by it.
//!
//! ```
//! let names: Vec<&str> = radapter_methods::METHODS.iter().map(|method| method.name()).collect();
//! assert_eq!(names, ["r-adapter", "full", "flyp", "ovseg"]);
//! ```
//!
//! | module | |
//! |---|---|
//! | [`r_adapter`] | small linear adapters behind attention and MLP, dropped at random, averaged, scaled by α and merged |
//! | [`full`] | all weights of the image tower and a classifier, cross-entropy |
//! | [`flyp`] | all weights of both towers, CLIP's own loss |
//! | [`ovseg`] | all weights of the image tower, texts locked, CLIP's own loss |
//! | [`weights`] | what the last three share |

pub mod flyp;
pub mod full;
pub mod ovseg;
pub mod r_adapter;
pub mod weights;

use radapter_training::Method;

/// All methods, R-Adapter first. Where a run names none, the first that can tune what is asked for is taken.
pub const METHODS: &[&dyn Method] = &[&r_adapter::RAdapterMethod, &full::FULL, &flyp::FLYP, &ovseg::OVSEG];
