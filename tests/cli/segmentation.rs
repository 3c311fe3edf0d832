//! `proposals`, `train segmentation`, `eval segmentation`, `segment`, and `sweep` of a segmentation run.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use image::{GrayImage, Luma, Rgb, RgbImage};
use serde_json::{Value, json};

use super::resume::wait_for;
use crate::support::{Folder, Invocation, radapter, tiny_model};

/// The first line has a synonym.
const CLASSES: &str = "blue, navy\ngreen\nred\nyellow\n";
const COLOURS: [[u8; 3]; 4] = [[30, 60, 220], [40, 180, 50], [220, 40, 60], [220, 200, 20]];
const WIDTH: u32 = 40;
const HEIGHT: u32 = 24;

/// Images of two colours side by side with their label maps and captions, and a finished run on them.
pub(super) struct Streets(pub(super) Folder);

fn label(index: u32, x: u32) -> u8 {
    let first = index % 4;
    (if x < 14 + index % 12 { first } else { (first + 1 + index / 4 % 3) % 4 }) as u8
}

impl Streets {
    fn new() -> Self {
        let folder = Folder::new();
        tiny_model(&folder.join("model"));
        let mut captions = Vec::new();
        for index in 0..24_u32 {
            let part = if index < 16 { "train" } else { "val" };
            for kind in ["images", "annotations"] {
                std::fs::create_dir_all(folder.join(&format!("{kind}/{part}"))).unwrap();
            }
            let picture = RgbImage::from_fn(WIDTH, HEIGHT, |x, y| {
                let noise = ((x * 7 + y * 3 + index) % 9) as u8;
                Rgb(COLOURS[usize::from(label(index, x))].map(|value| value + noise))
            });
            picture.save(folder.join(&format!("images/{part}/{index:02}.png"))).unwrap();
            let map = GrayImage::from_fn(WIDTH, HEIGHT, |x, _| Luma([label(index, x)]));
            map.save(folder.join(&format!("annotations/{part}/{index:02}.png"))).unwrap();
            let names: Vec<&str> = CLASSES.lines().map(|line| line.split(',').next().unwrap()).collect();
            let (left, right) = (names[usize::from(label(index, 0))], names[usize::from(label(index, WIDTH - 1))]);
            captions.push(json!({
                "filepath": part, "filename": format!("{index:02}.png"), "split": part,
                "sentences": [{ "raw": format!("a {left} field beside {right} ones") }],
            }));
        }
        folder.file("captions.json", json!({ "images": captions }).to_string());
        folder.file("classes.txt", CLASSES);
        folder.file("unseen.txt", "yellow\n");
        Self(folder)
    }

    pub(super) fn annotated(&self, command: Invocation, part: &str) -> Invocation {
        let command = command.with("--images", self.0.join(&format!("images/{part}")));
        let command = command.with("--annotations", self.0.join(&format!("annotations/{part}")));
        command.with("--classes", self.0.join("classes.txt"))
    }

    fn training(&self, out: &str, more: &str) -> Invocation {
        let words =
            format!("train segmentation --set precision=f32 --set batch_size=8 --set min_area=16 --set lr=0.01 {more}");
        radapter(&words).with("--model", self.0.join("model")).with("--out", self.0.join(out))
    }

    fn run(&self) -> PathBuf {
        self.0.join("run")
    }

    /// `eval segmentation` of the run on the validation images.
    fn eval(&self, more: &str) -> Invocation {
        let command = radapter(&format!("eval segmentation --json {more}")).with("--model", self.run());
        self.annotated(command, "val")
    }
}

pub(super) fn streets() -> &'static Streets {
    static STREETS: LazyLock<Streets> = LazyLock::new(|| {
        let streets = Streets::new();
        let training = streets.annotated(streets.training("run", "--set epochs=2"), "train");
        training.with("--exclude", "yellow").succeed();
        streets
    });
    &STREETS
}

#[test]
fn training_leaves_a_run_that_knows_its_task() {
    let done = radapter("inspect --json").args([streets().run()]).succeed().json();
    assert_eq!(done["finished"], true, "{done}");
    let config = std::fs::read_to_string(streets().run().join("config.toml")).unwrap();
    for part in ["task = \"segmentation\"", "alpha = 0.4", "exclude = [\"yellow\"]", "\"blue, navy\""] {
        assert!(config.contains(part), "{part}: {config}");
    }
    let again = radapter("train --resume").with("--out", streets().run()).succeed();
    assert!(again.stdout.contains("segment_top1"), "{}", again.stdout);
    radapter("train segmentation --resume --set alpha=0.5").with("--out", streets().run()).fail(1, &["alpha"]);
    radapter("train retrieval --resume")
        .with("--out", streets().run())
        .fail(1, &["is a run of task segmentation; expected task retrieval"]);
}

#[test]
fn a_run_is_evaluated_saved_scored_and_swept() {
    let streets = streets();
    let folder = Folder::new();
    let own = streets.eval("--proposals ground-truth").with("--unseen", streets.0.join("unseen.txt"));
    let own = own.with("--save-maps", folder.join("maps")).succeed().json();
    let keys: Vec<&String> = own.as_object().unwrap().keys().collect();
    let expected = ["n_images", "miou", "fwiou", "pixel_accuracy", "mean_accuracy", "per_class"];
    assert_eq!(
        keys,
        [&expected[..], &["seen_miou", "unseen_miou", "harmonic_miou", "uncovered", "precision"]].concat()
    );
    assert_eq!((own["n_images"].as_u64(), own["uncovered"].as_f64()), (Some(8), Some(0.0)));
    assert_eq!((&own["per_class"][0]["label"], &own["per_class"][0]["name"]), (&json!(0), &json!("blue")));
    assert!(own["unseen_miou"].is_f64() && own["harmonic_miou"].is_f64());

    // The written maps, scored by --maps.
    let maps = radapter("eval segmentation --json").with("--maps", folder.join("maps"));
    let maps =
        maps.with("--annotations", streets.0.join("annotations/val")).with("--classes", streets.0.join("classes.txt"));
    let maps = maps.with("--unseen", "yellow").succeed().json();
    let mut without = own.clone();
    without["uncovered"] = Value::Null;
    without.as_object_mut().unwrap().remove("precision");
    assert_eq!(maps, without);

    let sweep = radapter("sweep --alpha 0,0.4 --proposals ground-truth").with("--run", streets.run());
    let sweep = streets.annotated(sweep, "val").with("--unseen", streets.0.join("unseen.txt"));
    sweep.with("--out", folder.join("sweep")).succeed();
    let points: Value = serde_json::from_slice(&std::fs::read(folder.join("sweep/sweep.json")).unwrap()).unwrap();
    let mut point = points[1].clone();
    assert_eq!(point.as_object_mut().unwrap().remove("alpha"), Some(json!(0.4)));
    assert_eq!(point, own);
    assert_eq!(folder.names("sweep"), ["report.html", "sweep.csv", "sweep.json", "sweep.svg"]);
}

/// 459 classes in 16-bit TIFFs, in the layout that detectron2 and OVSeg prepare; the written maps have 16 bits too.
#[test]
fn a_data_set_by_name_with_more_classes_than_a_byte_holds() {
    let streets = streets();
    let folder = Folder::new();
    let images = folder.join("root/VOCdevkit/VOC2010/JPEGImages");
    let annotations = folder.join("root/VOCdevkit/VOC2010/annotations_detectron2/pc459_val");
    std::fs::create_dir_all(&images).unwrap();
    std::fs::create_dir_all(&annotations).unwrap();
    for index in 0..3_u32 {
        // An image without annotation, as those of the data set's other half, is not an error.
        std::fs::copy(
            streets.0.join(&format!("images/val/{:02}.png", 16 + index)),
            images.join(format!("{index}.png")),
        )
        .unwrap();
        if index == 2 {
            continue;
        }
        let labels: Vec<u16> =
            (0..WIDTH * HEIGHT).map(|at| [3, 300, 458, 65_535][(at % WIDTH / 10) as usize]).collect();
        let file = std::fs::File::create(annotations.join(format!("{index}.tif"))).unwrap();
        let mut encoder = tiff::encoder::TiffEncoder::new(file).unwrap();
        encoder.write_image::<tiff::encoder::colortype::Gray16>(WIDTH, HEIGHT, &labels).unwrap();
    }
    let eval = |more: &str| radapter(&format!("eval segmentation --json --dataset pascal-context-459 {more}"));
    let own = eval("--proposals ground-truth").with("--model", streets.run()).with("--root", folder.join("root"));
    let own = own.with("--save-maps", folder.join("maps")).succeed().json();
    assert_eq!(own["n_images"], 2);
    assert_eq!(own["per_class"].as_array().unwrap().len(), 459);
    assert_eq!(folder.names("maps"), ["0.png", "1.png"]);
    let map = image::open(folder.join("maps/0.png")).unwrap();
    assert_eq!(map.color(), image::ColorType::L16);

    let mut scored = eval("").with("--maps", folder.join("maps")).with("--root", folder.join("root")).succeed().json();
    for key in ["uncovered", "precision"] {
        scored[key] = own[key].clone();
    }
    assert_eq!(scored, own);

    let missing = eval("").with("--model", streets.run()).with("--root", folder.join("elsewhere"));
    missing.fail(1, &["elsewhere", "DETECTRON2_DATASETS"]);
}

#[test]
fn masks_are_written_compared_and_read_again() {
    let streets = streets();
    let folder = Folder::new();
    let proposals = radapter("proposals --json").with("--images", streets.0.join("images/val"));
    let proposals = proposals.with("--annotations", streets.0.join("annotations/val"));
    let measured = proposals.with("--out", folder.join("masks.json")).succeed().json();
    let keys: Vec<&String> = measured.as_object().unwrap().keys().collect();
    assert_eq!(keys, ["masks_per_image", "best_iou", "recall_50", "recall_75", "seconds_per_image"]);
    // Two colours with an edge between them are the easiest case.
    assert!(measured["recall_75"].as_f64() > Some(0.99), "{measured}");
    let (made, read) = (streets.eval(""), streets.eval("").with("--proposals", folder.join("masks.json")));
    assert_eq!(made.succeed().json(), read.succeed().json());
    // The second time, regions come from the cache.
    let cached = || streets.eval("").with("--cache", folder.join("cache")).succeed().json();
    assert_eq!(cached(), cached());
    assert_eq!(folder.names("cache").len(), 1);
}

#[test]
fn images_become_maps_and_a_page() {
    let streets = streets();
    let folder = Folder::new();
    let segment =
        radapter("segment --json").with("--model", streets.run()).with("--images", streets.0.join("images/val"));
    let segment = segment.with("--classes", "blue, green, red, yellow").with("--out", folder.join("maps"));
    let entries = segment.succeed().json();
    assert_eq!(entries.as_array().unwrap().len(), 8);
    assert_eq!(folder.names("maps"), ["index.html", "labels", "legend.json", "overlays"]);
    assert_eq!(folder.names("maps/labels").len(), 8);
    assert_eq!(folder.names("maps/overlays"), folder.names("maps/labels"));
    let labels = image::open(folder.join("maps/labels/16.png")).unwrap();
    assert_eq!((labels.width(), labels.height()), (WIDTH, HEIGHT));
    let legend: Value = serde_json::from_slice(&std::fs::read(folder.join("maps/legend.json")).unwrap()).unwrap();
    assert_eq!(legend[3]["name"], "yellow");
    let page = std::fs::read_to_string(folder.join("maps/index.html")).unwrap();
    assert!(page.contains("overlays/16.png") && !page.contains("<script"));

    let alone =
        || radapter("segment").with("--model", streets.run()).with("--images", streets.0.join("images/val/16.png"));
    // The maps are written even if the table cannot be printed.
    let closed = alone().with("--classes", "blue, red").with("--out", folder.join("closed"));
    closed.stdout(std::fs::File::options().write(true).open("/dev/full").unwrap()).run();
    assert_eq!(folder.names("closed").len(), 4);
    let page = std::fs::read_to_string(folder.join("closed/index.html")).unwrap();
    assert!(page.contains("1 image, 2 classes, by"), "{page}");
    let one = alone().with("--classes", "blue").with("--out", folder.join("one")).succeed();
    assert!(one.stderr.contains("`others`"), "{}", one.stderr);
    alone().with("--classes", "blue").with("--out", folder.join("one")).fail(1, &["one", "empty"]);
    for (classes, more, flag) in [
        ("", "", "--classes"),
        ("absent.txt", "", "--classes"),
        ("blue, red", "--templates vild", "--templates"),
        ("blue, red", "--proposals none", "--proposals"),
    ] {
        let done = alone().args(more.split_whitespace()).with("--classes", classes).with("--out", folder.join("no"));
        done.fail(2, &[&format!("error: {flag}: ")]);
    }
}

#[test]
fn nouns_of_captions_are_matched_to_masks_and_a_resumed_run_sees_the_same() {
    let streets = streets();
    let folder = Folder::new();
    let nouns = folder.file("nouns.txt", "blue\ngreen\nred\nyellow\n");
    let training = |out: &str| {
        let command = streets.training(out, "--split train --set steps=40 --set save_every=2").with("--nouns", &nouns);
        let captions = command.with("--captions", streets.0.join("captions.json"));
        captions.with("--images", streets.0.join("images"))
    };
    training("nouns").succeed();
    let run = streets.0.join("nouns");
    let segments: Value = serde_json::from_slice(&std::fs::read(run.join("segments.json")).unwrap()).unwrap();
    assert_eq!(segments["labels"]["names"].as_array().unwrap().len(), 4);
    assert_eq!(segments["images"].as_array().unwrap().len(), 16);

    let killed = streets.0.join("killed");
    let mut child = training("killed").spawn();
    wait_for(&killed, 5, &mut child);
    child.kill().unwrap();
    child.wait().unwrap();
    radapter("train --resume").with("--out", &killed).succeed();
    let adapters = |run: &Path| std::fs::read(run.join("adapters-ema.safetensors")).unwrap();
    assert_eq!(adapters(&killed), adapters(&run));
}

#[test]
fn mismatched_inputs_are_reported() {
    let streets = streets();
    let folder = Folder::new();
    let masks = |name: &str, content: Value| {
        let file = folder.file(name, content.to_string());
        streets.eval("").with("--proposals", file)
    };
    let (width, height) = (WIDTH as usize, HEIGHT as usize);
    let all = |counts: Value, size: [usize; 2]| {
        let record = |index: u32| json!({ "file_name": format!("{index}.png"), "segmentation": { "size": size, "counts": counts } });
        Value::Array((16..24).map(record).collect())
    };
    masks("short.json", all(json!([10]), [height, width])).fail(1, &["short.json", "record 0", "10 pixels"]);
    masks("size.json", all(json!([100]), [10, 10])).fail(1, &["size.json", "10 × 10", "40 × 24"]);
    // No proposals at all is not an error: the whole image's class is everywhere.
    assert_eq!(masks("none.json", json!([])).succeed().json()["uncovered"], 1.0);
    masks("other.json", json!([{ "file_name": "cat.jpg", "segmentation": { "size": [1, 1], "counts": [0, 1] } }]))
        .fail(1, &["other.json", "any of the 8 images", "cat"]);
    // An image without proposals, or with only an empty mask, gets the whole image's class.
    for counts in [json!([width * height]), json!([0, 0, width * height])] {
        let found = masks("empty.json", all(counts, [height, width])).succeed().json();
        assert_eq!(found["uncovered"], 1.0);
    }
    std::fs::create_dir(folder.join("npz")).unwrap();
    std::fs::write(folder.join("npz/16.npz"), npz("(2, 3)", 6)).unwrap();
    streets.eval("").with("--proposals", folder.join("npz")).fail(1, &["16.npz", "`masks`", "[2, 3]"]);

    let scene = |classes: &str, labels: &str| {
        let command = radapter("eval segmentation --proposals ground-truth").with("--model", streets.run());
        let command = command.with("--images", folder.join("images")).with("--annotations", folder.join(labels));
        command.with("--classes", classes)
    };
    let picture = |name: &str, side: u32| {
        std::fs::create_dir_all(folder.join("images")).unwrap();
        RgbImage::from_pixel(side, side, Rgb([30, 60, 220])).save(folder.join(&format!("images/{name}.png"))).unwrap();
    };
    let map = |labels: &str, name: &str, side: u32, label: u8| {
        std::fs::create_dir_all(folder.join(labels)).unwrap();
        GrayImage::from_pixel(side, side, Luma([label])).save(folder.join(&format!("{labels}/{name}.png"))).unwrap();
    };
    picture("one", 1);
    map("tiny", "one", 1, 1);
    scene("blue, green", "tiny").succeed();
    let builtin =
        radapter("eval segmentation --json").with("--model", streets.run()).with("--images", folder.join("images"));
    let builtin = builtin.with("--annotations", folder.join("tiny")).with("--classes", "blue, green");
    assert_eq!(builtin.succeed().json()["n_images"], 1);
    map("ignored", "one", 1, 255);
    scene("blue, green", "ignored").fail(1, &["all annotated pixels are ignored", "255", "--ignore"]);
    palette_png(&folder.join("palette/one.png"), 1);
    scene("blue, green", "palette").succeed();
    map("range", "one", 1, 9);
    scene("blue, green", "range").fail(1, &["one.png", "label 9", "2 classes"]);
    map("lone", "elsewhere", 4, 0);
    scene("blue, green", "lone").fail(1, &["elsewhere"]);
    map("large", "one", 4, 0);
    scene("blue, green", "large").fail(1, &["one.png", "4 × 4", "1 × 1"]);
    std::fs::create_dir(folder.join("colour")).unwrap();
    RgbImage::from_pixel(1, 1, Rgb([1, 1, 1])).save(folder.join("colour/one.png")).unwrap();
    scene("blue, green", "colour").fail(1, &["one.png", "RGB"]);
    scene("blue, green, blue", "tiny").fail(2, &["blue"]);
    scene("missing.txt", "tiny").fail(2, &["missing.txt"]);
    streets.eval("--alpha 2").fail(2, &["alpha"]);
    streets.eval("--temperature 0").fail(2, &["temperature"]);
    streets.eval("").with("--unseen", folder.file("unseen.txt", "purple\n")).fail(1, &["unseen.txt", "purple"]);
    radapter("train segmentation --model x --dataset ade20k-150 --root y --out z").fail(2, &["--dataset"]);
    radapter("sweep --out x").with("--run", streets.run()).fail(2, &["this run of segmentation", "--annotations"]);
    let maps = radapter("eval segmentation --proposals builtin").with("--maps", folder.join("tiny"));
    maps.with("--annotations", folder.join("tiny"))
        .with("--classes", "blue, green")
        .fail(2, &["--maps", "--proposals"]);
    radapter("eval segmentation --dataset ade --root x").with("--model", streets.run()).fail(1, &["ade20k-150"]);
}

/// Writes an image of one pixel whose label is an index into a palette.
fn palette_png(path: &Path, label: u8) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut encoder = png::Encoder::new(std::fs::File::create(path).unwrap(), 1, 1);
    encoder.set_color(png::ColorType::Indexed);
    encoder.set_palette(vec![9, 9, 9, 200, 0, 0]);
    encoder.write_header().unwrap().write_image_data(&[label]).unwrap();
}

/// A `.npz` with one uncompressed array of zeros, as numpy writes it.
fn npz(shape: &str, count: usize) -> Vec<u8> {
    let mut header = format!("{{'descr': '<f4', 'fortran_order': False, 'shape': {shape}, }}");
    while !(10 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let mut array = b"\x93NUMPY\x01\x00".to_vec();
    array.extend((header.len() as u16).to_le_bytes());
    array.extend(header.as_bytes());
    array.extend(vec![0; 4 * count]);
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    archive.start_file("masks.npy", stored).unwrap();
    std::io::Write::write_all(&mut archive, &array).unwrap();
    archive.finish().unwrap().into_inner()
}

#[test]
fn bad_annotations_are_skipped_if_asked() {
    let folder = Streets::new();
    let at = |name: &str| folder.0.join(&format!("annotations/val/{name}"));
    std::fs::write(at("16.png"), "not a label map").unwrap();
    std::fs::copy(at("17.png"), at("99.png")).unwrap();
    let eval = || {
        let eval = radapter("eval segmentation --json").with("--model", folder.0.join("model"));
        folder.annotated(eval.with("--proposals", "ground-truth"), "val")
    };
    eval().fail(1, &["99.png", "has no image"]);
    std::fs::remove_file(at("99.png")).unwrap();
    eval().fail(1, &["16.png"]);
    std::fs::copy(at("17.png"), at("99.png")).unwrap();
    let done = eval().args(["--on-error", "skip"]).succeed();
    assert_eq!(done.json()["n_images"], 7);
    for part in ["99.png has no image", "1 of 8 images could not be read and were left out: 16"] {
        assert!(done.stderr.contains(part), "{part}: {}", done.stderr);
    }
}

#[test]
fn alpha_is_chosen_by_held_out_segments() {
    let folder = Folder::new();
    let select = radapter("sweep --json --alpha 0,1 --select all").with("--run", streets().run());
    let select = select.with("--unlabelled", streets().0.join("images/val")).with("--out", folder.join("out"));
    let all = select.succeed().json();
    for (rule, choice) in all.as_array().unwrap().iter().enumerate() {
        match rule {
            // Images without masks have no segments.
            4 => assert!(choice["reason"].as_str().unwrap().contains("parts of images"), "{choice}"),
            6 => assert!(choice["reason"].as_str().unwrap().contains("another seed"), "{choice}"),
            _ => assert!(choice["validation"]["segment_top1"].is_number(), "{choice}"),
        }
    }
}
