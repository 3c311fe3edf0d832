//! The classes of a model, and the classifier over them.

use std::path::Path;

use anyhow::Context;
use radapter_classification::classes::Classes;
use radapter_classification::config::ClassTexts;
use radapter_classification::head::Head;
use radapter_clip::model::Encoder;
use radapter_datasets::labelled::some;
use radapter_datasets::{Class, ClassNames, Templates};

use super::args::{ClassNamesArg, TemplatesArg};
use super::failure::{Usage, of_option};
use super::model::Opened;
use super::text_cache::text_cache;

/// The texts of `--class-names`.
pub(crate) fn names(arg: &ClassNamesArg) -> anyhow::Result<Option<ClassNames>> {
    let Some(file) = &arg.class_names else {
        return Ok(None);
    };
    Ok(Some(of_option("--class-names", file, ClassTexts::named(file))?.0))
}

/// The templates of `--templates`.
pub(crate) fn templates(arg: &TemplatesArg) -> anyhow::Result<Option<Templates>> {
    let Some(name) = &arg.templates else {
        return Ok(None);
    };
    of_option("--templates", name, Templates::resolve(name)).map(Some)
}

/// The classifier of a model: its own, or one built from the texts of classes.
///
/// `classes` gives the classes of the data, for a model without its own. Given names or templates build a new classifier.
pub(crate) fn head(
    model: &Opened,
    classes: impl FnOnce() -> anyhow::Result<Classes>,
    names: Option<&ClassNames>,
    templates: Option<&Templates>,
    batch: usize,
) -> anyhow::Result<Head> {
    let own = model.head.as_ref();
    let classes = match own {
        Some(own) if names.is_none() && templates.is_none() => return Ok(own.clone()),
        Some(own) if own.is_trained() => {
            let message = "--class-names and --templates do not apply to this model, whose classifier was trained instead of \
                           built from texts; omit them";
            return Err(Usage(message.into()).into());
        }
        Some(own) => renamed(own.classes(), names)?,
        None => classes()?,
    };
    let templates = match (templates, own) {
        (Some(templates), _) => templates.clone(),
        (None, Some(own)) => Templates::from_list(own.templates().to_vec())?,
        (None, None) => Templates::default(),
    };
    zero_shot(&*model.encoder, &classes, &templates, batch)
}

/// Builds a classifier from the texts of classes, through the text cache if there is one.
pub(crate) fn zero_shot(
    clip: &dyn Encoder,
    classes: &Classes,
    templates: &Templates,
    batch: usize,
) -> anyhow::Result<Head> {
    Ok(match text_cache() {
        Some(cache) => Head::zero_shot_cached(clip, classes, templates, batch, &cache)?,
        None => Head::zero_shot(clip, classes, templates, batch)?,
    })
}

/// The same classes with the texts of `--class-names`.
fn renamed(classes: &Classes, names: Option<&ClassNames>) -> anyhow::Result<Classes> {
    let unknown = |folder: &&str| !classes.as_slice().iter().any(|class| class.folder == *folder);
    let given = names.into_iter().flat_map(ClassNames::iter).map(|(folder, _)| folder);
    let unknown: Vec<String> = given.filter(unknown).map(str::to_owned).collect();
    if !unknown.is_empty() {
        let (count, known) = (unknown.len(), classes.len());
        let unknown = some(&unknown);
        tracing::warn!("--class-names has {count} names that are none of the model's {known} classes: {unknown}");
    }
    let text = |class: &Class| {
        let given = names.and_then(|names| names.get(&class.folder));
        Class { folder: class.folder.clone(), text: given.unwrap_or(&class.text).to_owned() }
    };
    Ok(Classes::new(classes.as_slice().iter().map(text).collect())?)
}

/// The classes that a file of class names lists, in byte order of their folder names.
pub(crate) fn of_names(names: &ClassNames, file: &Path) -> anyhow::Result<Classes> {
    let class = |(folder, text): (&str, &str)| Class { folder: folder.to_owned(), text: text.to_owned() };
    Classes::new(names.iter().map(class).collect()).with_context(|| format!("the class names `{}`", file.display()))
}
