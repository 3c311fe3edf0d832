//! Adapter files, and every way in which one can be invalid.

use std::collections::BTreeMap;
use std::io::Write;

use radapter_adapter::{AdapterConfig, AdapterError, AdapterFile, AdapterSet, BaseMatch, FORMAT, Rank};
use radapter_clip::checkpoint::write_safetensors;
use radapter_clip::state_dict::{RawTensor, StateDict, StoredDtype};

use crate::support::{config, random_set, state};

fn low() -> AdapterConfig {
    AdapterConfig { rank: Rank::Low(2), ..AdapterConfig::default() }
}

fn file() -> AdapterFile {
    AdapterFile { adapters: random_set(&low(), 0, 0.5), base: Some(state(0).hash()), config: Some(low()) }
}

fn bytes_of(file: &AdapterFile) -> Vec<u8> {
    let mut bytes = Vec::new();
    file.write_to(&mut bytes).unwrap();
    bytes
}

fn zeros(shape: &[usize]) -> RawTensor {
    RawTensor::from_f32(shape, vec![0.0; shape.iter().product()])
}

/// Reads a file of these tensors and this metadata.
fn read(tensors: &[(&str, RawTensor)], metadata: &[(&str, &str)]) -> Result<AdapterFile, AdapterError> {
    let tensors: StateDict = tensors.iter().map(|(key, tensor)| ((*key).to_owned(), tensor.clone())).collect();
    let metadata: BTreeMap<_, _> =
        metadata.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    let mut bytes = Vec::new();
    write_safetensors(&mut bytes, &tensors, &metadata).unwrap();
    AdapterFile::from_bytes(bytes, "some.safetensors")
}

fn refusal(tensors: &[(&str, RawTensor)]) -> String {
    let message = read(tensors, &[("format", FORMAT)]).unwrap_err().to_string();
    message.strip_prefix("some.safetensors: ").unwrap_or_else(|| panic!("{message}")).to_owned()
}

#[test]
fn written_and_read_on_disk() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("adapters.safetensors");
    file().write(&path).unwrap();
    assert_eq!(AdapterFile::read(&path).unwrap(), file());
    assert_eq!(std::fs::read(&path).unwrap(), bytes_of(&file()));
    // Replaces an existing file, and leaves nothing beside it.
    let other = AdapterFile { base: None, ..file() };
    other.write(&path).unwrap();
    assert_eq!(AdapterFile::read(&path).unwrap(), other);
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
}

#[test]
fn tensors_are_named_and_shaped_as_documented() {
    let tensors = file().adapters.to_tensors();
    let shape = |key: &str| tensors.get(key).unwrap().shape().to_vec();
    assert_eq!(shape("visual.0.attn.down"), [2, 16]);
    assert_eq!(shape("visual.0.attn.up"), [16, 2]);
    assert_eq!(shape("visual.0.attn.scale"), [1]);
    assert_eq!(shape("text.1.mlp.up"), [8, 2]);
    assert_eq!(tensors.len(), 30);
}

#[test]
fn a_scale_that_is_absent_is_one_and_may_have_no_axes() {
    let read = |tensors: &[(&str, RawTensor)]| {
        let set = read(tensors, &[("format", FORMAT)]).unwrap().adapters;
        set.get("text.0.mlp".parse().unwrap()).unwrap().scale
    };
    let weight = ("text.0.mlp.weight", zeros(&[8, 8]));
    assert_eq!(read(std::slice::from_ref(&weight)), None);
    for shape in [&[][..], &[1], &[1, 1]] {
        let scale = RawTensor::from_f32(shape, vec![0.25]);
        assert_eq!(read(&[weight.clone(), ("text.0.mlp.scale", scale)]), Some(0.25));
    }
}

#[test]
fn half_precision_is_widened() {
    let values: Vec<f32> = (0..64).map(|k| k as f32 / 64.0).collect();
    let weight = RawTensor::from_f32([8, 8], values);
    for dtype in [StoredDtype::F16, StoredDtype::BF16] {
        let tensors = [("text.0.mlp.weight", weight.cast(dtype).unwrap())];
        let set = read(&tensors, &[("format", FORMAT)]).unwrap().adapters;
        assert_eq!(set.to_tensors().get("text.0.mlp.weight"), Some(&weight));
    }
}

#[test]
fn names_that_are_no_adapters() {
    for key in [
        "visual.0.attn.bias",
        "visual.0.attn",
        "visual.0.weight",
        "image.0.attn.weight",
        "visual.-1.attn.weight",
        "visual.00.attn.weight",
        "visual.0.ffn.weight",
        "x.visual.0.attn.weight",
        "weight",
        "",
    ] {
        let message = refusal(&[("visual.0.attn.weight", zeros(&[16, 16])), (key, zeros(&[16, 16]))]);
        assert!(message.starts_with(&format!("`{key}` is not an adapter tensor")), "{message}");
    }
}

#[test]
fn adapters_that_are_not_complete() {
    let (down, up) = (("text.0.mlp.down", zeros(&[2, 8])), ("text.0.mlp.up", zeros(&[8, 2])));
    let scale = ("text.0.mlp.scale", zeros(&[1]));
    assert!(refusal(&[down.clone(), scale.clone()]).starts_with("adapter `text.0.mlp` lacks `up`"));
    assert!(refusal(std::slice::from_ref(&up)).starts_with("adapter `text.0.mlp` lacks `down`"));
    assert!(refusal(&[scale]).starts_with("adapter `text.0.mlp` lacks `weight`"));
    let weight = ("text.0.mlp.weight", zeros(&[8, 8]));
    assert!(refusal(&[weight, down, up]).contains("both `weight` and `down`/`up`"));
    assert!(refusal(&[]).starts_with("no adapters"));
}

#[test]
fn shapes_that_do_not_fit_each_other() {
    let message = refusal(&[("text.0.mlp.weight", zeros(&[8, 4]))]);
    assert_eq!(message, "`text.0.mlp.weight` has shape [8, 4], expected a square matrix [d, d]");
    let message = refusal(&[("text.0.mlp.weight", zeros(&[8]))]);
    assert_eq!(message, "`text.0.mlp.weight` has shape [8], expected a matrix");
    let transposed = [("text.0.mlp.down", zeros(&[2, 8])), ("text.0.mlp.up", zeros(&[2, 8]))];
    let message = refusal(&transposed);
    assert!(message.starts_with("`text.0.mlp.up` has shape [2, 8], expected [8, 2]"), "{message}");
    let scale = [("text.0.mlp.weight", zeros(&[8, 8])), ("text.0.mlp.scale", zeros(&[2]))];
    assert_eq!(refusal(&scale), "`text.0.mlp.scale` has shape [2], expected one element");
}

#[test]
fn values_that_are_not_finite() {
    let scale = RawTensor::from_f32([1], vec![f32::NAN]);
    let message = refusal(&[("text.0.mlp.weight", zeros(&[8, 8])), ("text.0.mlp.scale", scale)]);
    assert!(message.starts_with("`text.0.mlp.scale` holds 1 values that are NaN or infinite"), "{message}");
    let half = RawTensor::new(StoredDtype::F16, vec![1, 1], vec![0x00, 0x7c]).unwrap();
    let message = refusal(&[("text.0.mlp.weight", half)]);
    assert!(message.starts_with("`text.0.mlp.weight` holds 1 values"), "{message}");
}

#[test]
fn formats_and_metadata() {
    let weight = [("text.0.mlp.weight", zeros(&[8, 8]))];
    let refusal = |metadata: &[(&str, &str)]| read(&weight, metadata).unwrap_err().to_string();
    assert!(refusal(&[]).contains("`format` is missing, expected `radapter-adapters-v1`"));
    assert!(refusal(&[("format", "pt")]).contains("`format` is `pt`"));
    assert!(refusal(&[("format", "radapter-adapters-v2")]).contains("`radapter-adapters-v2`"));
    for config in ["{", "{\"ranks\": 4}", "4"] {
        let message = refusal(&[("format", FORMAT), ("config", config)]);
        assert!(message.contains("metadata `config` cannot be read"), "{message}");
    }
    // Other programs may add metadata.
    assert!(read(&weight, &[("format", FORMAT), ("author", "somebody")]).is_ok());
}

#[test]
fn adapters_of_another_model() {
    let (file, hash) = (file(), state(0).hash());
    assert_eq!(file.check_base(&hash, &config()).unwrap(), BaseMatch::Same);
    let other = state(1).hash();
    let error = file.check_base(&other, &config()).unwrap_err();
    assert!(matches!(&error, AdapterError::OtherBase { expected, found } if *expected == hash && *found == other));
    assert!(error.to_string().contains(&hash) && error.to_string().contains(&other));
}

#[test]
fn a_file_that_does_not_name_its_model_has_to_fit() {
    let file = AdapterFile { base: None, ..file() };
    assert_eq!(file.check_base("any", &config()).unwrap(), BaseMatch::Unknown);

    let mut wider = config();
    wider.text.width = 12;
    let message = file.check_base("any", &wider).unwrap_err().to_string();
    assert_eq!(message, "`text.0.attn.down` has shape [2, 8], expected [2, 12], the width of this model's text tower");
    let mut shallower = config();
    shallower.vision.layers = 2;
    let message = file.check_base("any", &shallower).unwrap_err().to_string();
    assert_eq!(message, "adapter `visual.2.attn` does not fit this model: its visual tower has layers 0 to 1");
    let full = AdapterSet::initial(&config(), &AdapterConfig::default(), 0).unwrap();
    let message = full.check_fits(&wider).unwrap_err().to_string();
    assert!(message.contains("`text.0.attn.weight` has shape [8, 8], expected [12, 12]"), "{message}");
}

/// A file cut off anywhere is refused, and so is a header that lies.
#[test]
fn damaged_files() {
    let bytes = bytes_of(&file());
    let header = u64::from_le_bytes(*bytes.first_chunk().unwrap()) as usize;
    for length in [0, 1, 7, 8, 9, header / 2, header + 7, header + 8, bytes.len() / 2, bytes.len() - 1] {
        let error = AdapterFile::from_bytes(bytes[..length].to_vec(), "cut.safetensors").unwrap_err();
        assert!(error.to_string().contains("cut.safetensors"), "{error}");
    }
    for length in [u64::MAX, 1 << 40, header as u64 - 8, header as u64 + 8] {
        let mut lying = bytes.clone();
        lying[..8].copy_from_slice(&length.to_le_bytes());
        assert!(AdapterFile::from_bytes(lying, "lying.safetensors").is_err(), "{length}");
    }
    let longer = [&bytes[..], &[0; 4]].concat();
    assert!(AdapterFile::from_bytes(longer, "longer.safetensors").is_err());
}

#[test]
fn a_missing_file_is_named() {
    let error = AdapterFile::read("no/such/adapters.safetensors").unwrap_err();
    assert!(matches!(error, AdapterError::File(_)));
    assert!(error.to_string().contains("no/such/adapters.safetensors"), "{error}");
}

/// A disk that is full after so many bytes.
struct Full {
    left: usize,
}

impl Write for Full {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        if self.left == 0 {
            return Err(std::io::ErrorKind::StorageFull.into());
        }
        let written = bytes.len().min(self.left);
        self.left -= written;
        Ok(written)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[test]
fn a_disk_that_fills_is_an_error_at_every_byte() {
    let (file, size) = (file(), bytes_of(&file()).len());
    for left in (0..size).step_by(97).chain([size - 1]) {
        let error = file.write_to(&mut Full { left }).unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::StorageFull);
    }
    file.write_to(&mut Full { left: size }).unwrap();
}

#[cfg(target_os = "linux")]
#[test]
fn dev_full() {
    let mut device = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    assert_eq!(file().write_to(&mut device).unwrap_err().kind(), std::io::ErrorKind::StorageFull);
}

#[test]
fn an_unwritable_place_leaves_everything_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let error = file().write(folder.path().join("missing/adapters.safetensors")).unwrap_err();
    assert!(error.to_string().contains("adapters.safetensors"), "{error}");
    // A directory where the file should be.
    let taken = folder.path().join("taken.safetensors");
    std::fs::create_dir(&taken).unwrap();
    assert!(file().write(&taken).is_err());
    assert!(taken.is_dir());
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing is left behind");
}
