//! Models of the Hugging Face hub, `hf://owner/name[@revision]`.
//!
//! Files go through the hub library into its cache, which Python's tools share, and are not fetched twice. The config
//! comes first, then the weights that belong to it, all of one commit. Cached files are used without a network.

mod options;

use std::cell::{Cell, RefCell};
use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use hf_hub::api::Progress;
use hf_hub::api::sync::{ApiBuilder, ApiError, ApiRepo};
use hf_hub::{Cache, Repo, RepoType};

pub use options::HubOptions;

use super::CheckpointError;
use super::open::{
    HUGGING_FACE_CONFIG, HUGGING_FACE_PREPROCESSOR, HUGGING_FACE_PROCESSOR, HUGGING_FACE_WEIGHTS, OPEN_CLIP_CONFIG,
    OPEN_CLIP_WEIGHTS, PEFT_CONFIG,
};
use super::tokenizer_check::{MERGES, TOKENIZER, TOKENIZER_CONFIG, VOCABULARY};
use super::weights_file;

const SCHEME: &str = "hf://";
const ENDPOINT: &str = "https://huggingface.co";
/// How often an interrupted download is resumed before it fails.
const RETRIES: usize = 2;

/// A model on the hub.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HubReference {
    /// `owner/name`.
    pub repo: String,
    /// Branch, tag or commit.
    pub revision: String,
}

impl HubReference {
    /// Whether a text is meant as a hub reference: it starts with `hf://`.
    pub fn is_one(text: &str) -> bool {
        text.starts_with(SCHEME)
    }
}

impl FromStr for HubReference {
    type Err = CheckpointError;

    fn from_str(text: &str) -> Result<Self, CheckpointError> {
        let invalid = || CheckpointError::HubReference { reference: text.to_owned() };
        let rest = text.strip_prefix(SCHEME).ok_or_else(invalid)?;
        let (repo, revision) = rest.split_once('@').unwrap_or((rest, "main"));
        // They become parts of paths in the cache.
        let is_name = |part: &str| {
            !part.is_empty()
                && !part.starts_with('.')
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        };
        let is_repo = repo.split_once('/').is_some_and(|(owner, name)| is_name(owner) && is_name(name));
        if !is_repo || !revision.split('/').all(is_name) {
            return Err(invalid());
        }
        Ok(Self { repo: repo.to_owned(), revision: revision.to_owned() })
    }
}

impl fmt::Display for HubReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}@{}", self.repo, self.revision)
    }
}

/// Progress of a file's download.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "names say what is not documented")]
pub struct Download<'a> {
    pub file: &'a str,
    /// Bytes downloaded so far.
    pub done: u64,
    /// Bytes of the whole file.
    pub total: u64,
}

/// Fetches the config and weights of a model, unless they are cached, and returns their directory, for
/// [`Checkpoint::open`](super::Checkpoint::open). An OpenCLIP config is preferred to a Hugging Face one.
///
/// # Errors
/// [`CheckpointError::Hub`] if the hub cannot be reached or refuses, or the model lacks a file; the errors of reading
/// an index of shards.
pub fn fetch(
    reference: &HubReference,
    options: &HubOptions,
    mut on_progress: impl FnMut(Download<'_>),
) -> Result<PathBuf, CheckpointError> {
    let mut client = Client::new(reference, options, &mut on_progress)?;
    let config = client.config()?;
    client.pin(&config);
    if config.ends_with(OPEN_CLIP_CONFIG) {
        client.first_of(OPEN_CLIP_WEIGHTS)?;
    } else {
        client.preprocessing()?;
        let weights = client.first_of(HUGGING_FACE_WEIGHTS)?;
        if weights.extension().is_some_and(|extension| extension == "json") {
            for shard in weights_file::shard_files(&weights)? {
                client.first_of(&[shard.as_str()])?;
            }
        }
    }
    Ok(config.parent().map(Path::to_owned).unwrap_or(config))
}

/// The outcome of a request for one file.
enum Answer {
    Here(PathBuf),
    Absent,
}

struct Client<'a> {
    reference: &'a HubReference,
    endpoint: String,
    offline: bool,
    api: hf_hub::api::sync::Api,
    repo: ApiRepo,
    /// The directory of the commit's files, once it is known.
    snapshot: Option<PathBuf>,
    cached: hf_hub::CacheRepo,
    on_progress: RefCell<&'a mut dyn FnMut(Download<'_>)>,
}

impl<'a> Client<'a> {
    fn new(
        reference: &'a HubReference,
        options: &HubOptions,
        on_progress: &'a mut dyn FnMut(Download<'_>),
    ) -> Result<Self, CheckpointError> {
        let hub_error = |reason: String| hub_error(reference, "cache", reason);
        let cache = match &options.cache {
            Some(directory) => Cache::new(directory.clone()),
            None if std::env::var_os("HF_HOME").is_none() && std::env::home_dir().is_none() => {
                return Err(hub_error("there is no home directory for the cache; set HF_HOME".into()));
            }
            None => Cache::from_env(),
        };
        let endpoint = options.endpoint.clone().unwrap_or_else(|| ENDPOINT.to_owned());
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        let mut builder = ApiBuilder::from_cache(cache.clone())
            .with_endpoint(endpoint.clone())
            .with_retries(RETRIES)
            .with_progress(false);
        // The library would look for a token beside any cache.
        if options.token.is_some() || options.cache.is_some() {
            builder = builder.with_token(options.token.clone());
        }
        let api = builder.build().map_err(|error| hub_error(error.to_string()))?;
        let repo = Repo::with_revision(reference.repo.clone(), RepoType::Model, reference.revision.clone());
        Ok(Self {
            reference,
            endpoint,
            offline: options.offline,
            repo: api.repo(repo.clone()),
            api,
            snapshot: None,
            cached: cache.repo(repo),
            on_progress: RefCell::new(on_progress),
        })
    }

    /// Restricts later requests to the commit of `file`: a branch may move between two files.
    fn pin(&mut self, file: &Path) {
        let snapshot = file.parent().map(Path::to_owned);
        if let Some(commit) = snapshot.as_ref().and_then(|directory| directory.file_name()) {
            let commit = commit.to_string_lossy().into_owned();
            self.repo = self.api.repo(Repo::with_revision(self.reference.repo.clone(), RepoType::Model, commit));
        }
        self.snapshot = snapshot;
    }

    fn in_cache(&self, file: &str) -> Option<PathBuf> {
        match &self.snapshot {
            Some(snapshot) => Some(snapshot.join(file)).filter(|path| path.exists()),
            None => self.cached.get(file),
        }
    }

    /// The config, which a model must have.
    fn config(&self) -> Result<PathBuf, CheckpointError> {
        let files = &[OPEN_CLIP_CONFIG, HUGGING_FACE_CONFIG];
        match self.find(files)? {
            Some(config) => Ok(config),
            None if self.find(&[PEFT_CONFIG])?.is_some() => {
                Err(CheckpointError::Peft { path: self.reference.to_string().into() })
            }
            None => Err(self.absent(files)),
        }
    }

    /// The first of these files that the model has, which must have one of them.
    fn first_of(&self, files: &[&str]) -> Result<PathBuf, CheckpointError> {
        self.find(files)?.ok_or_else(|| self.absent(files))
    }

    /// The first of these files that the model has, those in the cache before the others.
    fn find(&self, files: &[&str]) -> Result<Option<PathBuf>, CheckpointError> {
        if let Some(path) = files.iter().find_map(|file| self.in_cache(file)) {
            return Ok(Some(path));
        }
        if self.offline {
            let reason =
                "not in the cache, and HF_HUB_OFFLINE forbids fetching it; unset it, or give the model's directory";
            return Err(hub_error(self.reference, &files.join(" or "), reason.into()));
        }
        for file in files {
            match self.download(file) {
                Ok(Answer::Here(path)) => return Ok(Some(path)),
                Ok(Answer::Absent) => {}
                Err(error) => return Err(self.error(file, &error)),
            }
        }
        Ok(None)
    }

    fn absent(&self, files: &[&str]) -> CheckpointError {
        let reason = "the model does not exist, or has no such file, or no such revision; check the name";
        hub_error(self.reference, &files.join(" or "), reason.into())
    }

    /// Fetches the files of preprocessing and tokenizer, which are optional.
    fn preprocessing(&self) -> Result<(), CheckpointError> {
        self.optional(&[HUGGING_FACE_PROCESSOR, HUGGING_FACE_PREPROCESSOR], "OpenAI's preprocessing")?;
        self.optional(&[TOKENIZER_CONFIG, TOKENIZER], "CLIP's tokenizer")?;
        match self.in_cache(TOKENIZER) {
            Some(_) => Ok(()),
            None => self.optional(&[VOCABULARY, MERGES], "CLIP's tokenizer"),
        }
    }

    /// Fetches these files unless one of them is cached; without a network, cached weights are used with `default`.
    fn optional(&self, files: &[&str], default: &str) -> Result<(), CheckpointError> {
        if self.offline || files.iter().any(|file| self.in_cache(file).is_some()) {
            return Ok(());
        }
        let complete = HUGGING_FACE_WEIGHTS.iter().any(|weights| self.in_cache(weights).is_some());
        for file in files {
            match self.download(file) {
                Ok(_) => {}
                Err(error) if complete => {
                    let error = self.error(file, &error);
                    tracing::warn!(%error, "the weights are cached, but this file cannot be fetched; assuming {default}");
                    return Ok(());
                }
                Err(error) => return Err(self.error(file, &error)),
            }
        }
        Ok(())
    }

    fn download(&self, file: &str) -> Result<Answer, ApiError> {
        let total = Cell::new(0);
        let progress = Counter { client: self, file, done: 0, total: &total };
        let path = match self.repo.download_with_progress(file, progress) {
            Ok(path) => path,
            Err(ApiError::RequestError(error)) if matches!(*error, ureq::Error::StatusCode(404)) => {
                return Ok(Answer::Absent);
            }
            Err(error) => return Err(error),
        };
        // The library does not check: a response without a length may end early, and one that ignores the requested
        // range repeats bytes.
        let (expected, found) = (total.get(), std::fs::metadata(&path)?.len());
        if found == expected {
            return Ok(Answer::Here(path));
        }
        let blob = std::fs::canonicalize(&path)?;
        std::fs::remove_file(&path)?;
        if blob != path && blob.exists() {
            std::fs::remove_file(&blob)?;
        }
        let message = format!("the download was interrupted: expected {expected} bytes, found {found}; try again");
        Err(ApiError::IoError(std::io::Error::new(std::io::ErrorKind::UnexpectedEof, message)))
    }

    fn error(&self, file: &str, error: &ApiError) -> CheckpointError {
        hub_error(self.reference, file, self.explain(error))
    }

    fn explain(&self, error: &ApiError) -> String {
        let unreachable = |error: &dyn fmt::Display| {
            format!(
                "no connection to {}: {error}. Check the network and HF_ENDPOINT, or download the model's files by other \
                 means and give the directory",
                self.endpoint
            )
        };
        match error {
            ApiError::RequestError(error) => match &**error {
                ureq::Error::StatusCode(404) => "not found; check the name".into(),
                ureq::Error::StatusCode(code @ (401 | 403)) => format!(
                    "the hub refused ({code}): the model does not exist, or is private, or asks for its terms to be accepted. \
                     Check the name, accept the terms on its page, and set HF_TOKEN to a token that may read it"
                ),
                ureq::Error::StatusCode(429) => "the hub refused too many requests (429); try again later".into(),
                ureq::Error::StatusCode(code) => format!("the hub answered {code}; try again later"),
                error => unreachable(error),
            },
            ApiError::MissingHeader(header) | ApiError::InvalidHeader(header) => {
                format!(
                    "the response of {} lacks a valid header {header}: it is not a hub; check HF_ENDPOINT",
                    self.endpoint
                )
            }
            ApiError::TooManyRetries(error) => self.explain(error),
            ApiError::InvalidResume => "the cached part of an earlier download is longer than the file; remove the \
                .part file below the cache and try again"
                .into(),
            ApiError::LockAcquisition(path) => {
                format!("another process is downloading it (lock {}); wait for it", path.display())
            }
            error => format!("{error}; try again to resume the download"),
        }
    }
}

fn hub_error(reference: &HubReference, file: &str, reason: String) -> CheckpointError {
    CheckpointError::Hub {
        repo: reference.repo.clone(),
        revision: reference.revision.clone(),
        file: file.to_owned(),
        reason,
    }
}

/// Forwards the library's progress, and keeps the announced size.
struct Counter<'c, 'a> {
    client: &'c Client<'a>,
    file: &'c str,
    done: u64,
    total: &'c Cell<u64>,
}

impl Counter<'_, '_> {
    fn report(&self) {
        let download = Download { file: self.file, done: self.done, total: self.total.get() };
        (self.client.on_progress.borrow_mut())(download);
    }
}

impl Progress for Counter<'_, '_> {
    fn init(&mut self, size: usize, _filename: &str) {
        self.total.set(size as u64);
        self.done = 0;
    }

    fn update(&mut self, size: usize) {
        self.done += size as u64;
        self.report();
    }

    fn finish(&mut self) {
        self.report();
    }
}
