//! Tables: separators, headers, columns and damaged rows.
#![allow(clippy::unwrap_used, reason = "a failed unwrap fails the test")]
use super::*;

fn read(content: &str, options: &TableOptions) -> Result<Table, DatasetError> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.csv");
    std::fs::write(&path, content).unwrap();
    let mut table = Table::read(&path, options)?;
    for row in &mut table.rows {
        row.path = row.path.strip_prefix(folder.path()).unwrap_or(&row.path).to_owned();
    }
    Ok(table)
}

fn pairs(table: &Table) -> Vec<(&str, &str)> {
    table.rows.iter().map(|row| (&row.name[..], &row.text[..])).collect()
}

fn asked(path: &str, text: &str) -> TableOptions {
    TableOptions { path_column: Some(path.to_owned()), text_column: Some(text.to_owned()), ..Default::default() }
}

#[test]
fn separators_headers_and_columns_are_found() {
    let expected = [("a.jpg", "cat"), ("b/c.png", "a dog, asleep")];
    for content in [
        "path,label\na.jpg,cat\nb/c.png,\"a dog, asleep\"\n",
        "\u{feff}title\tid\tfilepath\r\ncat\t1\ta.jpg\r\na dog, asleep\t2\tb/c.png\r\n",
        "a.jpg;cat\nb/c.png;a dog, asleep",
        "a.jpg, cat \n b/c.png,\"a dog, asleep\"\n",
        "Image,x,Caption\na.jpg,0,cat\nb/c.png,1,\"a dog, asleep\"\n",
    ] {
        let table = read(content, &TableOptions::default()).unwrap();
        assert_eq!(pairs(&table), expected, "{content}");
        assert_eq!(table.rows[1].path, Path::new("b/c.png"));
    }
}

#[test]
fn requested_columns_take_precedence() {
    let content = "path,label,full,words\na.jpg,cat,x/a.jpg,some cat\n";
    assert_eq!(pairs(&read(content, &asked("full", "words")).unwrap()), [("x/a.jpg", "some cat")]);
    assert_eq!(pairs(&read(content, &asked("3", "2")).unwrap()), [("x/a.jpg", "cat")]);
    let mut options = asked("2", "1");
    options.separator = Some('|');
    options.images = Some(PathBuf::from("/data"));
    let table = read("cat|a.jpg\n", &options).unwrap();
    assert_eq!(table.rows[0].path, Path::new("/data/a.jpg"));
    options.header = Some(true);
    assert_eq!(pairs(&read("k|f\ncat|a.jpg\n", &options).unwrap()), [("a.jpg", "cat")]);
}

#[test]
fn line_numbers_survive_quoted_line_breaks() {
    let table = read("path,caption\na.jpg,\"two\nlines\"\nb.jpg,one\n", &TableOptions::default()).unwrap();
    let lines: Vec<_> = table.rows.iter().map(|row| row.line).collect();
    assert_eq!(lines, [2, 4]);
}

/// A caption that starts with a quote and does not end with one would swallow all following rows.
#[test]
fn an_unclosed_quote_is_reported_with_its_line() {
    let message = |content: &str| read(content, &TableOptions::default()).unwrap_err().to_string();
    let text = message("filepath\ttitle\na.jpg\t\"Hello, he said\nb.jpg\ta cat\nc.jpg\tthird\n");
    assert!(text.contains("line 2") && text.contains("is never closed"), "{text}");
    // Within a field a quote is a character, and a doubled one a quote.
    let table =
        read("filepath\ttitle\na.jpg\ta 5\" nail\nb.jpg\t\"a \"\"big\"\" cat\"\n", &TableOptions::default()).unwrap();
    assert_eq!(pairs(&table), [("a.jpg", "a 5\" nail"), ("b.jpg", "a \"big\" cat")]);
}

#[test]
fn bad_files_name_line_and_column() {
    let plain = TableOptions::default();
    let tabs = TableOptions { separator: Some('\t'), ..TableOptions::default() };
    for (content, options, parts) in [
        ("path,label\na.jpg,cat\nb.jpg,\n", &plain, &["line 3", "column `label`", "is empty"][..]),
        ("a.jpg,cat\nb.jpg\n", &plain, &["line 2", "column 2", "no such field"]),
        ("path,label\n,cat\n", &plain, &["line 2", "column `path`", "is empty"]),
        ("", &plain, &["no rows"]),
        (
            "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\n",
            &plain,
            &["a Git LFS pointer", "git lfs pull"],
        ),
        ("path,label\n", &plain, &["no rows"]),
        ("path,x,y\na.jpg,1,2\n", &plain, &["no column named label", "found `path`, `x`, `y`"]),
        ("path,label\na.jpg,cat\n", &asked("filepath", "label"), &["no column `filepath`", "`path`, `label`"]),
        ("a.jpg,cat\n", &asked("1", "9"), &["no column `9`", "found 1, 2"]),
        ("a.jpg\n", &plain, &["no column 2", "found 1"]),
        (
            "image_name| comment\na.jpg| a cat, asleep\n",
            &plain,
            &["separated by `,`", "one field", "`|` would split it into 2"],
        ),
        ("path,label\na.jpg,cat\n", &tabs, &["separated by TAB", "`,` would split it into 2"]),
        ("a.jpg,cat\nb.jpg,a cat, asleep\n", &plain, &["line 2: 3 fields, and the first line has 2", "`,` in quotes"]),
    ] {
        let message = read(content, options).unwrap_err().to_string();
        assert!(message.contains("data.csv"), "{message}");
        for part in parts {
            assert!(message.contains(part), "{content}: {message}");
        }
    }
    let message = Table::read(Path::new("/nowhere/x.csv"), &plain).unwrap_err().to_string();
    assert!(message.contains("/nowhere/x.csv"));
    let wide = TableOptions { separator: Some('→'), ..Default::default() };
    assert!(read("a", &wide).unwrap_err().to_string().contains('→'));
}

#[test]
fn invalid_utf8_is_reported_with_its_line() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.csv");
    std::fs::write(&path, b"a.jpg,cat\nb.jpg,\xff\xfe\n").unwrap();
    let message = Table::read(&path, &TableOptions::default()).unwrap_err().to_string();
    assert!(message.contains("line 2") && message.contains("field 2 is not UTF-8"), "{message}");
}

#[test]
fn missing_images_are_found_before_work_begins() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("data.csv");
    std::fs::write(folder.path().join("a.jpg"), b"").unwrap();
    std::fs::write(&path, "path,label\na.jpg,cat\nb.jpg,dog\n").unwrap();
    let table = Table::read(&path, &TableOptions::default()).unwrap();
    let message = table.check_files().unwrap_err().to_string();
    assert!(message.contains("line 3, column `path`") && message.contains("b.jpg"), "{message}");
    std::fs::write(folder.path().join("b.jpg"), b"").unwrap();
    table.check_files().unwrap();
}

#[test]
fn texts_become_sorted_classes() {
    let table = read("a.jpg,zebra\nb.jpg,big_cat\nc.jpg,zebra\n", &TableOptions::default()).unwrap();
    let names: ClassNames = [("zebra".to_owned(), "striped horse".to_owned())].into_iter().collect();
    let set = table.labelled(Some(&names));
    let texts: Vec<_> = set.classes.iter().map(|class| &class.text[..]).collect();
    assert_eq!(texts, ["big cat", "striped horse"]);
    assert_eq!(set.labels(), [1, 0, 1]);
}
