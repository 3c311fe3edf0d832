//! Refuses a Hugging Face directory with another tokenizer: texts are always encoded by CLIP's.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{CheckpointError, text_file};
use crate::config::may_be_clip_tokenizer;
use crate::tokenizer::Tokenizer;

pub(super) const TOKENIZER: &str = "tokenizer.json";
pub(super) const TOKENIZER_CONFIG: &str = "tokenizer_config.json";
pub(super) const VOCABULARY: &str = "vocab.json";
pub(super) const MERGES: &str = "merges.txt";
/// Tokens added to the vocabulary, in directories that older versions of transformers wrote.
const ADDED: &str = "added_tokens.json";
/// Vocabularies of WordPiece and SentencePiece.
const OTHER_KINDS: [&str; 4] = ["vocab.txt", "spiece.model", "sentencepiece.bpe.model", "tokenizer.model"];

/// Checks the directory's tokenizer files. Without any, the tokenizer is taken to be CLIP's.
pub(super) fn check(directory: &Path) -> Result<(), CheckpointError> {
    let file = |name: &&str| Some(File(directory.join(name))).filter(|file| file.0.is_file());
    if let Some(config) = file(&TOKENIZER_CONFIG) {
        config.check_config()?;
    }
    if let Some(added) = file(&ADDED) {
        added.check_ids("", &ids(added.json()?.as_object().into_iter().flatten()))?;
    }
    if let Some(tokenizer) = file(&TOKENIZER) {
        return tokenizer.check_tokenizer();
    }
    if let Some(other) = OTHER_KINDS.iter().find_map(file) {
        return Err(other.differs("the file", "vocab.json and merges.txt", "a vocabulary of another kind"));
    }
    if let Some(vocabulary) = file(&VOCABULARY) {
        vocabulary.check_vocabulary("", &ids(vocabulary.json()?.as_object().into_iter().flatten()))?;
    }
    if let Some(merges) = file(&MERGES) {
        let text = text_file::read(&merges.0)?;
        let lines = text.lines().filter(|line| !line.starts_with("#version") && !line.is_empty());
        // transformers reads no more lines than CLIP has merges.
        merges.check_merges("merges", lines.take(Tokenizer::clip().merges().count()).map(str::to_owned).collect())?;
    }
    Ok(())
}

/// Tokens with their ids; `None` is an id that is none.
type Ids<'a> = HashMap<&'a str, Option<u64>>;

fn ids<'a>(map: impl Iterator<Item = (&'a String, &'a Value)>) -> Ids<'a> {
    map.map(|(token, id)| (token.as_str(), id.as_u64())).collect()
}

/// A file of the tokenizer.
struct File(PathBuf);

impl File {
    fn json(&self) -> Result<Value, CheckpointError> {
        text_file::read_json(&self.0)
    }

    fn differs(&self, what: &str, expected: impl Into<String>, found: impl Into<String>) -> CheckpointError {
        let (what, expected, found) = (what.to_owned(), expected.into(), found.into());
        CheckpointError::Tokenizer { path: self.0.clone(), what, expected, found }
    }

    /// Checks `tokenizer_config.json`.
    fn check_config(&self) -> Result<(), CheckpointError> {
        let json = self.json()?;
        if let Some(class) = json["tokenizer_class"].as_str().filter(|class| !may_be_clip_tokenizer(class)) {
            return Err(self.differs("`tokenizer_class`", "CLIPTokenizer", class));
        }
        if json["do_lower_case"] == Value::Bool(false) {
            return Err(self.differs("`do_lower_case`", "true", "false"));
        }
        let added = json["added_tokens_decoder"].as_object().into_iter().flatten();
        let added = added.filter_map(|(id, token)| Some((token["content"].as_str()?, id.parse().ok())));
        self.check_ids("`added_tokens_decoder`: ", &added.collect())
    }

    /// Checks `tokenizer.json`.
    fn check_tokenizer(&self) -> Result<(), CheckpointError> {
        let json = self.json()?;
        let model = &json["model"];
        // Old files do not name the type.
        if let Some(kind) = model["type"].as_str().filter(|kind| *kind != "BPE") {
            return Err(self.differs("`model.type`", "BPE", kind));
        }
        let normalizer = json["normalizer"].to_string();
        if !normalizer.contains("\"Lowercase\"") {
            return Err(self.differs("`normalizer`", "one that lowercases", "none that does"));
        }
        let mut vocabulary = ids(model["vocab"].as_object().into_iter().flatten());
        let added = json["added_tokens"].as_array().into_iter().flatten();
        vocabulary.extend(added.filter_map(|token| Some((token["content"].as_str()?, token["id"].as_u64()))));
        self.check_vocabulary("`model.vocab`: ", &vocabulary)?;
        let merges = model["merges"].as_array().into_iter().flatten();
        self.check_merges("`model.merges`", merges.map(merge).collect())
    }

    /// Checks that the tokens are all of CLIP's and no others.
    fn check_vocabulary(&self, what: &str, found: &Ids<'_>) -> Result<(), CheckpointError> {
        let size = Tokenizer::clip().vocab_size();
        if found.len() != size {
            return Err(self.differs(&format!("{what}vocabulary"), format!("{size} tokens"), found.len().to_string()));
        }
        self.check_ids(what, found)
    }

    /// Checks that the tokens have CLIP's ids.
    fn check_ids(&self, what: &str, found: &Ids<'_>) -> Result<(), CheckpointError> {
        let clip = Tokenizer::clip();
        let is_clip = |token: &str, id: Option<u64>| id.and_then(|id| clip.token(id.try_into().ok()?)) == Some(token);
        match found.iter().filter(|(token, id)| !is_clip(token, **id)).min() {
            Some((token, id)) => {
                let expected = clip.vocab().find(|(known, _)| known == token).map(|(_, id)| u64::from(id));
                let shown = |id: Option<u64>| id.map_or("none".to_owned(), |id| id.to_string());
                Err(self.differs(&format!("{what}id of `{token}`"), shown(expected), shown(*id)))
            }
            None => Ok(()),
        }
    }

    fn check_merges(&self, what: &str, found: Vec<String>) -> Result<(), CheckpointError> {
        let clip: Vec<&str> = Tokenizer::clip().merges().collect();
        if found.len() != clip.len() {
            return Err(self.differs(what, clip.len().to_string(), found.len().to_string()));
        }
        match clip.iter().zip(&found).position(|(expected, found)| expected != found) {
            Some(at) => Err(self.differs(&format!("{what}, number {at}"), clip[at], found[at].as_str())),
            None => Ok(()),
        }
    }
}

/// A merge as `first second`, from that or from `["first", "second"]`.
fn merge(value: &Value) -> String {
    match value {
        Value::String(merge) => merge.clone(),
        Value::Array(parts) => parts.iter().filter_map(Value::as_str).collect::<Vec<_>>().join(" "),
        other => other.to_string(),
    }
}
