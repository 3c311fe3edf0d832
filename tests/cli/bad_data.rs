//! Images and folders that cannot be used: the message names the file or key, and nothing is left behind.

use crate::support::{CLASSES, Folder, classes_folder, drawn, radapter, tiny_model, training};

/// `zero-shot` of the tiny model on a folder.
fn zero_shot(folder: &Folder, data: &str) -> crate::support::Invocation {
    let model = folder.join("model");
    if !model.is_dir() {
        tiny_model(&model);
    }
    radapter("zero-shot").with("--model", model).with("--data", folder.join(data))
}

#[test]
fn folders_without_images() {
    let folder = Folder::new();
    std::fs::create_dir_all(folder.join("empty")).unwrap();
    classes_folder(&folder.join("hole"), &CLASSES, 1, false);
    std::fs::create_dir(folder.join("hole/unicorn")).unwrap();
    folder.file("flat/a.png", "");
    for (data, words) in [
        ("absent", vec!["absent", "does not exist"]),
        ("empty", vec!["empty"]),
        ("hole", vec!["hole/unicorn", "no image"]),
        ("flat", vec!["flat", "sub-folder"]),
    ] {
        zero_shot(&folder, data).fail(1, &words);
        training(&folder, "run", "").run();
        radapter("train classification")
            .with("--model", folder.join("model"))
            .with("--train", folder.join(data))
            .with("--out", folder.join("never"))
            .fail(1, &words);
        assert!(!folder.join("never").exists(), "{data}");
    }
    radapter("embed")
        .with("--model", folder.join("model"))
        .with("--images", folder.join("empty"))
        .with("--out", folder.join("out.safetensors"))
        .fail(1, &["empty", "no image"]);
}

/// A PNG whose header claims 30000 × 30000 pixels.
fn bomb() -> Vec<u8> {
    let mut png = Vec::new();
    drawn(0, 0, false).write_to(&mut std::io::Cursor::new(&mut png), image::ImageFormat::Png).unwrap();
    for at in [16, 20] {
        png[at..at + 4].copy_from_slice(&30_000_u32.to_be_bytes());
    }
    let crc = crc32(&png[12..29]);
    png[29..33].copy_from_slice(&crc.to_be_bytes());
    png
}

/// PNG's checksum.
fn crc32(bytes: &[u8]) -> u32 {
    let step = |crc: u32| if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
    let byte = |crc: u32, byte: &u8| (0..8).fold(crc ^ u32::from(*byte), |crc, _| step(crc));
    !bytes.iter().fold(u32::MAX, byte)
}

#[test]
fn images_that_are_damaged() {
    let folder = Folder::new();
    let mut png = Vec::new();
    drawn(0, 0, false).write_to(&mut std::io::Cursor::new(&mut png), image::ImageFormat::Png).unwrap();
    let cases: [(&str, &[u8], &str); 5] = [
        ("text.jpg", b"this is no picture", "text.jpg"),
        ("empty.png", b"", "empty.png"),
        ("cut.png", &png[..png.len() / 2], "cut.png"),
        ("bomb.png", &bomb(), "30000"),
        ("cut.jpg", &JPEG[..JPEG.len() / 2], "cut.jpg"),
    ];
    for (name, content, word) in cases {
        let data = format!("data-{name}");
        classes_folder(&folder.join(&data), &["a", "b"], 2, false);
        folder.file(&format!("{data}/a/{name}"), content);
        zero_shot(&folder, &data).fail(1, &[name, word]);
        let done = zero_shot(&folder, &data).args(["--on-error", "skip", "--json"]).succeed();
        assert_eq!(done.json()["n"], 4, "{name}");
        assert!(done.stderr.contains("1 of 5 images") && done.stderr.contains(name), "{}", done.stderr);
    }
}

#[test]
fn all_images_damaged_is_an_error_even_when_skipping() {
    let folder = Folder::new();
    for class in ["a", "b"] {
        folder.file(&format!("data/{class}/x.jpg"), "text");
    }
    zero_shot(&folder, "data").args(["--on-error", "skip"]).fail(1, &["data", "at least one labelled image"]);
}

#[test]
fn batches_of_one_have_no_negatives() {
    let folder = Folder::new();
    training(&folder, "run", "--set batch_size=1").fail(1, &["batch", "at least 2"]);
    assert!(!folder.join("run/config.toml").exists());
}

#[test]
fn an_alpha_beyond_1_warns() {
    let folder = Folder::new();
    let done = training(&folder, "run", "--set epochs=1 --set batch_size=8 --set alpha=1.2").succeed();
    assert!(done.stderr.contains("warning") && done.stderr.contains("1.2"), "{}", done.stderr);
}

#[cfg(unix)]
#[test]
fn an_output_that_cannot_be_made() {
    let folder = Folder::new();
    folder.file("file", "");
    training(&folder, "file/run", "--set epochs=1").fail(1, &["file"]);
}

/// An 8 × 8 JPEG.
const JPEG: &[u8] = include_bytes!("small.jpg");

#[test]
fn files_that_are_not_used_are_counted_and_named() {
    let folder = Folder::new();
    classes_folder(&folder.join("data"), &CLASSES, 2, false);
    let class = folder.names("data").into_iter().next().unwrap();
    for (name, format) in [("a.bmp", "BMP"), ("b.gif", "GIF"), ("c.tiff", "TIFF"), ("d.ppm", "PNM")] {
        let path = folder.join(&format!("data/{class}/{name}"));
        drawn(0, 7, false).save(path).unwrap_or_else(|error| panic!("{format}: {error}"));
    }
    for name in ["photo.avif", "noext"] {
        folder.file(&format!("data/{class}/{name}"), "not decoded");
    }
    let done = zero_shot(&folder, "data").args(["--json"]).succeed();
    assert_eq!(done.json()["n"], 2 * CLASSES.len() + 4);
    let said =
        format!("2 files do not have the extension of an image and are not used: {class}/noext, {class}/photo.avif");
    assert!(done.stderr.contains(&said), "{}", done.stderr);
    assert!(done.stderr.contains(&format!("{} images of 3 classes: ", 2 * CLASSES.len() + 4)), "{}", done.stderr);
}

#[test]
fn class_folders_that_hold_sets_of_classes_are_pointed_out() {
    let folder = Folder::new();
    for set in ["photo", "sketch"] {
        classes_folder(&folder.join(&format!("sets/{set}")), &CLASSES, 1, false);
    }
    let done = zero_shot(&folder, "sets").succeed();
    assert!(done.stderr.contains("hold only folders of images; did you mean"), "{}", done.stderr);
    assert!(!zero_shot(&folder, "sets/photo").succeed().stderr.contains("did you mean"));
}

#[test]
fn a_table_with_missing_files_obeys_on_error() {
    let folder = Folder::new();
    classes_folder(&folder.join("data"), &CLASSES, 2, false);
    let mut rows = "path,label\n".to_owned();
    for class in CLASSES {
        rows.push_str(&format!("data/{class}/00.png,{class}\ndata/{class}/gone.png,{class}\n"));
    }
    folder.file("t.csv", rows);
    zero_shot(&folder, "t.csv").fail(1, &["line 3", "there is no file", "gone.png"]);
    let done = zero_shot(&folder, "t.csv").args(["--on-error", "skip", "--json"]).succeed();
    assert_eq!(done.json()["n"], CLASSES.len());
    assert!(done.stderr.contains("3 of 6 images could not be read"), "{}", done.stderr);
}

#[test]
fn texts_beyond_the_context_are_reported() {
    let folder = Folder::new();
    classes_folder(&folder.join("data"), &CLASSES[..2], 1, false);
    let long = "a very long description of ".repeat(20);
    let names = format!("{} = \"{long} one\"\n{} = \"{long} two\"\n", CLASSES[0], CLASSES[1]);
    let done = zero_shot(&folder, "data").with("--class-names", folder.file("names.toml", names)).succeed();
    assert!(done.stderr.contains("2 of 2 texts have more than"), "{}", done.stderr);
    assert!(done.stderr.contains("are the same text after truncation"), "{}", done.stderr);
    assert!(!zero_shot(&folder, "data").succeed().stderr.contains("tokens"), "short texts");
}
