//! `inspect`: models and adapter files.

use radapter::adapter::{AdapterConfig, AdapterFile, AdapterSet, Rank};
use radapter::clip::checkpoint::{Format, SaveOptions};
use radapter::clip::state_dict::StoredDtype;

use crate::support::{Folder, radapter, tiny_checkpoint, tiny_config, tiny_model};

#[test]
fn a_model_is_described() {
    let folder = Folder::new();
    let checkpoint = tiny_checkpoint(0);
    let f16 = SaveOptions::new(Format::HuggingFace).with_dtype(StoredDtype::F16);
    checkpoint.save(folder.join("hf"), &f16).unwrap();
    let json = radapter("inspect --json").args([folder.join("hf")]).succeed().json();
    assert_eq!(json["kind"], "model");
    assert_eq!(json["format"], "hf");
    assert_eq!(json["dtype"], "f16");
    assert_eq!(json["parameters"], tiny_config().parameters());
    assert_eq!(json["hash"], checkpoint.state.cast(StoredDtype::F16).unwrap().hash());
    assert_eq!(json["config"]["activation"], "quick-gelu");
    assert_eq!(json["config"]["vision"]["width"], 32);
    let text = radapter("inspect").args([folder.join("hf")]).succeed().stdout;
    assert!(text.contains("QuickGELU") && text.contains("24 px"), "{text}");
}

#[test]
fn a_bare_file_needs_its_architecture() {
    let folder = Folder::new();
    let file = tiny_model(&folder.join("model")).join("open_clip_model.safetensors");
    let inspect = || radapter("inspect --json").args([&file]);
    inspect().fail(1, &["open_clip_model.safetensors", "architecture"]);
    inspect().with("--arch", "ViT-B-33").fail(1, &["ViT-B-33", "ViT-B-32"]);
    inspect().with("--arch", "ViT-B-32").fail(1, &["visual.proj", "[768, 512]", "[32, 16]"]);
    let config = folder.join("model/open_clip_config.json");
    assert_eq!(inspect().with("--arch", &config).succeed().json()["dtype"], "f32");
}

#[test]
fn an_adapter_file_is_described_by_rank_places_scale_and_base() {
    let folder = Folder::new();
    let config = AdapterConfig { rank: Rank::Low(4), ..AdapterConfig::default() };
    let adapters = AdapterSet::initial(&tiny_config(), &config, 0).unwrap();
    let hash = tiny_checkpoint(0).state.hash();
    let file = AdapterFile { adapters, base: Some(hash.clone()), config: Some(config) };
    let path = folder.join("adapters.safetensors");
    file.write(&path).unwrap();
    let json = radapter("inspect --json").args([&path]).succeed().json();
    assert_eq!(json["kind"], "adapters");
    assert_eq!(json["rank"], serde_json::json!(["4"]));
    assert_eq!(json["base_hash"], hash);
    assert_eq!(json["parameters"], file.adapters.parameters());
    let places = json["places"].as_array().unwrap();
    assert_eq!(places.len(), 8);
    assert_eq!(places[0]["place"], "visual.0.attn");
    assert!((places[0]["scale"].as_f64().unwrap() - 0.1).abs() < 1e-6);

    AdapterFile { base: None, ..file }.write(&path).unwrap();
    let text = radapter("inspect").args([&path]).succeed().stdout;
    assert!(text.contains("unknown"), "{text}");
}
