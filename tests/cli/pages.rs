//! HTML pages of data whose names are markup and scripts.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::{Folder, classes_folder, drawn, radapter, tiny_model};

/// Texts that would change a page's title if a browser ran them. Names of files have no `/`.
const NAMES: [&str; 3] = [
    "<img src=x onerror=document.title='ran'>",
    "\"'><svg onload=document.title='ran'>",
    "javascript:document.title='ran'",
];
const TEXTS: [&str; 2] = [
    "</script><script>document.title='ran'</script>",
    "</style></title><iframe srcdoc=\"<script>parent.document.title='ran'\">",
];

/// Pages of every command, over data with these names.
fn pages(folder: &Folder) -> Vec<PathBuf> {
    let model = tiny_model(&folder.join("model"));
    let run = folder.join(&format!("run {}", NAMES[0]));
    let texts: Vec<String> = NAMES.iter().zip([TEXTS[0], TEXTS[1], "a dog"]).map(quoted).collect();
    let class_names = folder.file("names.toml", texts.concat());
    radapter("train classification --set steps=2 --set batch_size=3 --set warmup=0")
        .with("--model", &model)
        .with("--train", classes_folder(&folder.join("train"), &NAMES, 4, false))
        .with("--val", folder.join("train"))
        .with("--class-names", class_names)
        .with("--out", &run)
        .succeed();

    let set = |kind: &str, name: &str| {
        let data = folder.join("train");
        format!("{kind}\nname = {}\ndata = {}\n", toml_string(name), toml_string(&data.display().to_string()))
    };
    let sets = [set("[id]", TEXTS[0]), set("[[ood]]", NAMES[0]), set("[[ood]]", NAMES[1])].concat();
    let suite = folder.file(&format!("{}.toml", NAMES[2]), sets);
    let sweep = folder.join("sweep");
    let compared = folder.join("compared");
    radapter("compare --device cpu --methods linear-probe --seeds 0 --steps 1 --set batch_size=4 --alphas 0,1")
        .with("--model", &model)
        .with("--train", folder.join("train"))
        .with("--suite", &suite)
        .with("--out", &compared)
        .succeed();
    radapter("sweep --alpha 0:1:0.5").with("--run", &run).with("--suite", suite).with("--out", &sweep).succeed();

    let (index, found) = (folder.join("index"), folder.join("found.html"));
    radapter("index").with("--model", &model).with("--images", folder.join("train")).with("--out", &index).succeed();
    radapter("search").with("--index", index).with("--text", TEXTS[0]).with("--html", &found).succeed();

    let scenes = folder.join(&format!("scenes {}", NAMES[1]));
    std::fs::create_dir_all(&scenes).unwrap();
    for (class, name) in NAMES.iter().enumerate() {
        drawn(class as u32, 0, false).save(scenes.join(format!("{name}.png"))).unwrap();
    }
    let classes =
        folder.file("classes.json", serde_json::to_vec(&[NAMES, [TEXTS[0], TEXTS[1], "a cat"]].concat()).unwrap());
    let maps = folder.join("maps");
    radapter("segment")
        .with("--model", &model)
        .with("--images", scenes)
        .with("--classes", classes)
        .with("--out", &maps)
        .succeed();
    vec![
        compared.join("report.html"),
        run.join("report.html"),
        sweep.join("report.html"),
        sweep.join("sweep.svg"),
        found,
        maps.join("index.html"),
    ]
}

fn quoted((key, text): (&&str, &str)) -> String {
    format!("{} = {}\n", toml_string(key), toml_string(text))
}

/// A TOML string; the escapes of ASCII are those of JSON.
fn toml_string(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

#[test]
fn names_and_texts_of_data_are_never_markup() {
    let folder = Folder::new();
    for path in pages(&folder) {
        let page = std::fs::read_to_string(&path).unwrap();
        for text in NAMES[..2].iter().chain(&TEXTS) {
            assert!(!page.contains(text), "{}: {text}", path.display());
        }
        for raw in ["<script", "<iframe", "<svg onload", "<img src=x", "href=\"javascript", "href=\"//", "http-equiv"] {
            // A comparison's table is sorted by a script of its own.
            let own = usize::from(raw == "<script" && path.parent().is_some_and(|folder| folder.ends_with("compared")));
            assert_eq!(page.matches(raw).count(), own, "{}: {raw}", path.display());
        }
        assert!(page.contains("document.title"), "{}: the page shows the names", path.display());
    }
}

/// The document of a page after a browser ran it; `None` if there is no Chromium.
fn opened(page: &Path, profile: &Path) -> Option<String> {
    let url = page.to_str().unwrap().bytes().map(|byte| match byte {
        b'/' | b'.' | b'-' | b'_' | b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' => char::from(byte).to_string(),
        other => format!("%{other:02X}"),
    });
    let done = Command::new("chromium")
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .arg(format!("file://{}", url.collect::<String>()))
        .output();
    match done {
        Ok(done) => Some(String::from_utf8_lossy(&done.stdout).into_owned()),
        Err(_) => None,
    }
}

#[test]
fn a_browser_runs_nothing_of_the_data() {
    let folder = Folder::new();
    let profile = folder.join("profile");
    let control = folder.file("control.html", format!("<title>page</title><p>{}", NAMES[0]));
    let Some(ran) = opened(&control, &profile) else {
        eprintln!("skipped: there is no `chromium`");
        return;
    };
    assert!(ran.contains("<title>ran</title>"), "the browser runs what is not escaped: {ran}");
    for path in pages(&folder).into_iter().filter(|path| path.extension().is_some_and(|ending| ending == "html")) {
        let document = opened(&path, &profile).unwrap();
        assert!(document.contains("</footer>"), "{} was opened: {document}", path.display());
        assert!(!document.contains("<title>ran"), "{}", path.display());
        assert!(!document.contains("<iframe") && !document.contains("<script"), "{}", path.display());
    }
}
