//! The hub's client against a server on loopback that answers as the hub does.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};

use radapter_clip::checkpoint::hub::{Download, HubOptions, HubReference, fetch};
use radapter_clip::checkpoint::{Checkpoint, CheckpointError, Format, SaveOptions};

use crate::support::{small_checkpoint, small_state};

const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// How the server behaves.
#[derive(Clone, Default)]
struct Behaviour {
    /// Contents of the files of `owner/name`.
    files: BTreeMap<String, Vec<u8>>,
    /// Answers every request with this status.
    status: Option<&'static str>,
    /// Closes the connection after this many bytes of a file's body.
    cut: Option<usize>,
    /// As `cut`, but without a length: the client cannot see that something is missing.
    cut_silently: Option<usize>,
    /// Sends files through a redirect, as the hub does for large ones.
    redirect: bool,
}

/// A hub on loopback, with the requests it received.
struct Server {
    endpoint: String,
    behaviour: Arc<Mutex<Behaviour>>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let behaviour = Arc::new(Mutex::new(behaviour));
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (shared, log, own) = (Arc::clone(&behaviour), Arc::clone(&requests), endpoint.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                // The server ignores a client that disconnects.
                let _ = answer(stream, &shared.lock().unwrap().clone(), &log, &own);
            }
        });
        Self { endpoint, behaviour, requests }
    }

    fn change(&self, change: impl FnOnce(&mut Behaviour)) {
        change(&mut self.behaviour.lock().unwrap());
    }

    fn requests(&self) -> Vec<String> {
        std::mem::take(&mut self.requests.lock().unwrap())
    }

    fn options(&self, cache: &Path) -> HubOptions {
        HubOptions { endpoint: Some(self.endpoint.clone()), cache: Some(cache.join("hub")), ..HubOptions::default() }
    }
}

fn answer(stream: TcpStream, behaviour: &Behaviour, log: &Mutex<Vec<String>>, own: &str) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    let request = lines.next().transpose()?.unwrap_or_default();
    let mut headers = BTreeMap::new();
    for line in lines {
        let line = line?;
        let Some((name, value)) = line.split_once(':') else { break };
        headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
    }
    let range = headers.get("range").cloned().unwrap_or_default();
    let token = headers.get("authorization").cloned().unwrap_or_default();
    log.lock().unwrap().push(format!("{request} {range} {token}"));
    let mut out = stream;
    let head = |status: &str, more: &str| format!("HTTP/1.1 {status}\r\nConnection: close\r\n{more}");
    if let Some(status) = behaviour.status {
        return out.write_all(head(status, "Content-Length: 0\r\n\r\n").as_bytes());
    }
    let path = request.split(' ').nth(1).unwrap_or_default();
    let direct = ["main", "v1.0", COMMIT]
        .iter()
        .find_map(|revision| path.strip_prefix(&format!("/owner/name/resolve/{revision}/")));
    let stored = path.strip_prefix("/cdn/");
    let Some((name, content)) = direct.or(stored).and_then(|name| Some((name, behaviour.files.get(name)?))) else {
        return out.write_all(head("404 Not Found", "Content-Length: 0\r\n\r\n").as_bytes());
    };
    let tags = format!("ETag: \"etag-of-{name}\"\r\nX-Repo-Commit: {COMMIT}\r\n");
    if behaviour.redirect && direct.is_some() {
        let location = format!("{tags}Location: {own}/cdn/{name}\r\nContent-Length: 0\r\n\r\n");
        return out.write_all(head("302 Found", &location).as_bytes());
    }
    let (from, to) = range.strip_prefix("bytes=").and_then(|range| range.split_once('-')).unwrap_or(("0", ""));
    let from: usize = from.parse().unwrap_or(0);
    let to = to.parse().map_or(content.len(), |to: usize| to + 1);
    let body = &content[from..to];
    let length = format!("Content-Length: {}\r\n", body.len());
    let whole_file = range != "bytes=0-0";
    let length = if whole_file && behaviour.cut_silently.is_some() { "" } else { &length };
    let content_range = format!("Content-Range: bytes {from}-{}/{}\r\n", to.saturating_sub(1), content.len());
    out.write_all(head("206 Partial Content", &format!("{tags}{length}{content_range}\r\n")).as_bytes())?;
    let sent = match behaviour.cut.or(behaviour.cut_silently) {
        Some(cut) if whole_file => cut.min(body.len()),
        _ => body.len(),
    };
    out.write_all(&body[..sent])
}

/// The files of the small model's export.
fn exported(format: Format) -> BTreeMap<String, Vec<u8>> {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().join("model");
    small_checkpoint().save(&dir, &SaveOptions::new(format)).unwrap();
    let entries = std::fs::read_dir(&dir).unwrap().map(|entry| entry.unwrap());
    entries.map(|entry| (entry.file_name().into_string().unwrap(), std::fs::read(entry.path()).unwrap())).collect()
}

fn reference() -> HubReference {
    "hf://owner/name".parse().unwrap()
}

fn hub_reason(error: &CheckpointError) -> &str {
    match error {
        CheckpointError::Hub { reason, .. } => reason,
        other => panic!("{other}"),
    }
}

#[test]
fn references_are_parsed() {
    let reference: HubReference = "hf://laion/CLIP-ViT-B-32_x.y@refs/pr/1".parse().unwrap();
    assert_eq!((reference.repo.as_str(), reference.revision.as_str()), ("laion/CLIP-ViT-B-32_x.y", "refs/pr/1"));
    assert_eq!(reference.to_string(), "hf://laion/CLIP-ViT-B-32_x.y@refs/pr/1");
    let plain: HubReference = "hf://a/b".parse().unwrap();
    assert_eq!(plain.revision, "main");
    assert!(HubReference::is_one("hf://a/b") && !HubReference::is_one("a/b"));
    for wrong in
        ["a/b", "hf://", "hf://a", "hf://a/b/c", "hf://a/..", "hf://../b", "hf://a/b@", "hf://a/b@../x", "hf://a b/c"]
    {
        let error = wrong.parse::<HubReference>().unwrap_err();
        assert!(error.to_string().contains(wrong), "{wrong}: {error}");
    }
}

#[test]
fn fetches_an_open_clip_model_and_asks_only_once() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(Behaviour { files: exported(Format::OpenClip), ..Default::default() });
    let mut seen = Vec::new();
    let dir = fetch(&reference(), &server.options(cache.path()), |Download { file, done, total }| {
        seen.push((file.to_owned(), done, total));
    })
    .unwrap();
    assert_eq!(Checkpoint::open(&dir, None).unwrap().state, small_state());
    let weights = exported(Format::OpenClip)["open_clip_model.safetensors"].len() as u64;
    assert_eq!(seen.last(), Some(&("open_clip_model.safetensors".to_owned(), weights, weights)));

    assert!(!server.requests().is_empty());
    server.change(|behaviour| behaviour.status = Some("500 Internal Server Error"));
    assert_eq!(fetch(&reference(), &server.options(cache.path()), |_| ()).unwrap(), dir);
    assert_eq!(server.requests(), Vec::<String>::new(), "all is in the cache");
}

#[test]
fn fetches_a_hugging_face_model_by_way_of_redirects() {
    let cache = tempfile::tempdir().unwrap();
    let behaviour = Behaviour { files: exported(Format::HuggingFace), redirect: true, ..Default::default() };
    let server = Server::start(behaviour);
    let options = HubOptions { token: Some("secret".into()), ..server.options(cache.path()) };
    let dir = fetch(&"hf://owner/name@v1.0".parse().unwrap(), &options, |_| ()).unwrap();
    let checkpoint = Checkpoint::open(&dir, None).unwrap();
    assert_eq!((checkpoint.format, &checkpoint.state), (Format::HuggingFace, &small_state()));
    let requests = server.requests();
    assert!(
        requests
            .iter()
            .any(|request| request.contains("/resolve/v1.0/config.json") && request.contains("Bearer secret"))
    );
    let weights = format!("/resolve/{COMMIT}/model.safetensors");
    assert!(requests.iter().any(|request| request.contains(&weights)), "of the config's commit: {requests:#?}");
    assert!(dir.join("tokenizer.json").exists() && dir.join("tokenizer_config.json").exists());
    assert!(!requests.iter().any(|request| request.contains("merges.txt")), "tokenizer.json has them: {requests:#?}");
    assert!(dir.join("preprocessor_config.json").exists());
}

#[test]
fn fetches_all_shards() {
    let cache = tempfile::tempdir().unwrap();
    let mut files = exported(Format::HuggingFace);
    let whole = files.remove("model.safetensors").unwrap();
    files.remove("preprocessor_config.json");
    let tensors = radapter_clip::checkpoint::read_safetensors_bytes(whole, "whole").unwrap().tensors;
    let mut map = BTreeMap::new();
    for (index, (name, tensor)) in tensors.iter().enumerate() {
        // One file for each tensor.
        let file = format!("model-{index}.safetensors");
        let mut bytes = Vec::new();
        let one = FromIterator::from_iter([(name.to_owned(), tensor.clone())]);
        radapter_clip::checkpoint::write_safetensors(&mut bytes, &one, &BTreeMap::new()).unwrap();
        files.insert(file.clone(), bytes);
        map.insert(name.to_owned(), file);
    }
    let index = serde_json::json!({ "weight_map": map }).to_string();
    files.insert("model.safetensors.index.json".into(), index.into_bytes());
    let server = Server::start(Behaviour { files, ..Default::default() });
    let dir = fetch(&reference(), &server.options(cache.path()), |_| ()).unwrap();
    assert_eq!(Checkpoint::open(&dir, None).unwrap().state, small_state());
}

#[test]
fn a_missing_model_is_told() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(Behaviour { files: exported(Format::OpenClip), ..Default::default() });
    let error = fetch(&"hf://owner/other".parse().unwrap(), &server.options(cache.path()), |_| ()).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("hf://owner/other@main") && text.contains("open_clip_config.json or config.json"), "{text}");
    assert!(hub_reason(&error).contains("check the name"), "{text}");

    server.change(|behaviour| drop(behaviour.files.remove("open_clip_model.safetensors")));
    let error = fetch(&reference(), &server.options(cache.path()), |_| ()).unwrap_err();
    assert!(error.to_string().contains("open_clip_pytorch_model.bin"), "no weights: {error}");
}

#[test]
fn a_refusal_says_what_to_do() {
    for (status, advice) in [
        ("401 Unauthorized", "HF_TOKEN"),
        ("403 Forbidden", "HF_TOKEN"),
        ("429 Too Many Requests", "try again later"),
        ("503 Service Unavailable", "503"),
    ] {
        let cache = tempfile::tempdir().unwrap();
        let server = Server::start(Behaviour { status: Some(status), ..Default::default() });
        let error = fetch(&reference(), &server.options(cache.path()), |_| ()).unwrap_err();
        assert!(hub_reason(&error).contains(advice), "{status}: {error}");
    }
}

#[test]
fn no_network_is_told() {
    let cache = tempfile::tempdir().unwrap();
    // A port that was free a moment ago.
    let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let endpoint = Some(format!("http://127.0.0.1:{port}/"));
    let options = HubOptions { endpoint, cache: Some(cache.path().to_owned()), ..HubOptions::default() };
    let error = fetch(&reference(), &options, |_| ()).unwrap_err();
    assert!(hub_reason(&error).contains("no connection to http://127.0.0.1"), "{error}");
    assert!(hub_reason(&error).contains("HF_ENDPOINT"), "{error}");
}

#[test]
fn something_else_than_a_hub_is_told() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(Behaviour { status: Some("200 OK"), ..Default::default() });
    let error = fetch(&reference(), &server.options(cache.path()), |_| ()).unwrap_err();
    assert!(hub_reason(&error).contains("not a hub"), "{error}");
}

/// Each connection closes early: an error first, and the next try resumes where it stopped.
#[test]
fn a_download_that_breaks_off_is_continued() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(Behaviour { files: exported(Format::OpenClip), ..Default::default() });
    server.change(|behaviour| behaviour.cut = Some(2000));
    let error = fetch(&reference(), &server.options(cache.path()), |_| ()).unwrap_err();
    assert!(error.to_string().contains("open_clip_model.safetensors"), "{error}");

    server.requests();
    server.change(|behaviour| behaviour.cut = None);
    let dir = fetch(&reference(), &server.options(cache.path()), |_| ()).unwrap();
    assert_eq!(Checkpoint::open(&dir, None).unwrap().state, small_state());
    let continued = |request: &String| request.contains("bytes=") && !request.contains("bytes=0-");
    assert!(server.requests().iter().any(continued), "the download resumed where it was interrupted");
}

/// A server that sends no length: incomplete bytes are neither accepted nor kept.
#[test]
fn a_download_that_ends_silently_is_not_kept() {
    let cache = tempfile::tempdir().unwrap();
    let server = Server::start(Behaviour { files: exported(Format::OpenClip), ..Default::default() });
    server.change(|behaviour| behaviour.cut_silently = Some(2000));
    let error = fetch(&reference(), &server.options(cache.path()), |_| ()).unwrap_err();
    assert!(hub_reason(&error).contains("interrupted"), "{error}");
    assert!(hub_reason(&error).contains("found 2000"), "{error}");
    server.change(|behaviour| behaviour.cut_silently = None);
    let dir = fetch(&reference(), &server.options(cache.path()), |_| ()).unwrap();
    assert_eq!(Checkpoint::open(&dir, None).unwrap().state, small_state());
}

fn from_variables(variables: &[(&str, &str)]) -> HubOptions {
    let find = |name: &str| variables.iter().find(|(variable, _)| *variable == name);
    HubOptions::from_variables(|name| find(name).map(|(_, value)| (*value).to_owned()))
}

#[test]
fn variables_are_those_of_huggingface_hub() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().to_str().unwrap();
    let elsewhere = folder.path().join("elsewhere");
    let elsewhere = elsewhere.to_str().unwrap();
    std::fs::write(folder.path().join("token"), "of-the-login\n").unwrap();
    std::fs::write(elsewhere, "elsewhere\n").unwrap();

    let options = from_variables(&[("HF_HOME", home)]);
    assert_eq!(options.cache, Some(folder.path().join("hub")));
    assert_eq!((options.token.as_deref(), options.endpoint, options.offline), (Some("of-the-login"), None, false));

    let moved = [("HF_HOME", home), ("HF_HUB_CACHE", "/some/cache"), ("HF_TOKEN_PATH", elsewhere)];
    let options = from_variables(&moved);
    assert_eq!((options.cache, options.token.as_deref()), (Some("/some/cache".into()), Some("elsewhere")));
    let options = from_variables(&[&moved[..], &[("HF_TOKEN", "given"), ("HF_ENDPOINT", "http://mirror")]].concat());
    assert_eq!((options.token.as_deref(), options.endpoint.as_deref()), (Some("given"), Some("http://mirror")));

    let empty = [("HF_HOME", home), ("HF_HUB_CACHE", ""), ("HF_TOKEN_PATH", "/no/such/file"), ("HF_HUB_OFFLINE", "")];
    let options = from_variables(&empty);
    assert_eq!((options.cache, options.token, options.offline), (Some(folder.path().join("hub")), None, false));
    for (value, offline) in [("1", true), ("True", true), ("yes", true), ("ON", true), ("0", false), ("no", false)] {
        assert_eq!(from_variables(&[("HF_HOME", home), ("HF_HUB_OFFLINE", value)]).offline, offline, "{value}");
    }
}

#[test]
fn offline_uses_the_cache_and_asks_nothing() {
    for format in [Format::OpenClip, Format::HuggingFace] {
        let cache = tempfile::tempdir().unwrap();
        let mut files = exported(format);
        // Files that a model need not have, which are therefore not cached.
        for optional in
            ["preprocessor_config.json", "tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt"]
        {
            files.remove(optional);
        }
        let server = Server::start(Behaviour { files, ..Default::default() });
        let offline = HubOptions { offline: true, ..server.options(cache.path()) };
        let error = fetch(&reference(), &offline, |_| ()).unwrap_err();
        assert!(hub_reason(&error).contains("HF_HUB_OFFLINE") && error.to_string().contains("config.json"), "{error}");
        assert_eq!(server.requests(), Vec::<String>::new());

        let dir = fetch(&reference(), &server.options(cache.path()), |_| ()).unwrap();
        server.requests();
        assert_eq!(fetch(&reference(), &offline, |_| ()).unwrap(), dir);
        assert_eq!(server.requests(), Vec::<String>::new());
        assert_eq!(Checkpoint::open(&dir, None).unwrap().state, small_state());
    }
}

/// The file beside the cache's folder is the token of another tool then.
#[test]
fn a_cache_elsewhere_sends_no_token_that_was_not_given() {
    let cache = tempfile::tempdir().unwrap();
    std::fs::write(cache.path().join("token"), "secret").unwrap();
    let server = Server::start(Behaviour { files: exported(Format::OpenClip), ..Default::default() });
    fetch(&reference(), &server.options(cache.path()), |_| ()).unwrap();
    let requests = server.requests();
    assert!(!requests.is_empty() && !requests.iter().any(|request| request.contains("secret")), "{requests:#?}");
}

#[test]
fn a_repository_of_peft_adapters_is_named() {
    let cache = tempfile::tempdir().unwrap();
    let files = BTreeMap::from([("adapter_config.json".to_owned(), b"{}".to_vec())]);
    let server = Server::start(Behaviour { files, ..Default::default() });
    let error = fetch(&reference(), &server.options(cache.path()), |_| ()).unwrap_err();
    assert!(matches!(error, CheckpointError::Peft { .. }), "{error}");
    assert!(error.to_string().contains("hf://owner/name@main"), "{error}");
}

#[test]
fn another_tokenizer_in_a_repository_is_refused() {
    let cache = tempfile::tempdir().unwrap();
    let mut files = exported(Format::HuggingFace);
    files.insert("tokenizer_config.json".into(), b"{\"tokenizer_class\": \"XLMRobertaTokenizer\"}".to_vec());
    let server = Server::start(Behaviour { files, ..Default::default() });
    let dir = fetch(&reference(), &server.options(cache.path()), |_| ()).unwrap();
    let error = Checkpoint::open(&dir, None).unwrap_err();
    assert!(matches!(error, CheckpointError::Tokenizer { .. }), "{error}");
}
