//! `zero-shot`: accuracy on labelled images, with a classifier built from the texts of the classes.

use radapter_classification::calibration::Temperatures;
use radapter_classification::classes::Classes;
use radapter_classification::read::read_labelled;
use radapter_classification::suite::TestSet;

use crate::command::args::ZeroShotArgs;
use crate::command::{Session, choice, classes, model, suite};

pub(super) fn run(args: &ZeroShotArgs, session: &Session) -> anyhow::Result<()> {
    let templates = classes::templates(&args.templates)?.unwrap_or_default();
    let names = classes::names(&args.class_names)?;
    let images = read_labelled(&args.data, names.as_ref(), args.decode.on_error)?;
    let precision = args.precision.resolve(session)?;
    let alphas = choice::alphas(&args.alpha, &args.model.model, session)?;
    let model = model::open(&args.model, alphas, precision, session)?;
    let found = Classes::new(images.classes.clone())?;
    let head = classes::zero_shot(&*model.encoder, &found, &templates, args.batch.batch_size)?;
    let head = head.with_temperatures(Temperatures { model: model.temperature, calibrated: None });
    let set = TestSet::new(args.data.display().to_string(), images, &found)?;
    let options = args.decoding.over(session.embed_options(&args.decode, args.batch))?;
    let outcome = suite::measure(&*model.encoder, &head, &set, &options, session)?;
    suite::print_set(&outcome.evaluation, &set, precision, args.json)
}
