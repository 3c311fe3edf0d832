//! The registry of tasks.

use radapter_classification::task::Classification;
use radapter_methods::METHODS;
use radapter_retrieval::task::Retrieval;
use radapter_segmentation::task::Segmentation;
use radapter_settings::SettingsError;
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

/// The other tasks that have a setting, or a group of settings, with this key; none if the task itself has it.
pub(crate) fn owners(key: &str, task: &dyn AnyTask) -> Vec<&'static str> {
    let is_key = |known: &str| known.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'));
    let has = |task: &dyn AnyTask| task.settings().entries().iter().any(|entry| is_key(&entry.key));
    if has(task) {
        return Vec::new();
    }
    TASKS.iter().filter(|other| has(**other)).map(|other| other.name()).collect()
}

/// Says that a setting is one of these other tasks.
pub(crate) fn of_others(owners: &[&str], task: &dyn AnyTask) -> String {
    format!("it is a setting of {}, not of {}", owners.join(" and "), task.name())
}

/// An error of settings that says so where the key is another task's.
pub(crate) fn with_owner(error: SettingsError, task: &dyn AnyTask) -> SettingsError {
    match error {
        SettingsError::UnknownKey { key, origin, hint } => {
            let hint = match owners(&key, task) {
                owners if owners.is_empty() => hint,
                owners => format!("; {}", of_others(&owners, task)),
            };
            SettingsError::UnknownKey { key, origin, hint }
        }
        error => error,
    }
}

/// The names of a task's recipes.
pub(crate) fn recipes(task: &dyn AnyTask) -> impl Iterator<Item = &'static str> {
    std::iter::once(Recipe::AUTO).chain(task.recipes().iter().map(|recipe| recipe.name))
}

/// What values a setting takes. Methods, recipes and metrics are words of the registries, which their type does not know.
pub(crate) fn kind(task: &dyn AnyTask, entry: &Entry) -> Kind {
    match entry.key.as_str() {
        "method" => Kind::of_words(&methods(task).map(|method| method.name()).collect::<Vec<_>>()),
        "recipe" => Kind::of_words(&recipes(task).collect::<Vec<_>>()),
        "best" => Kind::of_words(task.metrics()),
        _ => entry.setting.kind(),
    }
}
