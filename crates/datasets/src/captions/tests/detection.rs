//! Detection of a file's format.

use super::*;

const KARPATHY: &str = r#"{"images": [{"filename": "a.jpg", "sentences": [{"raw": "x"}]}]}"#;
const COCO: &str = r#"{"images": [{"id": 1, "file_name": "a.jpg"}], "annotations": [{"image_id": 1, "caption": "x"}]}"#;

#[test]
fn formats_are_detected_by_content() {
    use CaptionsFormat::{Coco, Csv, Karpathy, Shards};
    let data = Data::new(&[]);
    let tar = format!("{}ustar{}", "x".repeat(257), "x".repeat(250));
    for (name, content, form) in [
        ("a.json", KARPATHY, Karpathy),
        ("a.txt", KARPATHY, Karpathy),
        ("a.json", &format!("\u{feff}\n {COCO}"), Coco),
        ("a.json", r#"{"annotations": [], "images": []}"#, Coco),
        ("a.json", r#"{"images": []}"#, Karpathy),
        ("a.csv", "a.jpg,x\n", Csv),
        ("a", "filepath\ttitle\n", Csv),
        ("a.bin", &tar, Shards),
        ("a.tar", "", Shards),
    ] {
        assert_eq!(detect(&data.write(name, content)).unwrap(), form, "{name}: {content}");
    }
    for pattern in ["images", "s/{000..010}.tar"] {
        assert_eq!(detect(&data.path(pattern)).unwrap(), Shards, "{pattern}");
    }
    std::fs::write(data.path("x.tgz"), b"\x1f\x8b\x08").unwrap();
    assert_eq!(detect(&data.path("x.tgz")).unwrap(), Shards);
}

#[test]
fn other_json_lists_the_keys() {
    let data = Data::new(&[]);
    for (content, parts) in [
        (r#"{"data": [], "n": 1}"#, &["a.json", "(Karpathy)", "(COCO)", "found the keys `data`, `n`"][..]),
        (r#"{"images": [{"url": 1, "alt": 2}]}"#, &["in the first of `images` the keys `url`, `alt`"]),
        (r#"{"images": ["a.jpg"]}"#, &["the keys `images`, and `images` that are not objects"]),
        ("{}", &["found the keys none"]),
        ("[]", &["an object with a list of `images`"]),
        ("{", &["a.json", "JSON", "line 1"]),
    ] {
        assert_says(&detect(&data.write("a.json", content)).unwrap_err(), parts);
    }
    assert_says(&detect(&data.path("gone.csv")).unwrap_err(), &["cannot read", "gone.csv"]);
}

#[test]
fn a_given_format_must_match_the_file() {
    let data = Data::new(&["a.jpg"]);
    let given = |format| CaptionsOptions { format: Some(format), ..data.options() };
    assert_eq!(data.read("a.txt", COCO, &given(CaptionsFormat::Coco)).unwrap().len(), 1);
    let error = data.read("a.json", COCO, &given(CaptionsFormat::Karpathy)).unwrap_err();
    assert_says(&error, &["a.json has the format `coco`, not `karpathy`", "set it to `coco`"]);
    let error = data.read("a.json", KARPATHY, &given(CaptionsFormat::Coco)).unwrap_err();
    assert_says(&error, &["a.json has the format `karpathy`, not `coco`"]);
    let error = data.read("a.json", KARPATHY, &given(CaptionsFormat::Shards)).unwrap_err();
    assert_says(&error, &["a.json is broken at byte 0"]);
}
