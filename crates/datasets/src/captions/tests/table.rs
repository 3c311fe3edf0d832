//! Tables of captions: columns, separators and damaged rows.

use super::*;

fn keys(image: &str, caption: &str) -> CaptionsOptions {
    let (image, caption) = (Some(image.to_owned()), Some(caption.to_owned()));
    CaptionsOptions { csv_img_key: image, csv_caption_key: caption, ..Default::default() }
}

#[test]
fn openclips_defaults_are_read() {
    let data = Data::new(&["a.jpg", "b.jpg"]);
    // Relative to the file's own folder, and the default columns go before others with known names.
    let rows = "id\tlabel\ttitle\tfilepath\n1\tx\ta cat, asleep\timages/a.jpg\n2\ty\tA dog\timages/b.jpg\n3\tx\ttwo\timages/a.jpg\n";
    let set = data.read("train.csv", rows, &CaptionsOptions::default()).unwrap();
    let cat = ("images/a.jpg", "a.jpg", &["a cat, asleep", "two"][..]);
    assert_eq!(data.content(&set), expected(&[cat, ("images/b.jpg", "b.jpg", &["A dog"])]));
}

#[test]
fn other_columns_and_separators_are_found_or_named() {
    let data = Data::new(&["a.jpg"]);
    let all = |separator| CaptionsOptions { csv_separator: Some(separator), ..keys("where", "what") };
    for (rows, options) in [
        ("image,caption\na.jpg,a cat\n", CaptionsOptions::default()),
        ("a.jpg\ta cat\n", CaptionsOptions::default()),
        ("filepath;title;where;what\nx.jpg;x;a.jpg;a cat\n", all(';')),
        ("filepath,title,where,what\nx.jpg,x,a.jpg,a cat\n", keys("where", "what")),
        ("filepath,title,where,what\nx.jpg,x,a.jpg,a cat\n", keys("3", "4")),
        (
            "where|what, who\na.jpg|a cat\n",
            CaptionsOptions { csv_caption_key: Some("what, who".to_owned()), ..all('|') },
        ),
    ] {
        let set = data.read("t.csv", rows, &CaptionsOptions { images: Some(data.path("images")), ..options }).unwrap();
        assert_eq!(data.content(&set), expected(&[("a.jpg", "a.jpg", &["a cat"])]), "{rows}");
    }
}

#[test]
fn a_missing_column_lists_the_existing_ones() {
    let data = Data::new(&["a.jpg"]);
    let tab = CaptionsOptions { csv_separator: Some('\t'), ..keys("filepath", "title") };
    for (rows, options, parts) in [
        ("a,b\na.jpg,x\n", keys("filepath", "title"), &["t.csv", "no column `filepath`", "found `a`, `b`"][..]),
        ("filepath,b\na.jpg,x\n", keys("filepath", "title"), &["no column `title`", "found `filepath`, `b`"]),
        ("filepath,title\na.jpg,x\n", tab, &["no column `filepath`", "`,` would split it into 2"]),
        ("img,words\na.jpg,x\n", CaptionsOptions::default(), &["line 1", "`img`, `words`", "`csv_img_key`"]),
        ("filepath,b\na.jpg,x\n", CaptionsOptions::default(), &["no column named title, caption", "`filepath`, `b`"]),
        ("", CaptionsOptions::default(), &["t.csv has no rows"]),
    ] {
        let options = CaptionsOptions { images: Some(data.path("images")), ..options };
        assert_says(&data.read("t.csv", rows, &options).unwrap_err(), parts);
    }
    let content = karpathy(&[image("a.jpg", "x", &["1"])]);
    let options = CaptionsOptions { images: Some(data.path("images")), ..keys("a", "b") };
    assert_says(&data.read("k.json", &content, &options).unwrap_err(), &["`csv_img_key`", "to the format `csv`"]);
}

#[test]
fn damaged_rows_are_errors_or_skipped() {
    let rows = "filepath\ttitle\na.jpg\tone\ngone.jpg\ttwo\nb.jpg\t \na.jpg\tthree\n\tfour\nb.jpg\ngone.jpg\tfive\n";
    let lines: Vec<&str> = rows.lines().collect();
    let data = Data::new(&["a.jpg", "b.jpg"]);
    for (line, parts) in [
        (2, &["t.tsv, line 2, column `filepath`", "no image file for `gone.jpg`", "looked for", "images"][..]),
        (3, &["t.tsv, line 2, column `title`", "caption 1 of `b.jpg` is empty"]),
        (5, &["t.tsv, line 2, column `filepath`", "the path of the image is empty"]),
        (6, &["t.tsv, line 2, column `title`", "caption 1 of `b.jpg` is empty"]),
    ] {
        let content = format!("{}\n{}\n", lines[0], lines[line]);
        assert_says(&data.read("t.tsv", &content, &data.options()).unwrap_err(), parts);
    }
    let set = data.skip("t.tsv", rows, &data.options()).unwrap();
    assert_eq!(data.content(&set), expected(&[("a.jpg", "a.jpg", &["one", "three"])]));
    assert_eq!(data.skipped(), ["b.jpg", "b.jpg, caption 1", "b.jpg, caption 2", "gone.jpg", "line 6"]);
}
