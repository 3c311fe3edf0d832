//! The registry of tasks.

use radapter_classification::task::Classification;
use radapter_retrieval::task::Retrieval;
use radapter_segmentation::task::Segmentation;
use radapter_training::{AnyTask, Registered};

/// All tasks.
pub const TASKS: &[&dyn AnyTask] =
    &[&Registered::<Classification>::new(), &Registered::<Retrieval>::new(), &Registered::<Segmentation>::new()];

/// The task with this name, which a run's record stores.
pub fn task(name: &str) -> Option<&'static dyn AnyTask> {
    TASKS.iter().copied().find(|task| task.name() == name)
}
