//! `embed`: names, order and rows of the embeddings.

use serde_json::{Value, json};

use crate::support::{Folder, embeddings, radapter, safetensors_metadata, solid_png, tensor, tiny_model};

fn names(path: &std::path::Path, key: &str) -> Value {
    serde_json::from_str(&safetensors_metadata(path)[key]).unwrap()
}

#[test]
fn rows_are_in_byte_order_named_and_normalised() {
    let folder = Folder::new();
    let model = tiny_model(&folder.join("model"));
    std::fs::create_dir_all(folder.join("images/sub")).unwrap();
    for (name, colour) in
        [("b.png", [9, 9, 9]), ("B.PNG", [200, 0, 0]), ("sub/a.png", [0, 200, 0]), ("sub-a.png", [0, 0, 200])]
    {
        solid_png(&folder.join("images").join(name), colour);
    }
    folder.file("images/readme.txt", "no image");
    folder.file("texts.txt", "a cat\n\na dog\n");
    let out = folder.join("out.safetensors");
    radapter("embed --pixels --batch-size 3")
        .with("--model", &model)
        .with("--images", folder.join("images"))
        .with("--texts", folder.join("texts.txt"))
        .with("--out", &out)
        .succeed();
    assert_eq!(names(&out, "image_names"), json!(["B.PNG", "b.png", "sub-a.png", "sub/a.png"]));
    assert_eq!(names(&out, "text_names"), json!(["a cat", "", "a dog"]));
    assert_eq!(tensor(&out, "pixels").0, [4, 3, 24, 24]);
    assert_eq!(tensor(&out, "image_embeddings").0, [4, 16]);
    assert_eq!(tensor(&out, "text_embeddings").0, [3, 16]);
    for row in [embeddings(&out, "image_embeddings"), embeddings(&out, "text_embeddings")].concat() {
        let norm: f32 = row.iter().map(|value| value * value).sum();
        assert!((norm - 1.0).abs() < 1e-5, "{norm}");
    }

    // Files keep their order and names, and an image's row does not depend on the others.
    let some = folder.join("some.safetensors");
    let files = ["images/sub/a.png", "images/b.png"];
    radapter("embed --images")
        .args(files)
        .with("--model", &model)
        .with("--out", "some.safetensors")
        .in_dir(folder.path())
        .succeed();
    assert_eq!(names(&some, "image_names"), json!(files));
    let (all, some) = (embeddings(&out, "image_embeddings"), embeddings(&some, "image_embeddings"));
    for (row, expected) in some.iter().zip([&all[3], &all[1]]) {
        let apart = row.iter().zip(expected).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
        assert!(apart < 1e-6, "{apart}");
    }
}

#[test]
fn images_or_texts_alone_are_enough_and_nothing_is_not() {
    let folder = Folder::new();
    let model = tiny_model(&folder.join("model"));
    folder.file("texts.json", r#"["a cat"]"#);
    let out = folder.join("out.safetensors");
    let embed = || radapter("embed").with("--model", &model).with("--out", &out);
    embed().with("--texts", folder.join("texts.json")).succeed();
    let metadata = safetensors_metadata(&out);
    let mut keys: Vec<&String> = metadata.keys().collect();
    keys.sort();
    assert_eq!(keys, ["precision", "text_names"]);
    embed().fail(2, &["nothing to embed", "--images"]);
    embed().args(["--pixels"]).with("--texts", folder.join("texts.json")).fail(2, &["--images"]);
}

#[test]
fn damaged_images_stop_or_are_left_out() {
    let folder = Folder::new();
    let model = tiny_model(&folder.join("model"));
    std::fs::create_dir(folder.join("images")).unwrap();
    solid_png(&folder.join("images/a.png"), [1, 2, 3]);
    folder.file("images/b.jpg", "this is text");
    let out = folder.join("out.safetensors");
    let embed = |words: &str| {
        radapter(words).with("--model", &model).with("--images", folder.join("images")).with("--out", &out)
    };
    embed("embed").fail(1, &["b.jpg"]);
    assert!(!out.exists());
    let done = embed("embed --pixels --on-error skip").succeed();
    assert!(done.stderr.contains("1 of 2 images") && done.stderr.contains("b.jpg"), "{}", done.stderr);
    assert_eq!(names(&out, "image_names"), json!(["a.png"]));
    assert_eq!(tensor(&out, "pixels").0[0], 1);
}

#[test]
fn damaged_jpegs_are_refused_or_decoded_as_libjpeg_does() {
    let folder = Folder::new();
    let model = tiny_model(&folder.join("model"));
    std::fs::create_dir(folder.join("images")).unwrap();
    let whole = concat!(env!("CARGO_MANIFEST_DIR"), "/../crates/images/tests/fixtures/images/ycc-420.jpg");
    let whole = std::fs::read(whole).unwrap();
    // The data ends early, the file does not.
    std::fs::write(folder.join("images/a.jpg"), [&whole[..whole.len() - 60], &[0xff, 0xd9]].concat()).unwrap();
    std::fs::write(folder.join("images/b.jpg"), &whole).unwrap();
    let out = folder.join("out.safetensors");
    let embed = |words: &str| {
        radapter(words)
            .with("--model", &model)
            .with("--images", folder.join("images"))
            .with("--pixel-cache", folder.join("pixels"))
            .with("--out", &out)
    };
    embed("embed").fail(1, &["a.jpg", "truncated JPEG", "`--on-damage decode`"]);
    for _ in 0..2 {
        let done = embed("embed --pixels --on-damage decode").succeed();
        let warned =
            format!("warning: used as libjpeg decodes it: {}: truncated", folder.join("images/a.jpg").display());
        assert!(done.stderr.contains(&warned), "{}", done.stderr);
        assert_eq!(names(&out, "image_names"), json!(["a.jpg", "b.jpg"]));
        assert_eq!(tensor(&out, "pixels").0[0], 2);
    }
    // A cache that was used with one treatment does not change the other.
    embed("embed").fail(1, &["a.jpg"]);
    let done = embed("embed --on-error skip").succeed();
    assert!(done.stderr.contains("1 of 2 images"), "{}", done.stderr);
    embed("embed --on-damage ignore").fail(2, &["refuse", "decode"]);
}
