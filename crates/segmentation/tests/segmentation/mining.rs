use radapter_segmentation::task::SEGMENTS_FILE;
use radapter_training::{RunDir, RunOptions, TrainData};
use serde_json::json;

use crate::support::{COLOURS, device, label, plan, plan_of_run, settings, write};

/// Writes captions that name both colours of an image, in the plural.
fn captions(folder: &std::path::Path, count: usize) {
    let sentence = |index: usize| {
        let names = [label(index, 0), label(index, 23)].map(|label| COLOURS[label].0);
        json!({ "raw": format!("{}s beside {} things", names[0], names[1]) })
    };
    let image = |index: usize| json!({ "filename": format!("{index:03}.png"), "split": "train", "sentences": [sentence(index)] });
    let images: Vec<_> = (0..count).map(image).collect();
    std::fs::write(folder.join("captions.json"), json!({ "images": images }).to_string()).unwrap();
}

#[test]
fn nouns_of_captions_get_proposals_and_a_resume_reuses_them() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, 10);
    captions(root, 10);
    std::fs::write(root.join("nouns.txt"), "blue, azure\ngreen\nred\nyellow\nnothing\n").unwrap();
    let toml = format!(
        "batch_size = 4\nsteps = 3\nimages = \"{0}/images\"\ncaptions = \"{0}/captions.json\"\n\
         nouns = \"{0}/nouns.txt\"\nval_fraction = 0.2\nexclude = [\"red\"]",
        root.display()
    );
    let plan = plan(&settings(&toml)).unwrap();
    assert_eq!(plan.task.labels.names(), ["blue", "green", "yellow"]);
    let val = plan.task.val.clone().unwrap();
    assert_eq!(val.images.len(), 2);
    // Each image has a segment for each of its nouns that is not excluded.
    let nouns = |index: usize| {
        let mut both = [label(index, 0), label(index, 23)].to_vec();
        both.sort_unstable();
        both.retain(|&noun| noun != 2);
        both.len()
    };
    let expected: usize = (0..10).map(nouns).sum();
    assert_eq!(plan.task.split.train_segments + val.segments.len(), expected);
    let fingerprint = plan.task.data.fingerprint();
    plan.train(RunOptions::new(root.join("run"), device())).unwrap();
    assert!(root.join("run").join(SEGMENTS_FILE).is_file());
    // The captions may be deleted: the mined segments are saved with the run.
    std::fs::remove_file(root.join("captions.json")).unwrap();
    let run = RunDir::open(root.join("run")).unwrap();
    let again = plan_of_run(&run).unwrap();
    assert_eq!(again.task.data.fingerprint(), fingerprint);
}

#[test]
fn captions_without_nouns_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, 3);
    captions(root, 3);
    let message = |more: &str| {
        let toml =
            format!("steps = 1\nimages = \"{0}/images\"\ncaptions = \"{0}/captions.json\"\n{more}", root.display());
        let plan = plan(&settings(&toml));
        plan.unwrap_err().to_string()
    };
    let text = message("nouns = [\"whale\"]");
    assert!(text.contains("no caption of the 3 images") && text.contains("--nouns"), "{text}");
    let text = message("proposals = \"missing\"\nnouns = [\"blue\", \"green\"]");
    assert!(text.contains("missing"), "{text}");
}

#[test]
fn an_unknown_noun_may_be_excluded() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, 4);
    captions(root, 4);
    let toml = format!(
        "steps = 1\nimages = \"{0}/images\"\ncaptions = \"{0}/captions.json\"\nnouns = [\"blue\", \"green\", \"red\", \"yellow\"]\n\
         exclude = [\"whale\"]\nval_fraction = 0.1",
        root.display()
    );
    let plan = plan(&settings(&toml)).unwrap();
    let told = |part: &str| plan.warnings.iter().any(|warning| warning.contains(part));
    assert!(told("whale"), "{:?}", plan.warnings);
    // A tenth of four images is none.
    assert!(plan.task.val.is_none() && told("no image is held out"), "{:?}", plan.warnings);
}

#[test]
fn training_on_captions_validates_on_annotations() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    write(root, 6);
    captions(root, 6);
    let toml = format!(
        "steps = 2\nbatch_size = 4\nimages = \"{0}/images\"\ncaptions = \"{0}/captions.json\"\n\
         nouns = [\"blue\", \"green\", \"red\", \"yellow\"]\nval_images = \"{0}/images\"\nval_annotations = \"{0}/annotations\"\n\
         classes = [\"blue\", \"green\", \"red\", \"yellow\"]\nmin_area = 16\nexclude = [\"red\"]",
        root.display()
    );
    let plan = plan(&settings(&toml)).unwrap();
    let val = plan.task.val.clone().unwrap();
    assert_eq!((val.images.len(), plan.task.val_labels.len(), plan.task.split.held_out.len()), (6, 4, 0));
    assert!(val.segments.iter().all(|segment| segment.label != 2), "excluded classes are not validated on");
    let dir = root.join("run");
    plan.train(RunOptions::new(&dir, device())).unwrap();
    let run = RunDir::open(&dir).unwrap();
    assert!(run.report().unwrap().unwrap().best.is_some());
    let again = plan_of_run(&run).unwrap();
    assert_eq!(again.task.split.val_segments, val.segments.len());
}
