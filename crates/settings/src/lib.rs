//! Settings that are declared once.
//!
//! A struct of settings is written with [`settings!`]: each field has its key, type, one line of help, default and range in one
//! place. From that declaration come the parsing of TOML and `key=value`, the checks and their messages, the listing of all settings,
//! and, since the struct serializes, the record of what a run used.
//!
//! Layers of values (defaults, method, recipe, file, `--set`) override each other and are deserialized once:
//!
//! ```
//! use radapter_settings::{Facts, Schema, Settings, Spec, settings};
//!
//! settings! {
//!     /// Settings of an optimizer.
//!     pub struct Optimizer {
//!         /// Learning rate.
//!         pub lr: f64 = Spec::toml("1e-3").above(0.0),
//!         /// Samples of a step.
//!         pub batch_size: usize = Spec::rule("min(64, samples)", |_, facts| (facts.samples.min(64) as i64).into()).at_least(1.0),
//!     }
//! }
//!
//! # fn main() -> Result<(), radapter_settings::SettingsError> {
//! let schema = Schema::of::<Optimizer>();
//! let mut given = Settings::default();
//! given.assign("lr=5e-4")?;
//! let resolved = schema.overlay(&[&given])?.resolve(&Facts { samples: 10, ..Facts::default() });
//! let optimizer: Optimizer = resolved.part()?;
//! assert_eq!((optimizer.lr, optimizer.batch_size), (5e-4, 10));
//!
//! given.assign("batchsize=8")?;
//! let error = schema.overlay(&[&given]).unwrap_err().to_string();
//! assert_eq!(error, "unknown setting `batchsize` in --set; did you mean batch_size?");
//! # Ok(())
//! # }
//! ```
//!
//! | module | what it has |
//! |---|---|
//! | [`setting`] | the declaration: [`Setting`], [`Spec`], [`settings!`] |
//! | [`kind`] | description of a type's values, from its own `Deserialize` |
//! | [`given`] | settings as given, in TOML files and by `key=value` |
//! | [`near`] | "did you mean" |
//! | [`schema`] | the settings of several structs: checks and layers |
//! | [`value`] | types that settings share: [`OrNone`], [`AbsolutePath`], [`Names`] |

pub mod error;
pub mod given;
pub mod kind;
pub mod near;
pub mod schema;
pub mod setting;
pub mod value;

pub use error::{Origin, SettingsError};
pub use given::Settings;
pub use schema::{Contradiction, Resolved, Schema, defaults};
pub use setting::{Declared, Facts, Range, Rule, Setting, Spec};
pub use value::{AbsolutePath, Names, OrNone};

#[doc(hidden)]
pub use serde;
