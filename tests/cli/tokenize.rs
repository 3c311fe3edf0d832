//! `tokenize`: lines, JSON lists and bad files.

use crate::support::{Folder, radapter};

fn tokens(name: &str, content: &str) -> Vec<Vec<u32>> {
    let folder = Folder::new();
    let texts = folder.file(name, content);
    let out = folder.join("tokens.json");
    radapter("tokenize").with("--texts", texts).with("--out", &out).succeed();
    serde_json::from_slice(&std::fs::read(out).unwrap()).unwrap()
}

#[test]
fn each_line_is_a_list_of_77_ids() {
    let tokens = tokens("texts.txt", "a cat\n\na dog\n");
    assert_eq!(tokens.len(), 3);
    assert!(tokens.iter().all(|ids| ids.len() == 77));
    assert_eq!(tokens[0][..5], [49406, 320, 2368, 49407, 0]);
    assert_eq!(tokens[1][..3], [49406, 49407, 0], "a blank line is the empty text");
}

#[test]
fn lines_end_at_newlines_only() {
    assert_eq!(tokens("texts.txt", "a\u{2028}b\u{b}c\rd").len(), 1);
    assert_eq!(tokens("texts.txt", "a\r\nb").len(), 2);
    assert_eq!(tokens("texts.txt", "a\n\n").len(), 2);
    assert_eq!(tokens("texts.txt", "\n").len(), 1);
}

#[test]
fn a_json_list_may_hold_newlines() {
    let list = tokens("texts.json", r#"["a cat", "", "a\ndog"]"#);
    assert_eq!(list.len(), 3);
    assert_eq!(list[0], tokens("texts.txt", "a cat")[0]);
}

#[test]
fn files_that_are_no_texts_are_refused() {
    let folder = Folder::new();
    let cases: [(&str, &[u8], &str); 5] = [
        ("empty.txt", b"", "has no texts"),
        ("latin.txt", b"a\ncaf\xe9", "line 2: not UTF-8"),
        ("object.json", b"{}", "JSON list of strings"),
        ("numbers.json", b"[1, 2]", "JSON list of strings"),
        ("cut.json", b"[\"a\"", "JSON list of strings"),
    ];
    for (name, content, reason) in cases {
        let texts = folder.file(name, content);
        radapter("tokenize").with("--texts", texts).with("--out", folder.join("out.json")).fail(1, &[name, reason]);
        assert!(!folder.join("out.json").exists());
    }
    radapter("tokenize")
        .with("--texts", folder.join("absent.txt"))
        .with("--out", folder.join("out.json"))
        .fail(2, &["--texts: there is no file `", "absent.txt"]);
}
