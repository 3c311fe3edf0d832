//! Checkpoints that are truncated, inconsistent, or of another model: a clear error each, never a panic.

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use radapter_clip::checkpoint::{
    Checkpoint, CheckpointError, Format, SaveOptions, read_safetensors_bytes, write_safetensors, write_safetensors_file,
};
use radapter_clip::state_dict::{RawTensor, StateDict, StoredDtype, TensorError};
use serde_json::{Value, json};

use crate::support::{fixture, small_checkpoint, small_config, small_state};

/// Two small tensors as a safetensors file.
fn two_tensors() -> Vec<u8> {
    let tensors = StateDict::from_iter([
        ("first".to_owned(), RawTensor::from_f32(vec![2, 2], vec![1.0, 2.0, 3.0, 4.0])),
        ("second".to_owned(), RawTensor::from_f32(vec![3], vec![5.0, 6.0, 7.0])),
    ]);
    let mut bytes = Vec::new();
    write_safetensors(&mut bytes, &tensors, &[("format".to_owned(), "pt".to_owned())].into()).unwrap();
    bytes
}

/// A safetensors file with this header and `data` bytes of data.
fn with_header(header: &str, data: usize) -> Vec<u8> {
    [&(header.len() as u64).to_le_bytes()[..], header.as_bytes(), &vec![0; data]].concat()
}

fn with_tensor(info: Value, data: usize) -> Vec<u8> {
    with_header(&json!({ "weight": info }).to_string(), data)
}

#[test]
fn damaged_safetensors_name_file_and_key() {
    let whole = two_tensors();
    let good = json!({ "dtype": "F32", "shape": [2], "data_offsets": [0, 8] });
    let tensor = |key: &str, value: Value| {
        let mut info = good.clone();
        info[key] = value;
        with_tensor(info, 8)
    };
    let overlapping = json!({
        "a": { "dtype": "F32", "shape": [2], "data_offsets": [0, 8] },
        "b": { "dtype": "F32", "shape": [2], "data_offsets": [4, 12] },
    });
    let gap = json!({
        "a": { "dtype": "F32", "shape": [1], "data_offsets": [0, 4] },
        "b": { "dtype": "F32", "shape": [1], "data_offsets": [8, 12] },
    });
    for (what, bytes, expected) in [
        ("nothing", vec![], "at least 8 bytes"),
        ("too short", vec![1, 2, 3], "at least 8 bytes"),
        ("cut in the header", whole[..40].to_vec(), "header has"),
        ("cut in half", whole[..whole.len() / 2].to_vec(), ""),
        ("cut in the data", whole[..whole.len() - 4].to_vec(), "`second`"),
        ("more data than said", [whole.clone(), vec![0; 4]].concat(), "expected 28 bytes of data, found 32"),
        ("huge header length", [&u64::MAX.to_le_bytes()[..], &whole[8..]].concat(), "header has 18446744073709551615"),
        ("header length of 2^62", [&(1u64 << 62).to_le_bytes()[..], &whole[8..]].concat(), "header has"),
        ("header of 100 MB", [&100_000_000u64.to_le_bytes()[..], &whole[8..]].concat(), "header has 100000000"),
        ("no JSON", with_header("{\"weight\": ", 0), "not a JSON object"),
        ("a list", with_header("[1, 2]", 0), "not a JSON object"),
        ("no UTF-8", [&2u64.to_le_bytes()[..], &[b'{', 0xff]].concat(), "not a JSON object"),
        ("unknown dtype", tensor("dtype", json!("F31")), "`weight`: expected a dtype such as F32, found \"F31\""),
        ("a shape too large", tensor("shape", json!([3])), "`weight`: shape [3] in \"F32\" does not take 8 bytes"),
        ("a shape that overflows", tensor("shape", json!([u64::MAX, u64::MAX])), "`weight`"),
        ("a negative axis", tensor("shape", json!([-2])), "`weight`"),
        ("offsets beyond the file", tensor("data_offsets", json!([0, 800])), "`weight`: expected data_offsets within"),
        ("offsets the wrong way", tensor("data_offsets", json!([8, 0])), "`weight`: expected data_offsets within"),
        ("huge offsets", tensor("data_offsets", json!([u64::MAX - 8, u64::MAX])), "`weight`"),
        ("no offsets", tensor("data_offsets", json!("x")), "`weight`: expected two data_offsets"),
        ("overlapping", with_header(&overlapping.to_string(), 12), ""),
        ("a gap", with_header(&gap.to_string(), 12), ""),
    ] {
        let error = read_safetensors_bytes(bytes.clone(), "some/model.safetensors").unwrap_err();
        assert!(matches!(error, CheckpointError::Damaged { .. }), "{what}: {error}");
        let text = error.to_string();
        assert!(text.contains("some/model.safetensors") && text.contains(expected), "{what}: {text}");

        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        fs::write(&path, bytes).unwrap();
        let error = Checkpoint::open(&path, Some(&small_config())).unwrap_err();
        assert!(matches!(error, CheckpointError::Damaged { .. }), "{what}: {error}");
    }
}

#[test]
fn other_dtypes_name_file_and_key() {
    for (dtype, size) in [("F64", 8), ("I64", 8), ("U8", 1), ("BOOL", 1), ("F8_E4M3", 1)] {
        let bytes = with_tensor(json!({ "dtype": dtype, "shape": [2], "data_offsets": [0, 2 * size] }), 2 * size);
        let error = read_safetensors_bytes(bytes, "model.safetensors").unwrap_err();
        assert!(
            matches!(&error, CheckpointError::Dtype { key, found, .. } if key == "weight" && found == dtype),
            "{error}"
        );
    }
}

#[test]
fn pytorch_files_cut_anywhere_are_damaged() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["state_dict.pt", "legacy.pt", "training.pt"] {
        let whole = fs::read(fixture(name)).unwrap();
        let path = folder.path().join(name);
        for cut in [1, 10, 100, whole.len() / 4, whole.len() / 2, whole.len() - 1] {
            fs::write(&path, &whole[..cut]).unwrap();
            let error = Checkpoint::open(&path, Some(&small_config())).unwrap_err();
            let clear = matches!(error, CheckpointError::Damaged { .. } | CheckpointError::UnknownFormat { .. });
            assert!(clear && error.to_string().contains(name), "{name} cut at {cut}: {error}");
        }
    }
}

#[test]
fn files_of_another_kind_are_told_as_such() {
    let folder = tempfile::tempdir().unwrap();
    for (name, content) in [("model.bin", &b"GIF89a, not a model"[..]), ("model.pt", b""), ("weights.txt", b"hello")] {
        let path = folder.path().join(name);
        fs::write(&path, content).unwrap();
        let error = Checkpoint::open(&path, Some(&small_config())).unwrap_err();
        assert!(matches!(error, CheckpointError::UnknownFormat { .. }), "{name}: {error}");
        assert!(error.to_string().contains(name), "{error}");
    }
    let error = Checkpoint::open(folder.path().join("missing"), None).unwrap_err();
    assert!(matches!(error, CheckpointError::Io(_)), "{error}");
}

fn save_state(path: &Path, state: &StateDict) {
    write_safetensors_file(path, state, &Default::default()).unwrap();
}

#[test]
fn differences_are_listed_whole() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    let mut state = small_state();
    state.remove("logit_scale");
    state.remove("visual.ln_pre.bias");
    state.insert("logit_bias", RawTensor::from_f32(vec![], vec![0.0]));
    state.insert("visual.proj", RawTensor::from_f32(vec![4, 5], vec![0.0; 20]));
    save_state(&path, &state);
    let error = Checkpoint::open(&path, Some(&small_config())).unwrap_err();
    let CheckpointError::Mismatch { mismatch, .. } = &error else { panic!("{error}") };
    assert_eq!(mismatch.missing, [("visual.ln_pre.bias".to_owned(), vec![4]), ("logit_scale".to_owned(), vec![])]);
    assert_eq!(mismatch.extra, [("logit_bias".to_owned(), vec![])]);
    assert_eq!(mismatch.misshapen, [("visual.proj".to_owned(), vec![4, 4], vec![4, 5])]);
    let text = error.to_string();
    for part in [
        "model.safetensors",
        "2 missing, 1 not expected, 1 of another shape",
        "missing `logit_scale`: expected []",
        "not expected `logit_bias`: found []",
        "another shape `visual.proj`: expected [4, 4], found [4, 5]",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
}

#[test]
fn a_long_list_is_cut_and_counted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    save_state(&path, &StateDict::from_iter([("x".to_owned(), RawTensor::from_f32(vec![1], vec![0.0]))]));
    let error = Checkpoint::open(&path, Some(&small_config())).unwrap_err().to_string();
    let missing = small_config().expected_tensors().len();
    assert!(error.contains(&format!("{missing} missing, 1 not expected")), "{error}");
    assert!(error.contains(&format!("and {} more", missing - 20)), "{error}");
    assert!(error.lines().count() < 30, "{error}");
}

/// The names in the error are the file's, not ours.
#[test]
fn differences_of_a_hugging_face_file_are_in_its_names() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("model");
    small_checkpoint().save(&dir, &SaveOptions::new(Format::HuggingFace)).unwrap();
    let path = dir.join("model.safetensors");
    let mut file = radapter_clip::checkpoint::read_safetensors(&path).unwrap();
    let name = "vision_model.encoder.layers.0.self_attn.k_proj.weight";
    file.tensors.insert(name, RawTensor::from_f32(vec![4, 3], vec![0.0; 12]));
    file.tensors.remove("text_model.encoder.layers.0.self_attn.q_proj.bias");
    save_state(&path, &file.tensors);
    let error = Checkpoint::open(&dir, None).unwrap_err().to_string();
    assert!(error.contains("missing `text_model.encoder.layers.0.self_attn.q_proj.bias`: expected [4]"), "{error}");
    assert!(error.contains(&format!("another shape `{name}`: expected [4, 4], found [4, 3]")), "{error}");
    assert!(error.contains("1 missing, 0 not expected, 1 of another shape"), "{error}");
}

#[test]
fn fused_parts_of_different_dtypes_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("model");
    small_checkpoint().save(&dir, &SaveOptions::new(Format::HuggingFace)).unwrap();
    let path = dir.join("model.safetensors");
    let mut file = radapter_clip::checkpoint::read_safetensors(&path).unwrap();
    let name = "text_model.encoder.layers.0.self_attn.k_proj.weight";
    let half = file.tensors.get(name).unwrap().cast(StoredDtype::F16).unwrap();
    file.tensors.insert(name, half);
    save_state(&path, &file.tensors);
    let error = Checkpoint::open(&dir, None).unwrap_err();
    assert!(matches!(&error, CheckpointError::Tensor { error: TensorError::Shape { .. }, .. }), "{error}");
    assert!(error.to_string().contains("text_model.encoder.layers.0.self_attn"), "{error}");
}

#[test]
fn nan_and_infinity_are_refused_by_name() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model.safetensors");
    for dtype in [StoredDtype::F32, StoredDtype::F16, StoredDtype::BF16] {
        for (value, count) in [(f32::NAN, "2 NaN and 0 infinite"), (f32::NEG_INFINITY, "0 NaN and 2 infinite")] {
            let mut state = small_state().cast(dtype).unwrap();
            let bad = RawTensor::from_f32(vec![4], vec![1.0, value, 0.0, value]).cast(dtype).unwrap();
            state.insert("visual.ln_post.weight", bad);
            save_state(&path, &state);
            let error = Checkpoint::open(&path, Some(&small_config())).unwrap_err();
            assert!(matches!(error, CheckpointError::Tensor { .. }), "{error}");
            let text = error.to_string();
            assert!(text.contains("visual.ln_post.weight") && text.contains(count), "{text}");
        }
    }
}

#[test]
fn a_config_with_an_unknown_key_names_file_and_key() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("model");
    small_checkpoint().save(&dir, &SaveOptions::new(Format::OpenClip)).unwrap();
    let path = dir.join("open_clip_config.json");
    let mut config: Value = serde_json::from_str(&fs::read_to_string(&path).unwrap()).unwrap();
    config["model_cfg"]["vision_cfg"]["register_tokens"] = json!(4);
    fs::write(&path, config.to_string()).unwrap();
    let error = Checkpoint::open(&dir, None).unwrap_err();
    assert!(matches!(error, CheckpointError::Config { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("open_clip_config.json") && text.contains("model_cfg.vision_cfg.register_tokens"), "{text}");
}

#[test]
fn a_full_disk_is_an_error() {
    let Ok(mut full) = fs::File::options().write(true).open("/dev/full") else {
        eprintln!("skipped: no /dev/full here");
        return;
    };
    let error = write_safetensors(&mut full, &small_state(), &Default::default()).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::StorageFull, "{error}");
}

#[test]
fn an_unwritable_place_is_an_error() {
    let error = small_checkpoint().save("/proc/no-such/model", &SaveOptions::new(Format::OpenClip)).unwrap_err();
    assert!(matches!(error, CheckpointError::Io { .. }), "{error}");
    let error = write_safetensors_file("/proc/x.safetensors", &small_state(), &Default::default()).unwrap_err();
    assert!(matches!(error, CheckpointError::Io(_)), "{error}");
}

fn open_bytes(name: &str, bytes: &[u8]) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join(name);
    fs::write(&path, bytes).unwrap();
    // Nothing panics; a change inside the values may stay undetected.
    if let Err(error) = Checkpoint::open(&path, Some(&small_config())) {
        assert!(!error.to_string().is_empty());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn mutated_safetensors_never_panic(
        changes in prop::collection::vec((0usize..300, any::<u8>()), 1..6),
        cut in 0usize..400,
    ) {
        let mut bytes = two_tensors();
        for (at, value) in changes {
            let at = at % bytes.len();
            bytes[at] = value;
        }
        bytes.truncate(bytes.len().min(cut.max(1)));
        if let Err(error) = read_safetensors_bytes(bytes, "mutated") {
            prop_assert!(error.to_string().contains("mutated"));
        }
    }

    #[test]
    fn any_header_never_panics(header in "[\\[\\]{}:,\"a-z0-9_ -]{0,120}", data in 0usize..64) {
        let _ = read_safetensors_bytes(with_header(&header, data), "any");
    }

    #[test]
    fn any_tensor_info_never_panics(shape in prop::collection::vec(any::<u64>(), 0..4), offsets in any::<[u64; 2]>()) {
        let info = json!({ "dtype": "F16", "shape": shape, "data_offsets": offsets });
        let _ = read_safetensors_bytes(with_tensor(info, 16), "any");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn mutated_pytorch_files_never_panic(
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        name in prop::sample::select(vec!["state_dict.pt", "legacy.pt", "training.pt", "hugging_face_bf16.bin"]),
    ) {
        let mut bytes = fs::read(fixture(name)).unwrap();
        for (at, value) in changes {
            let at = at.index(bytes.len());
            bytes[at] = value;
        }
        open_bytes(name, &bytes);
    }
}
