use std::collections::BTreeMap;
use std::path::Path;

use radapter_datasets::DatasetError;
use radapter_segmentation::mask::{Mask, Rle};
use radapter_segmentation::proposals::{ProposalFiles, Proposals, Region, ResultsWriter, Wanted};
use safetensors::tensor::{Dtype, TensorView};
use serde_json::{Value, json};

const SIZE: (usize, usize) = (4, 3);

fn wanted(name: &str) -> Wanted<'_> {
    Wanted { name, width: SIZE.0, height: SIZE.1, classes: Some(2) }
}

/// Encodes the first `count` pixels, column by column.
fn runs(count: usize) -> Value {
    json!({ "size": [3, 4], "counts": [0, count, 12 - count] })
}

fn of(content: &Value, name: &str) -> Result<Proposals, DatasetError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("proposals.json");
    std::fs::write(&path, content.to_string()).unwrap();
    ProposalFiles::open(&path)?.of(wanted(name))
}

fn areas(proposals: &Proposals) -> Vec<usize> {
    let area = |region: &Region| match region {
        Region::Binary(rle) => rle.area(),
        Region::Logits(_) => panic!("run lengths are binary"),
    };
    proposals.masks.iter().map(|proposal| area(&proposal.region)).collect()
}

#[test]
fn records_match_their_images() {
    let record = |key: &str, value: Value, count: usize| json!({ key: value, "segmentation": runs(count) });
    let content = json!([
        record("file_name", json!("a/b.jpg"), 1),
        record("file_name", json!("c.jpg"), 2),
        record("image_id", json!(139), 3),
        record("image_id", json!("000139"), 4),
        record("image_id", json!(0), 5),
    ]);
    for (name, expected) in [
        ("a/b", vec![1]),
        ("a/b.png", vec![1]),
        ("x/c.jpg", vec![2]),
        ("000000000139.jpg", vec![3, 4]),
        ("000", vec![5]),
        ("b.jpg", vec![]),
        ("unknown.jpg", vec![]),
    ] {
        assert_eq!(areas(&of(&content, name).unwrap()), expected, "{name}");
    }
    // Two images with one stem have their own masks; an image of another format gets those of its stem.
    let twins = json!([record("file_name", json!("a.jpg"), 1), record("file_name", json!("a.png"), 2)]);
    for (name, expected) in [("a.jpg", vec![1]), ("a.png", vec![2]), ("a", vec![1, 2]), ("a.webp", vec![1, 2])] {
        assert_eq!(areas(&of(&twins, name).unwrap()), expected, "{name}");
    }
    // A mask of weight 0 is dropped.
    let weightless = json!([{ "file_name": "a.jpg", "segmentation": runs(1), "score": 0.0 }]);
    assert!(of(&weightless, "a.jpg").unwrap().masks.is_empty());
    let object = json!({
        "images": [{ "id": 7, "file_name": "deep/street.jpg", "width": 4 }],
        "annotations": [{ "image_id": 7, "category_id": 3, "segmentation": runs(6), "score": 0.5 },
                        { "image_id": 7, "segmentation": [[0.0, 0.0, 1.0, 1.0]] }],
    });
    let found = of(&object, "deep/street.png").unwrap();
    assert_eq!((areas(&found), found.masks[0].score), (vec![6], 0.5));
}

#[test]
fn a_written_file_is_read_back() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("out.json");
    let mask = Mask::new(4, 3, (0..12).map(|at| at % 5 == 0).collect()).unwrap();
    let proposal = |score| radapter_segmentation::proposals::Proposal { region: Region::Binary(Rle::of(&mask)), score };
    let proposals = Proposals { width: 4, height: 3, masks: vec![proposal(1.0), proposal(0.25)], class_scores: None };
    let mut bytes = Vec::new();
    let mut writer = ResultsWriter::new(&mut bytes).unwrap();
    writer.push("a/0012.jpg", &proposals).unwrap();
    writer.push("empty.jpg", &Proposals::default()).unwrap();
    writer.finish().unwrap();
    std::fs::write(&path, &bytes).unwrap();
    let files = ProposalFiles::open(&path).unwrap();
    let found = files.of(wanted("a/0012.jpg")).unwrap();
    assert_eq!(found.binary(0.5), [Some(mask.clone()), Some(mask)]);
    assert_eq!(found.masks[1].score, 0.25);
    assert!(files.of(wanted("empty.jpg")).unwrap().masks.is_empty(), "zero proposals");
    let list: Vec<Value> = serde_json::from_slice(&bytes).unwrap();
    assert_eq!((list[0]["image_id"].as_str(), list[0]["segmentation"]["size"].clone()), (Some("0012"), json!([3, 4])));
}

#[test]
fn bad_records_name_file_and_position() {
    let message = |content: Value| of(&content, "a.jpg").unwrap_err().to_string();
    let one = |segmentation: Value| json!([{ "file_name": "a.jpg", "segmentation": segmentation }]);
    for (content, parts) in [
        (one(json!({ "size": [3, 4], "counts": [5, 5] })), ["record 0", "add up to 10 pixels"]),
        (one(json!({ "size": [4, 3], "counts": [12] })), ["record 0: 3 × 4 pixels", "the image a.jpg has 4 × 3"]),
        (one(json!({ "size": [3, 4], "counts": "5!" })), ["record 0", "'!'"]),
        (one(json!({ "size": [3, 4] })), ["record 0", "proposals.json"]),
        (one(json!({ "size": [3, 4], "counts": [-5, 17] })), ["record 0", "proposals.json"]),
        (one(json!({ "size": [3, 4], "counts": [5.5, 6.5] })), ["record 0", "proposals.json"]),
        (json!([{ "file_name": "a.jpg", "segmentation": runs(1), "score": 1e300 }]), ["record 0", "`score` is"]),
        (json!([{ "segmentation": runs(1) }]), ["record 0", "neither `file_name` nor `image_id`"]),
        (json!([{ "file_name": "a.jpg", "segmentation": runs(1), "score": -1.0 }]), ["record 0", "`score` is -1"]),
        (json!({ "masks": [] }), ["the keys are masks", "COCO's results format"]),
        (json!("text"), ["neither a list nor an object", "proposals.json"]),
    ] {
        let text = message(content);
        for part in parts {
            assert!(
                text.contains(part) || part.contains("keys are") && text.contains("keys are masks"),
                "{part}: {text}"
            );
        }
    }
}

#[test]
fn an_all_empty_mask_and_a_single_pixel() {
    let found = of(&json!([{ "file_name": "a", "segmentation": { "size": [3, 4], "counts": [12] } }]), "a").unwrap();
    assert_eq!(found.binary(0.5), [None]);
    assert!(!found.cover_all());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one.json");
    std::fs::write(&path, r#"[{"file_name": "a", "segmentation": {"size": [1, 1], "counts": "01"}}]"#).unwrap();
    let wanted = Wanted { name: "a", width: 1, height: 1, classes: None };
    let found = ProposalFiles::open(&path).unwrap().of(wanted).unwrap();
    assert!(found.cover_all() && found.binary(0.5)[0].as_ref().unwrap().area() == 1);
}

#[test]
fn proposals_for_other_images_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.json");
    std::fs::write(&path, json!([{ "file_name": "cats/x.jpg", "segmentation": runs(1) }]).to_string()).unwrap();
    let files = ProposalFiles::open(&path).unwrap();
    let text = files.check(["dogs/y", "dogs/z"].into_iter()).unwrap_err().to_string();
    for part in ["other.json", "any of the 2 images", "cats/x", "dogs/y"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    assert!(files.check(["dogs/y", "cats/x"].into_iter()).is_ok());
    // One name matches two images.
    std::fs::write(&path, json!([{ "file_name": "1.jpg", "segmentation": runs(1) }]).to_string()).unwrap();
    let files = ProposalFiles::open(&path).unwrap();
    assert!(files.check(["a/1.jpg", "b/2.jpg"].into_iter()).is_ok());
    let text = files.check(["a/1.jpg", "b/1.jpg"].into_iter()).unwrap_err().to_string();
    assert!(text.contains("a/1.jpg") && text.contains("b/1.jpg") && text.contains("other.json"), "{text}");
    assert!(files.check([].into_iter()).is_ok());
}

#[test]
fn folders_have_a_file_per_image() {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let open = || ProposalFiles::open(root);
    assert!(open().unwrap_err().to_string().contains("0 other files"));
    std::fs::create_dir(root.join("deep")).unwrap();
    let sam = json!([{ "segmentation": runs(2), "predicted_iou": 0.9, "area": 2 }]);
    std::fs::write(root.join("deep/a.json"), sam.to_string()).unwrap();
    std::fs::write(root.join("b.json"), json!({ "annotations": [{ "segmentation": runs(3) }] }).to_string()).unwrap();
    let files = open().unwrap();
    assert_eq!(areas(&files.of(wanted("deep/a.jpg")).unwrap()), [2]);
    assert_eq!(areas(&files.of(wanted("elsewhere/b")).unwrap()), [3]);
    assert!(files.of(wanted("c")).unwrap().masks.is_empty());
    assert!(files.notes().is_empty());
    let corners =
        json!([{ "segmentation": [[0, 0, 1, 1]], "category_id": 1 }, { "segmentation": runs(1), "category_id": 2 }]);
    std::fs::write(root.join("d.json"), corners.to_string()).unwrap();
    let files = open().unwrap();
    assert_eq!(areas(&files.of(wanted("d")).unwrap()), [1]);
    let notes = files.notes().join("; ");
    assert!(notes.contains("1 of 2 proposals are polygons") && notes.contains("2 categories"), "{notes}");
    std::fs::write(root.join("c.npz"), "").unwrap();
    let text = open().unwrap_err().to_string();
    assert!(text.contains("3 .json files and 1 .npz files"), "{text}");
}

#[test]
fn id_maps_have_a_mask_per_value() {
    let folder = tempfile::tempdir().unwrap();
    let grey = image::GrayImage::from_raw(4, 3, vec![0, 0, 7, 7, 1, 1, 0, 7, 1, 1, 0, 0]).unwrap();
    grey.save(folder.path().join("a.png")).unwrap();
    grey.save(folder.path().join("b.png")).unwrap();
    image::RgbImage::new(4, 3).save(folder.path().join("c.png")).unwrap();
    let files = ProposalFiles::open(folder.path()).unwrap();
    assert_eq!(areas(&files.of(wanted("a")).unwrap()), [4, 3]);
    let text = files.of(Wanted { width: 5, ..wanted("b") }).unwrap_err().to_string();
    assert!(text.contains("b.png, the id map: 4 × 3") && text.contains("5 × 3"), "{text}");
    let text = files.of(wanted("c")).unwrap_err().to_string();
    assert!(text.contains("c.png") && text.contains("RGB"), "{text}");
}

/// A mask of every pixel for each value would take 16 GB.
#[test]
fn an_id_map_of_as_many_values_as_pixels_takes_little_memory() {
    let folder = tempfile::tempdir().unwrap();
    let values = (0..512 * 512_u32).map(|at| (at % 65536) as u16).collect();
    let map = image::ImageBuffer::<image::Luma<u16>, Vec<u16>>::from_raw(512, 512, values).unwrap();
    map.save(folder.path().join("a.png")).unwrap();
    let files = ProposalFiles::open(folder.path()).unwrap();
    let found = files.of(Wanted { width: 512, height: 512, ..wanted("a") }).unwrap();
    assert_eq!(areas(&found), [4; 65535]);
    let Region::Binary(last) = &found.masks[65534].region else { panic!("an id map has binary masks") };
    let bits = last.decode();
    assert!((0..4).all(|quarter| bits.bits()[quarter * 65536 + 65535]));
}

fn safetensors(path: &Path, arrays: &[(&str, Vec<usize>, Vec<f32>)]) {
    let bytes: Vec<Vec<u8>> =
        arrays.iter().map(|(_, _, values)| values.iter().flat_map(|value| value.to_le_bytes()).collect()).collect();
    let views: BTreeMap<&str, TensorView<'_>> = arrays
        .iter()
        .zip(&bytes)
        .map(|((name, shape, _), bytes)| (*name, TensorView::new(Dtype::F32, shape.clone(), bytes).unwrap()))
        .collect();
    std::fs::write(path, safetensors::serialize(&views, None).unwrap()).unwrap();
}

/// Writes an `.npy` array as numpy does.
fn npy(descr: &str, fortran: bool, shape: &str, data: &[u8]) -> Vec<u8> {
    let fortran = if fortran { "True" } else { "False" };
    let mut header = format!("{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}");
    while !(10 + header.len() + 1).is_multiple_of(64) {
        header.push(' ');
    }
    header.push('\n');
    let mut bytes = b"\x93NUMPY\x01\x00".to_vec();
    bytes.extend((header.len() as u16).to_le_bytes());
    bytes.extend(header.as_bytes());
    bytes.extend(data);
    bytes
}

fn npz(path: &Path, arrays: &[(&str, Vec<u8>)], method: zip::CompressionMethod) {
    let mut archive = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    for (name, bytes) in arrays {
        let options = zip::write::SimpleFileOptions::default().compression_method(method);
        archive.start_file(format!("{name}.npy"), options).unwrap();
        std::io::Write::write_all(&mut archive, bytes).unwrap();
    }
    archive.finish().unwrap();
}

fn floats(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|value| value.to_le_bytes()).collect()
}

#[test]
fn logits_come_from_either_kind_of_file() {
    let masks: Vec<f32> = (0..12).map(|at| at as f32 - 6.0).collect();
    let scores = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    let halves: Vec<u8> = masks.iter().flat_map(|value| half::f16::from_f32(*value).to_le_bytes()).collect();
    let doubles: Vec<u8> = masks.iter().flat_map(|value| f64::from(*value).to_le_bytes()).collect();
    let all = [
        ("<f4", floats(&masks), zip::CompressionMethod::Stored),
        ("<f4", floats(&masks), zip::CompressionMethod::Deflated),
        ("<f2", halves, zip::CompressionMethod::Stored),
        ("<f8", doubles, zip::CompressionMethod::Stored),
    ];
    let mut found = Vec::new();
    for (descr, bytes, method) in all {
        let folder = tempfile::tempdir().unwrap();
        let arrays = [
            ("masks", npy(descr, false, "(2, 2, 3)", &bytes)),
            ("scores", npy("<f4", false, "(2, 3)", &floats(&scores))),
        ];
        npz(&folder.path().join("a.npz"), &arrays, method);
        found.push(ProposalFiles::open(folder.path()).unwrap().of(wanted("a.jpg")).unwrap());
    }
    let folder = tempfile::tempdir().unwrap();
    safetensors(
        &folder.path().join("a.safetensors"),
        &[("masks", vec![2, 2, 3], masks), ("scores", vec![2, 3], scores.clone())],
    );
    found.push(ProposalFiles::open(folder.path()).unwrap().of(wanted("a.jpg")).unwrap());
    for proposals in &found {
        assert_eq!(proposals.class_scores.as_ref().unwrap().row(1), Some(&scores[3..]));
        assert_eq!(proposals.binary(0.5), found[0].binary(0.5));
        // All logits of the first mask are below zero, and nearly all of the second above.
        assert!(proposals.binary(0.5)[0].is_none() && proposals.binary(0.5)[1].as_ref().unwrap().area() > 9);
    }
}

#[test]
fn pointers_of_git_lfs_are_named() {
    let pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 8165764\n";
    for file in ["all.json", "folder/a.json", "folder/a.png", "folder/a.npz", "folder/a.safetensors"] {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, pointer).unwrap();
        let open = if file.starts_with("folder") { dir.path().join("folder") } else { path };
        let error = ProposalFiles::open(&open).and_then(|files| files.of(wanted("a.jpg"))).unwrap_err().to_string();
        let name = file.rsplit('/').next().unwrap();
        assert!(error.contains("a Git LFS pointer") && error.contains(name), "{file}: {error}");
    }
}

#[test]
fn arrays_of_another_shape_or_type_are_refused() {
    let message = |arrays: &[(&str, Vec<u8>)]| {
        let folder = tempfile::tempdir().unwrap();
        npz(&folder.path().join("a.npz"), arrays, zip::CompressionMethod::Stored);
        ProposalFiles::open(folder.path()).unwrap().of(wanted("a")).unwrap_err().to_string()
    };
    let good = npy("<f4", false, "(1, 2, 2)", &floats(&[0.0; 4]));
    for (arrays, parts) in [
        (vec![("masks", npy("<f4", false, "(2, 2)", &floats(&[0.0; 4])))], ["`masks`", "shape [2, 2]"]),
        (vec![("other", good.clone())], ["`masks`", "found none"]),
        (vec![("masks", npy("|b1", false, "(1, 2, 2)", &[0; 4]))], ["`masks`", "b1"]),
        (vec![("masks", npy("<f4", true, "(1, 2, 2)", &floats(&[0.0; 4])))], ["Fortran", "ascontiguousarray"]),
        (vec![("masks", npy("<f4", false, "(1, 2, 2)", &floats(&[f32::NAN; 4])))], ["`masks`", "NaN"]),
        (vec![("masks", npy("<f4", false, "(9000000, 90000, 9000)", &[]))], ["a.npz", "refused"]),
        (
            vec![("masks", good.clone()), ("scores", npy("<f4", false, "(1, 3)", &floats(&[0.0, f32::INFINITY, 0.0])))],
            ["`scores`", "inf"],
        ),
        (vec![("masks", npy("<f4", false, "(1, 2, 2)", &floats(&[0.0; 3])))], ["a.npz", "cannot read"]),
        (
            vec![("masks", good.clone()), ("scores", npy("<f4", false, "(1, 2)", &floats(&[0.0; 2])))],
            ["`scores`", "[1, 2 + 1]"],
        ),
        (
            vec![("masks", good.clone()), ("scores", npy("<f4", false, "(2, 3)", &floats(&[0.0; 6])))],
            ["`scores`", "shape [2, 3]"],
        ),
    ] {
        let text = message(&arrays);
        for part in parts {
            assert!(text.contains(part), "{part}: {text}");
        }
    }
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.npz"), "no zip").unwrap();
    let text = ProposalFiles::open(folder.path()).unwrap().of(wanted("a")).unwrap_err().to_string();
    assert!(text.contains("a.npz"), "{text}");
}
