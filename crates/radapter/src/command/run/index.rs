//! `index`: embeddings of a folder of images, kept on disk.

use radapter_clip::model::Clip;
use radapter_embedding::EmbedOptions;
use radapter_files::Disk;
use radapter_retrieval::index::{Folder, Index, Manifest, ModelId, SAVE_EVERY, UpdateOptions, Updated, update};
use serde_json::json;

use crate::command::args::IndexArgs;
use crate::command::failure::Interrupted;
use crate::command::progress::Progress;
use crate::command::skipped::report_skipped;
use crate::command::{Session, choice, interrupt, model, output};

pub(super) fn run(args: &IndexArgs, session: &Session) -> anyhow::Result<()> {
    let alpha = choice::alphas(&args.alpha, &args.model.model, session)?;
    let found = Manifest::find(&args.out)?;
    let precision = args.precision.of_index(found.as_ref().map(|index| index.precision), session)?;
    if let Some(found) = &found {
        found.check_precision(&args.out, precision)?;
    }
    let checkpoint = model::load(&args.model, alpha.clone(), precision, session)?.checkpoint()?;
    let id = ModelId { reference: model::lasting_reference(&args.model.model)?, alpha, hash: checkpoint.state.hash() };
    let clip =
        Clip::from_owned_state(&checkpoint.config, checkpoint.state, &session.device()?)?.in_precision(precision);
    let folder = Folder { path: args.images.clone(), moved: args.moved };
    let interrupt = interrupt::watch()?;
    let embed = EmbedOptions {
        // What is asked for, else that of the index, else exact.
        decoding: args.decode_mode.or(found.map(|index| index.decoding)).unwrap_or_default(),
        pixel_cache: args.cache.open()?,
        ..session.embed_options(&args.decode, args.batch)
    };
    let options = UpdateOptions { embed, interrupt: &interrupt, save_every: SAVE_EVERY, storage: &Disk };
    let mut bar: Option<Progress> = None;
    let mut show = |done: usize, total: usize| {
        let bar = bar.get_or_insert_with(|| session.progress.start("embedding", "images", total as u64));
        bar.set(done as u64, "");
    };
    let updated = update(&args.out, &folder, &clip, id, &options, &mut show)?;
    if let Some(bar) = bar {
        bar.finish();
    }
    let Updated { embedded, kept, dropped, skipped, interrupted } = &updated;
    report_skipped(skipped, embedded + kept + skipped.len());
    if *interrupted {
        return Err(Interrupted::index(*embedded, &args.out).into());
    }
    let index = Index::open(&args.out)?;
    let images = index.len();
    if args.json.json {
        let skipped = skipped.len();
        return output::print_json(&json!({
            "images": images, "embedded": embedded, "kept": kept, "dropped": dropped, "skipped": skipped,
            "precision": precision,
        }));
    }
    output::print(&output::aligned(&[
        ("index", args.out.display().to_string()),
        ("images", images.to_string()),
        ("embedded", embedded.to_string()),
        ("unchanged", kept.to_string()),
        ("dropped", dropped.to_string()),
        ("precision", precision.to_string()),
    ]))
}
