//! COCO's format: reading, and errors with their place.

use serde_json::json;

use super::*;

fn two() -> Value {
    json!({
        "info": {"year": 2017},
        "annotations": [
            {"image_id": 9, "id": 1, "caption": "a cat"},
            {"image_id": 4, "id": 2, "caption": "a dog"},
            {"image_id": 9, "id": 3, "caption": "one more cat"}
        ],
        "images": [{"id": 4, "file_name": "4.jpg"}, {"id": 9, "file_name": "sub/9.jpg", "height": 3}],
    })
}

fn changed(change: impl Fn(&mut Value)) -> String {
    let mut content = two();
    change(&mut content);
    content.to_string()
}

#[test]
fn annotations_are_captions_of_their_images() {
    let data = Data::new(&["4.jpg", "sub/9.jpg"]);
    let set = data.read("c.json", &two().to_string(), &data.options()).unwrap();
    let cats = ("sub/9.jpg", "sub/9.jpg", &["a cat", "one more cat"][..]);
    assert_eq!(data.content(&set), expected(&[("4.jpg", "4.jpg", &["a dog"]), cats]));
}

#[test]
fn ids_restrict_the_images() {
    let data = Data::new(&["sub/9.jpg"]);
    for ids in ["[9]", " [\"9\"]\n", "9\n", "\r\n9\r\n\r\n"] {
        let options = CaptionsOptions { image_ids: Some(data.write("ids.txt", ids)), ..data.options() };
        let set = data.read("c.json", &two().to_string(), &options).unwrap();
        assert_eq!(data.content(&set), expected(&[("sub/9.jpg", "sub/9.jpg", &["a cat", "one more cat"])]), "{ids}");
    }
    for ids in ["9", "9,", "[9]"] {
        let options = CaptionsOptions { image_ids: Some(ids.into()), ..data.options() };
        assert_eq!(data.read("c.json", &two().to_string(), &options).unwrap().images.len(), 1, "{ids}");
    }
}

#[test]
fn unknown_ids_are_errors() {
    let data = Data::new(&["4.jpg", "sub/9.jpg"]);
    for (ids, parts) in [
        ("9\n12\n13\n", &["ids.txt", "2 image ids", "c.json does not have", "12, 13"][..]),
        ("[9, {}]", &["ids.txt, [1]", "found {}; expected one name per line"]),
        ("[9", &["ids.txt", "JSON", "line 1"]),
        ("\n", &["ids.txt", "no image ids"]),
        ("[]", &["ids.txt", "no image ids"]),
    ] {
        let options = CaptionsOptions { image_ids: Some(data.write("ids.txt", ids)), ..data.options() };
        assert_says(&data.read("c.json", &two().to_string(), &options).unwrap_err(), parts);
    }
    let options = CaptionsOptions { image_ids: Some(data.path("none.txt")), ..data.options() };
    assert_says(&data.read("c.json", &two().to_string(), &options).unwrap_err(), &["there is no file", "none.txt"]);
    let error = data.read("k.json", &karpathy(&[image("4.jpg", "x", &["1"])]), &options).unwrap_err();
    assert_says(&error, &["`image_ids`", "to the format `coco`", "have the format `karpathy`"]);
}

#[test]
fn json_that_is_not_cocos_names_the_place() {
    let data = Data::new(&["4.jpg", "sub/9.jpg"]);
    for (content, parts) in [
        (
            changed(|json| json["annotations"][1]["image_id"] = 5.into()),
            &["annotations[1].image_id", "no image with the id 5"][..],
        ),
        (
            changed(|json| json["annotations"][1]["image_id"] = Value::Null),
            &["annotations[1].image_id: invalid type: null, expected an image's id"],
        ),
        (
            changed(|json| json["annotations"][2]["caption"] = Value::Null),
            &["annotations[2].caption: expected a caption", "instances_*.json", "found null"],
        ),
        (
            changed(|json| json["annotations"][0] = 1.into()),
            &["annotations[0]: invalid type: integer `1`, expected an object"],
        ),
        (
            changed(|json| json["images"][1]["file_name"] = 3.into()),
            &["images[1].file_name: invalid type: integer `3`, expected a string", "line 1"],
        ),
        (
            changed(|json| json["images"][1]["file_name"] = "".into()),
            &["images[1].file_name: invalid value: string \"\", expected a file's name"],
        ),
        (
            changed(|json| json["images"][1]["id"] = json!([])),
            &["images[1].id: invalid type: sequence, expected an image's id"],
        ),
        (changed(|json| json["images"][1]["id"] = 4.into()), &["images[1].id", "the id 4 is also an earlier image's"]),
        (
            changed(|json| drop(json.as_object_mut().unwrap().remove("annotations"))),
            &["annotations: expected a list", "found nothing"],
        ),
    ] {
        assert_says(&data.skip("c.json", &content, &data.options()).unwrap_err(), parts);
    }
    assert!(data.skipped().is_empty());
}

#[test]
fn damaged_samples_are_errors_or_skipped() {
    let data = Data::new(&["sub/9.jpg"]);
    let content = changed(|json| {
        json["annotations"][0]["caption"] = "\t".into();
        json["images"][0]["file_name"] = "gone.jpg".into();
    });
    assert_says(&data.read("c.json", &content, &data.options()).unwrap_err(), &["c.json, images[0]", "`gone.jpg`"]);
    let set = data.skip("c.json", &content, &data.options()).unwrap();
    assert_eq!(data.content(&set), expected(&[("sub/9.jpg", "sub/9.jpg", &["one more cat"])]));
    assert_eq!(data.skipped(), ["gone.jpg", "sub/9.jpg, caption 1"]);

    let data = Data::new(&["4.jpg", "sub/9.jpg"]);
    let empty = changed(|json| json["annotations"][2]["caption"] = " ".into());
    let error = data.read("c.json", &empty, &data.options()).unwrap_err();
    assert_says(&error, &["c.json, annotations[2].caption", "caption 2 of `sub/9.jpg` is empty"]);
    let none = changed(|json| json["annotations"][1]["image_id"] = 9.into());
    assert_says(&data.read("c.json", &none, &data.options()).unwrap_err(), &["images[0]", "`4.jpg` has no caption"]);
    assert_eq!(data.skip("c.json", &none, &data.options()).unwrap().len(), 1);
    assert_eq!(data.skipped(), ["4.jpg"]);
}
