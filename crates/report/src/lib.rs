//! Reports: self-contained HTML pages (nothing loaded from elsewhere, no script but one that sorts tables) with SVG charts, and tables for the terminal.
//!
//! [`Page`] and [`Chart`] define the appearance; the caller supplies the contents.
//!
//! ```
//! use radapter_report::{Chart, Mark, Page, Scale, Series, percent};
//!
//! let points = vec![(0.0, 0.62), (0.5, 0.71), (1.0, 0.69)];
//! let chart = Chart {
//!     title: "Accuracy over alpha".to_owned(),
//!     x: ("alpha".to_owned(), Scale::Plain),
//!     y: (String::new(), Scale::Percent),
//!     series: vec![Series::new("photo", 0, Mark::Dots, points)],
//! };
//! let mut page = Page::new("Sweep", "A run evaluated at three values of alpha.");
//! page.facts(&[("best", percent(0.71))]);
//! page.section("Chart");
//! page.charts(&[chart]);
//! // The space does not break.
//! assert!(page.finish().contains("71.0\u{a0}%"));
//! ```
//!
//! | module | |
//! |---|---|
//! | `page`, `pictures`, `link` | HTML pages: verdict, facts, tables, charts, images with predictions, overlays, links to files |
//! | `verdict`, `interval` | verdicts from figures in a sentence; sampling errors |
//! | `chart`, `frontier` | SVG charts: lines and points; in-distribution against out-of-distribution results |
//! | `training` | the report of a training run |
//! | `label_maps`, `regions` | label maps as images and overlays, the places of their regions' names |
//! | `table`, `numbers`, `settings` | text tables; numbers and settings as text |

mod chart;
mod choice;
mod error;
mod frontier;
mod interval;
mod label_maps;
mod link;
mod numbers;
mod page;
mod pictures;
mod regions;
mod settings;
mod table;
mod training;
mod verdict;

pub use chart::{Chart, Mark, Scale, Series};
pub use choice::show_choice;
pub use error::ReportError;
pub use frontier::{Frontier, FrontierPoint};
pub use interval::Interval;
pub use label_maps::{overlaid, paint_labels, side_by_side};
pub use link::Link;
pub use numbers::{counted, duration, grouped, percent};
pub use page::{Page, escape};
pub use pictures::{FoundImage, ImageCard, ImageLabel, Panel, Panels, Swatch};
pub use regions::region_labels;
pub use settings::dotted;
pub use table::Table;
pub use training::training_report;
pub use verdict::{Change, Term, points, verdict, verdict_on};
