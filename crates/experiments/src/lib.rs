//! Comparisons of fine-tuning methods on the drawn shapes world: zero-shot, full fine-tuning and R-Adapter, trained on photos and
//! evaluated on photos and on domains that were never trained on. They are the engine of `radapter quickstart`.
//!
//! The comparison is fair: both methods see the same images in the same order for as many steps, with the same batch size and
//! augmentation. Both learning rates come from grids of the same size and were chosen by the result on in-distribution
//! validation images, in a world of another seed (`cargo xtask tune-quickstart`). α is fixed beforehand. No choice depends on a label
//! outside the training domain.
//!
//! ```no_run
//! use burn::tensor::Device;
//! use radapter_clip::checkpoint::Checkpoint;
//! use radapter_datasets::shapes::World;
//! use radapter_experiments::{Comparison, quickstart};
//!
//! # fn main() -> anyhow::Result<()> {
//! let device = Device::flex();
//! let base = Checkpoint::open("weights", None)?;
//! let retrieval = quickstart("retrieval")?;
//! let budget = (retrieval.full)();
//! let comparison = Comparison::draw(retrieval, &World::new(0), budget, &base, &device)?;
//! let compared = comparison.run("runs".as_ref(), Default::default(), &mut |piece| eprintln!("{}", piece.what))?;
//! if let Some(claim) = comparison.claim(&compared.rows) {
//!     println!("{claim}");
//! }
//! std::fs::write("report.html", comparison.page(&compared)?)?;
//! # Ok(())
//! # }
//! ```
//!
//! | module | |
//! |---|---|
//! | `quickstart` | the three comparisons: their names, budgets and learning rates |
//! | `comparison` | trains and measures both methods for all seeds |
//! | `experiment` | what a task provides: its data, how a model is measured, what the report shows |
//! | `classification`, `retrieval`, `segmentation` | the tasks on the shapes world |
//! | [`run`] | trains or resumes a run of any task |
//! | `contender` | what is compared |
//! | `results` | rows of results, their means, the claim |
//! | `page` | the report and its table |

mod budget;
mod classification;
mod comparison;
mod contender;
mod experiment;
mod page;
mod quickstart;
mod results;
mod retrieval;
pub mod run;
mod segmentation;

pub use budget::Budget;
pub use comparison::{Compared, Comparison, Piece, ProgressListener, Shown};
pub use contender::{Contender, LearningRates};
pub use experiment::{Experiment, Figures, Model};
pub use page::table;
pub use quickstart::{QUICKSTARTS, Quickstart, quickstart};
pub use results::{Claim, Row, mean_rows};
