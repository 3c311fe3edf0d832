//! The registry of tasks.

use radapter_classification::task::Classification;
use radapter_methods::METHODS;
use radapter_retrieval::task::Retrieval;
use radapter_segmentation::task::Segmentation;
use radapter_settings::kind::Kind;
use radapter_settings::schema::Entry;
use radapter_training::config::Recipe;
use radapter_training::{AnyTask, Method, Registered};

/// All tasks.
pub const TASKS: &[&dyn AnyTask] =
    &[&Registered::<Classification>::new(), &Registered::<Retrieval>::new(), &Registered::<Segmentation>::new()];

/// The task with this name, which a run's record stores.
pub fn task(name: &str) -> Option<&'static dyn AnyTask> {
    TASKS.iter().copied().find(|task| task.name() == name)
}

/// The methods that a task can be trained by.
pub(crate) fn methods(task: &dyn AnyTask) -> impl Iterator<Item = &'static dyn Method> {
    METHODS.iter().copied().filter(move |method| task.has_classifier() || !method.needs_classifier())
}

/// The names of a task's recipes.
pub(crate) fn recipes(task: &dyn AnyTask) -> impl Iterator<Item = &'static str> {
    std::iter::once(Recipe::AUTO).chain(task.recipes().iter().map(|recipe| recipe.name))
}

/// What values a setting takes. Methods and recipes are words of the registries, which their type does not know.
pub(crate) fn kind(task: &dyn AnyTask, entry: &Entry) -> Kind {
    match entry.key.as_str() {
        "method" => Kind::of_words(&methods(task).map(|method| method.name()).collect::<Vec<_>>()),
        "recipe" => Kind::of_words(&recipes(task).collect::<Vec<_>>()),
        _ => entry.setting.kind(),
    }
}
