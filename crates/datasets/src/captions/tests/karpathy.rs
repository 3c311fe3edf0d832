//! Karpathy's format: reading, and errors with their place.

use radapter_images::DecodeOptions;

use super::*;

fn splits(data: &Data, splits: &[&str]) -> CaptionsOptions {
    CaptionsOptions { splits: splits.iter().map(|&split| split.to_owned()).collect(), ..data.options() }
}

fn within(filepath: &str, filename: &str) -> Value {
    let mut image = image(filename, "train", &["a caption"]);
    image["filepath"] = filepath.into();
    image
}

#[test]
fn splits_are_selected_and_captions_kept_unchanged() {
    let data = Data::new(&["a.jpg", "b.jpg", "c.jpg", "d.jpg"]);
    let content = karpathy(&[
        image("a.jpg", "train", &[" A dog .", "Two Dogs\n"]),
        image("b.jpg", "val", &["x"]),
        image("c.jpg", "restval", &["y"]),
        image("d.jpg", "test", &["z"]),
    ]);
    let chosen = data.read("k.json", &content, &splits(&data, &["restval", "train"])).unwrap();
    let train = ("a.jpg", "a.jpg", &[" A dog .", "Two Dogs\n"][..]);
    assert_eq!(data.content(&chosen), expected(&[train, ("c.jpg", "c.jpg", &["y"])]));
    assert_eq!(data.read("k.json", &content, &data.options()).unwrap().len(), 4);
}

#[test]
fn images_lie_in_their_folder_or_flat() {
    let data = Data::new(&["val2014/a.jpg", "b.jpg", "c.jpg", "val2014/c.jpg"]);
    let images =
        [within("val2014", "a.jpg"), within("val2014", "b.jpg"), within("val2014", "c.jpg"), within("", "c.jpg")];
    let set = data.read("k.json", &karpathy(&images), &data.options()).unwrap();
    let one: &[&str] = &["a caption"];
    assert_eq!(
        data.content(&set),
        expected(&[
            ("val2014/a.jpg", "val2014/a.jpg", one),
            ("val2014/b.jpg", "b.jpg", one),
            ("val2014/c.jpg", "val2014/c.jpg", one),
            ("c.jpg", "c.jpg", one),
        ])
    );
}

#[test]
fn entries_of_one_file_are_one_image() {
    let data = Data::new(&["a.jpg", "b.jpg"]);
    let images = [
        image("a.jpg", "x", &["1"]),
        image("b.jpg", "x", &["2"]),
        image("./a.jpg", "x", &["3"]),
        within("elsewhere", "a.jpg"),
    ];
    let set = data.read("k.json", &karpathy(&images), &data.options()).unwrap();
    let both = ("a.jpg", "a.jpg", &["1", "3", "a caption"][..]);
    assert_eq!(data.content(&set), expected(&[both, ("b.jpg", "b.jpg", &["2"])]));
}

#[test]
fn an_unknown_split_lists_the_existing_ones() {
    let data = Data::new(&["a.jpg"]);
    let images = [image("a.jpg", "train", &["1"]), image("gone.jpg", "train", &["1"]), image("a.jpg", "val", &["1"])];
    let error = data.read("k.json", &karpathy(&images), &splits(&data, &["tests", "val", "dev"])).unwrap_err();
    assert_says(&error, &["k.json", "no split `tests`, `dev`", "`train` (2 images), `val` (1 images)"]);
    let mut without = image("a.jpg", "x", &["1"]);
    without.as_object_mut().unwrap().remove("split");
    let error = data.read("k.json", &karpathy(&[without.clone()]), &splits(&data, &["val"])).unwrap_err();
    assert_says(&error, &["images[0].split", "expected a split's name", "found nothing"]);
    assert_eq!(data.read("k.json", &karpathy(&[without]), &data.options()).unwrap().len(), 1);
    let error = data.read("t.csv", "a.jpg,x\n", &splits(&data, &["val"])).unwrap_err();
    assert_says(&error, &["`split`", "to the format `karpathy`", "have the format `csv`"]);
}

#[test]
fn json_that_is_not_karpathys_names_the_place() {
    let data = Data::new(&["a.jpg"]);
    let good = || image("a.jpg", "x", &["1", "2"]);
    let with = |change: &dyn Fn(&mut Value)| {
        let mut images = [good(), good()];
        change(&mut images[1]);
        karpathy(&images)
    };
    for (content, parts) in [
        ("{\"images\": [", &["k.json", "cannot be read as JSON", "line 1 column 12"][..]),
        ("[1, 2]", &["an object with a list of `images`", "line 1"]),
        ("{\"images\": {}}", &["images: invalid type: map, expected a list", "line 1"]),
        ("{\"images\": [], \"images", &["cannot be read as JSON", "line 1"]),
        ("{\"info\": 1}", &["images: expected a list", "found nothing", "keys are info"]),
        ("{\"images\": [3]}", &["images[0]: invalid type: integer `3`, expected an object with `filename`"]),
        (
            &with(&|image| drop(image.as_object_mut().unwrap().remove("filename"))),
            &["images[1]: missing field `filename`", "line 1"],
        ),
        (
            &with(&|image| image["filename"] = 7.into()),
            &["images[1].filename: invalid type: integer `7`, expected a string"],
        ),
        (
            &with(&|image| image["filename"] = "".into()),
            &["images[1].filename: invalid value: string \"\", expected a file's name"],
        ),
        (
            &with(&|image| image["filepath"] = 7.into()),
            &["images[1].filepath: invalid type: integer `7`, expected a string"],
        ),
        (
            &with(&|image| image["split"] = true.into()),
            &["images[1].split: invalid type: boolean `true`, expected a string"],
        ),
        (
            &with(&|image| drop(image.as_object_mut().unwrap().remove("sentences"))),
            &["images[1]: missing field `sentences`"],
        ),
        (
            &with(&|image| image["sentences"] = "a".into()),
            &["images[1].sentences: invalid type: string \"a\", expected a sequence"],
        ),
        (
            &with(&|image| image["sentences"][1] = "a".into()),
            &["images[1].sentences[1]: invalid type: string \"a\", expected an object with `raw`"],
        ),
        (
            &with(&|image| drop(image["sentences"][1].as_object_mut().unwrap().remove("raw"))),
            &["images[1].sentences[1]: missing field `raw`"],
        ),
    ] {
        let options = CaptionsOptions { format: Some(CaptionsFormat::Karpathy), ..data.options() };
        assert_says(&data.read("k.json", content, &options).unwrap_err(), parts);
        // Skipping is for damaged samples, not for files in another format.
        assert_says(&data.skip("k.json", content, &options).unwrap_err(), parts);
    }
    assert!(data.skipped().is_empty());
}

#[test]
fn a_caption_without_image_is_an_error_or_skipped() {
    let data = Data::new(&["b.jpg"]);
    let mut gone = image("a.jpg", "x", &["1"]);
    gone["filepath"] = "val".into();
    let content = karpathy(&[gone, image("b.jpg", "x", &["2"])]);
    let error = data.read("k.json", &content, &data.options()).unwrap_err();
    let tried = [data.path("images/val/a.jpg"), data.path("images/a.jpg")].map(|path| path.display().to_string());
    assert_says(&error, &["k.json, images[0]", "`val/a.jpg`", &tried.join(" and "), "check the folder"]);
    let set = data.skip("k.json", &content, &data.options()).unwrap();
    assert_eq!(data.content(&set), expected(&[("b.jpg", "b.jpg", &["2"])]));
    assert_eq!(data.skipped(), ["val/a.jpg"]);
}

#[test]
fn empty_captions_and_images_without_are_errors_or_skipped() {
    let data = Data::new(&["a.jpg", "b.jpg", "c.jpg"]);
    let empty = image("a.jpg", "x", &["1", " \n"]);
    let none = image("b.jpg", "x", &[]);
    let error = data.read("k.json", &karpathy(std::slice::from_ref(&empty)), &data.options()).unwrap_err();
    assert_says(&error, &["k.json, images[0].sentences[1].raw", "caption 2 of `a.jpg` is empty"]);
    let error = data.read("k.json", &karpathy(std::slice::from_ref(&none)), &data.options()).unwrap_err();
    assert_says(&error, &["k.json, images[0]", "`b.jpg` has no caption"]);
    let content = karpathy(&[empty, none, image("c.jpg", "x", &["", "  "]), image("a.jpg", "x", &["", "3"])]);
    let set = data.skip("k.json", &content, &data.options()).unwrap();
    assert_eq!(data.content(&set), expected(&[("a.jpg", "a.jpg", &["1", "3"])]));
    let captions = ["a.jpg, caption 2", "a.jpg, caption 3", "b.jpg", "c.jpg", "c.jpg, caption 1", "c.jpg, caption 2"];
    assert_eq!(data.skipped(), captions);
}

#[test]
fn a_drawn_world_is_a_set_with_captions() {
    use crate::shapes::{self, Domain, Split, World};
    let data = Data::new(&[]);
    shapes::write(&World::new(0), &data.path("world"), Split::Train, &[Domain::Cartoon], 6, false).unwrap();
    let options = CaptionsOptions {
        images: Some(data.path("world/train")),
        splits: vec![Split::Train.name().to_owned()],
        ..Default::default()
    };
    let captions = data.path("world/captions/train-cartoon.json");
    let set = super::super::read(&captions, &options, OnError::Fail, &data.report).unwrap();
    assert_eq!((set.len(), set.captions()), (6, 30));
    assert!(set.images.iter().all(|image| image.source.load(&DecodeOptions::default()).is_ok()));
}
