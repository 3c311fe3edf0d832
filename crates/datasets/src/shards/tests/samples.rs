//! Samples: keys, captions, and damaged members.

use radapter_images::DecodeOptions;

use super::*;

/// Returns the samples of one shard: keys, image members and captions.
fn samples(folder: &Folder) -> Vec<(String, String, Vec<String>)> {
    let shards = folder.skipping("s.tar");
    let parts = |sample: &ShardSample| {
        let ImageSource::Member(member) = &sample.image else { panic!("{sample:?}") };
        (sample.key.clone(), member.name.clone(), sample.captions.clone())
    };
    shards.shard(0).unwrap().iter().map(parts).collect()
}

fn expected(samples: &[(&str, &str, &[&str])]) -> Vec<(String, String, Vec<String>)> {
    let owned = |text: &&str| (*text).to_owned();
    samples
        .iter()
        .map(|(key, image, captions)| (owned(key), owned(image), captions.iter().map(owned).collect()))
        .collect()
}

#[test]
fn members_with_one_key_are_a_sample() {
    let folder = Folder::new();
    folder.write(
        "s.tar",
        &[
            ("__meta__/x.json", b"{"),
            ("a/1.JPG", b""),
            ("a/1.txt", b"one\n"),
            ("a/1.cls", b"7"),
            ("README", b"nothing"),
            ("a/1.seg.png", b""),
            ("b/1.json", br#"{"caption": "two", "sha": "x"}"#),
            ("b/1.webp", b""),
            ("c.txt", b"first"),
            ("c.json", br#"{"captions": ["second", "first", "third"]}"#),
            ("c.jpeg", b""),
            ("c.png", b""),
            ("d.png", b""),
            ("d.json", br#"["four", "five"]"#),
        ],
    );
    assert_eq!(
        samples(&folder),
        expected(&[
            ("a/1", "a/1.JPG", &["one"]),
            ("b/1", "b/1.webp", &["two"]),
            ("c", "c.jpeg", &["first", "second", "third"]),
            ("d", "d.png", &["four", "five"]),
        ])
    );
    assert!(folder.report.is_empty());
}

#[test]
fn images_are_read_from_their_positions() {
    let folder = Folder::new();
    folder.plain("0", 3);
    for sample in folder.open("0.tar").unwrap().shard(0).unwrap().iter() {
        let image = sample.image.load(&DecodeOptions::default()).unwrap();
        assert_eq!(image.get_pixel(0, 0)[0], colour(&format!("{}.png", sample.key)));
        assert_eq!(sample.captions, [format!("caption of {}", sample.key)]);
    }
}

#[test]
fn long_names_and_sizes_of_other_tars_are_read() {
    let long = format!("{}/{}", "folder".repeat(30), "name".repeat(40));
    let (image, text) = (format!("{long}.png"), format!("{long}.txt"));
    let folder = Folder::new();
    folder.write("s.tar", &[(&image, b""), (&text, b"gnu")]);
    assert_eq!(samples(&folder), expected(&[(&long, &image, &["gnu"])]));

    // As Python's tarfile writes it: a PAX header before each member, the path only there.
    let mut tar = tar::Builder::new(Vec::new());
    for (path, content) in [(&image, png(&image)), (&text, b"pax".to_vec())] {
        let size = content.len().to_string();
        tar.append_pax_extensions([("path", path.as_bytes()), ("size", size.as_bytes())]).unwrap();
        let mut header = tar::Header::new_ustar();
        header.set_size(content.len() as u64);
        header.set_path("short").unwrap();
        header.set_cksum();
        tar.append(&header, &content[..]).unwrap();
    }
    std::fs::write(folder.path("s.tar"), tar.into_inner().unwrap()).unwrap();
    assert_eq!(samples(&folder), expected(&[(&long, &image, &["pax"])]));
    let loaded = folder.open("s.tar").unwrap().shard(0).unwrap()[0].image.load(&DecodeOptions::default()).unwrap();
    assert_eq!(loaded.get_pixel(3, 3)[0], colour(&image));
}

#[test]
fn damaged_samples_are_errors_or_skipped() {
    let good: [(&str, &[u8]); 2] = [("z.png", b""), ("z.txt", b"fine")];
    for (members, parts) in [
        (&[("a.png", &b""[..])][..], &["s.tar, sample `a`", "no caption", "`.txt`", "found `.png`"][..]),
        (&[("a.txt", b"x")], &["sample `a`", "no image", "`.jpg`", "found `.txt`"]),
        (&[("a.png", b""), ("a.json", b"{\"width\": 3}")], &["no caption", "found `.png`, `.json`"]),
        (&[("a.png", b""), ("a.json", b"{\"caption\": ")], &["sample `a` at byte 512", "`a.json`", "not JSON"]),
        (&[("a.png", b""), ("a.json", b"[3]")], &["`a.json`", "expected a string at `[0]`"]),
        (&[("a.png", b""), ("a.txt", b"\xff")], &["`a.txt`", "not UTF-8"]),
        (&[("a.png", b""), ("a.txt", b"x"), ("a.txt", b"y")], &["`a.txt` occurs twice"]),
        (&[("a.png", b""), ("a.PNG", b""), ("a.txt", b"x")], &["`a.PNG` occurs twice"]),
        // Webdataset groups adjacent members only: the member between makes two samples of these, one without caption.
        (&[("a.png", b""), ("b.png", b""), ("b.txt", b"x"), ("a.txt", b"y")], &["sample `a`", "no caption"]),
    ] {
        let folder = Folder::new();
        folder.write("s.tar", &[members, &good].concat());
        assert_says(&folder.open("s.tar").unwrap().count().unwrap_err(), parts);
        assert!(folder.report.is_empty());
        assert_eq!(keys(&folder.skipping("s.tar").shard(0).unwrap()).last(), Some(&"z"));
        assert_eq!(folder.skipped(), ["s.tar: a"]);
    }
}

#[test]
fn empty_captions_are_errors_or_skipped() {
    let folder = Folder::new();
    let json: &[u8] = br#"["", "two"]"#;
    folder.write("s.tar", &[("a.png", b""), ("a.txt", b" \n"), ("a.json", json), ("b.png", b""), ("b.txt", b"")]);
    assert_says(&folder.open("s.tar").unwrap().count().unwrap_err(), &["sample `a`", "caption 1 is empty"]);
    assert_eq!(samples(&folder), expected(&[("a", "a.png", &["two"])]));
    let skipped = ["s.tar: a, caption 1", "s.tar: a, caption 2", "s.tar: b", "s.tar: b, caption 1"];
    assert_eq!(folder.skipped(), skipped);
    folder.write("none.tar", &[("b.png", b""), ("b.txt", b"")]);
    assert_says(&folder.skipping("none.tar").count().unwrap_err(), &["no sample", "none.tar", "`key.jpg`"]);
    assert_says(&folder.skipping("none.tar").images().unwrap_err(), &["no sample"]);
}

#[test]
fn equal_images_under_one_key_are_one_image() {
    let folder = Folder::new();
    folder.write("0.tar", &[("a.png", b"same"), ("a.txt", b"1"), ("b.png", b"b"), ("b.txt", b"2")]);
    folder.write("1.tar", &[("a.png", b"same"), ("a.json", br#"["3", "4"]"#)]);
    let limited = Shards::open(&folder.path("{0..1}.tar"), OnError::Fail, &folder.report, Some(2)).unwrap();
    for (shards, count) in [(folder.open("{0..1}.tar").unwrap(), 3), (limited, 2)] {
        assert_eq!(shards.count().unwrap(), 3);
        let set = shards.images().unwrap();
        assert_eq!(
            (&set.images[0].name[..], &set.images[0].captions[..]),
            ("a", &["1", "3", "4"].map(str::to_owned)[..count])
        );
        assert_eq!((set.len(), &set.images[1].captions[..]), (2, &["2".to_owned()][..]));
    }
}

#[test]
fn keys_that_restart_in_a_shard_name_other_images() {
    let folder = Folder::new();
    folder.write("0.tar", &[("a.png", b"same"), ("a.txt", b"1"), ("b.png", b"b"), ("b.txt", b"2")]);
    // Of the same length, of another, and equal to an image of the first shard.
    folder.write("1.tar", &[("a.png", b"SAME"), ("a.txt", b"3"), ("b.png", b"longer"), ("b.txt", b"4")]);
    folder.write("2.tar", &[("a.png", b"same"), ("a.txt", b"5"), ("c.png", b"c"), ("c.txt", b"6")]);
    let grouped = folder.open("{0..2}.tar").unwrap().grouped().unwrap();
    let named: Vec<(&str, &[String])> =
        grouped.images.images.iter().map(|image| (&image.name[..], &image.captions[..])).collect();
    let of = |captions: &[&str]| captions.iter().map(|&caption| caption.to_owned()).collect::<Vec<_>>();
    assert_eq!(
        named,
        [
            ("0.tar: a", &of(&["1", "5"])[..]),
            ("0.tar: b", &of(&["2"])),
            ("1.tar: a", &of(&["3"])),
            ("1.tar: b", &of(&["4"])),
            ("c", &of(&["6"])),
        ]
    );
    let images: Vec<usize> = grouped.samples.iter().flatten().map(|part| part.unwrap().image).collect();
    assert_eq!(images, [0, 1, 2, 3, 0, 4]);
    assert!(folder.report.is_empty());
}

#[test]
fn shards_of_one_name_are_named_by_path() {
    let folder = Folder::new();
    for (name, image) in [("x", b"1"), ("y", b"2")] {
        std::fs::create_dir(folder.path(name)).unwrap();
        folder.write(&format!("{name}/0.tar"), &[("a.png", &image[..]), ("a.txt", b"of one")]);
    }
    let set = folder.open("{x,y}/0.tar").unwrap().images().unwrap();
    let names = ["x/0.tar", "y/0.tar"].map(|shard| format!("{}: a", folder.path(shard).display()));
    assert_eq!([&set.images[0].name, &set.images[1].name], [&names[0], &names[1]]);
}

#[test]
fn a_shard_with_two_images_of_a_key_is_an_error_or_loses_the_second() {
    let folder = Folder::new();
    let other: [(&str, &[u8]); 2] = [("b.png", b"b"), ("b.txt", b"2")];
    let again: [(&str, &[u8]); 2] = [("a.png", b"SAME"), ("a.txt", b"3")];
    folder.write("0.tar", &[&[("a.png", &b"same"[..]), ("a.txt", b"1")], &other[..], &again].concat());
    let error = folder.open("0.tar").unwrap().images().unwrap_err();
    assert_says(&error, &["0.tar, sample `a`", "another image", "must name one image"]);
    assert_eq!(folder.skipping("0.tar").images().unwrap().captions(), 2);
    assert_eq!(folder.skipped(), ["0.tar: a"]);
}
