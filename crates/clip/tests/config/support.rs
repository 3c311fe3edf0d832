//! The configs of open_clip, and changes to one.

use std::collections::BTreeMap;

use serde_json::Value;

const OPEN_CLIP_CONFIGS: &str = include_str!("../fixtures/checkpoint/open_clip_model_configs.json");

pub(crate) fn open_clip_configs() -> BTreeMap<String, Value> {
    serde_json::from_str(OPEN_CLIP_CONFIGS).unwrap()
}

pub(crate) fn set(config: &mut Value, path: &str, value: Value) {
    let (parents, key) = path.rsplit_once('.').unwrap_or(("", path));
    let parent = parents.split('.').filter(|part| !part.is_empty()).fold(config, |at, part| &mut at[part]);
    parent[key] = value;
}
