//! Large and valid inputs: that they are read, and with `--ignored --nocapture --test-threads 1`, the memory that the largest
//! take, for `docs/reliability.md`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "the figures are the result")]

use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use radapter_datasets::captions::{self, CaptionsFormat, CaptionsOptions};
use radapter_datasets::table::{Table, TableOptions};
use radapter_datasets::{OnError, SkipReport};
use radapter_segmentation::class_list::ClassList;
use tempfile::TempDir;

/// A line of `/proc/self/status` in MiB; 0 on other systems.
fn memory(key: &str) -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(key));
    line.and_then(|line| line.trim_start_matches(':').trim().split(' ').next()?.parse::<u64>().ok()).unwrap_or(0) / 1024
}

/// Prints what reading a file takes; `read` returns what is kept.
fn measured<T>(what: &str, path: &Path, read: impl FnOnce() -> T) -> T {
    // Resets the peak.
    let _ = fs::write("/proc/self/clear_refs", "5");
    let (before, start) = (memory("VmRSS"), Instant::now());
    let kept = read();
    let (peak, after) = (memory("VmHWM").saturating_sub(before), memory("VmRSS").saturating_sub(before));
    let (file, seconds) = (fs::metadata(path).unwrap().len() >> 20, start.elapsed().as_secs_f64());
    println!("| {what} | {file} | {peak} | {after} | {seconds:.1} |");
    kept
}

fn written(folder: &TempDir, name: &str, fill: impl FnOnce(&mut dyn Write)) -> PathBuf {
    let path = folder.path().join(name);
    let mut out = BufWriter::new(File::create(&path).unwrap());
    fill(&mut out);
    out.flush().unwrap();
    path
}

fn classes(count: usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder, "classes.txt", |out| {
        (0..count).for_each(|class| writeln!(out, "class number {class}, kind {class}").unwrap());
    });
    let list = measured(&format!("{count} classes, a name in each line and a synonym"), &path, || {
        ClassList::resolve(path.to_str().unwrap()).unwrap()
    });
    assert_eq!(list.len(), count);
}

fn labels(count: usize) {
    let folder = tempfile::tempdir().unwrap();
    let path = written(&folder, "table.csv", |out| {
        writeln!(out, "path,label").unwrap();
        (0..count).for_each(|row| writeln!(out, "images/{row:08}.jpg,class number {row}").unwrap());
    });
    let images = measured(&format!("a table of {count} images, each of its own class"), &path, || {
        Table::read(&path, &TableOptions::default()).unwrap().labelled(None)
    });
    assert_eq!((images.classes.len(), images.samples.len()), (count, count));
}

/// `count` captions of a hundredth as many images, which exist.
fn captions_of(count: usize, format: CaptionsFormat) {
    let folder = tempfile::tempdir().unwrap();
    let images = folder.path().join("images");
    fs::create_dir(&images).unwrap();
    let number = count / 100;
    (0..number).for_each(|image| fs::write(images.join(format!("{image:06}.jpg")), "").unwrap());
    let caption =
        |image: usize, at: usize| format!("A caption of image {image} with the number {at}, as long as most.");
    let join = |out: &mut dyn Write, at: usize| {
        if at > 0 {
            out.write_all(b",").unwrap()
        }
    };
    let path = written(&folder, "captions", |out| match format {
        CaptionsFormat::Karpathy => {
            out.write_all(b"{\"images\":[").unwrap();
            for image in 0..number {
                join(out, image);
                write!(out, "{{\"filename\":\"{image:06}.jpg\",\"split\":\"train\",\"sentences\":[").unwrap();
                for at in 0..100 {
                    join(out, at);
                    write!(out, "{{\"raw\":\"{}\"}}", caption(image, at)).unwrap();
                }
                out.write_all(b"]}").unwrap();
            }
            out.write_all(b"]}").unwrap();
        }
        CaptionsFormat::Coco => {
            out.write_all(b"{\"images\":[").unwrap();
            for image in 0..number {
                join(out, image);
                write!(out, "{{\"id\":{image},\"file_name\":\"{image:06}.jpg\"}}").unwrap();
            }
            out.write_all(b"],\"annotations\":[").unwrap();
            for at in 0..count {
                join(out, at);
                write!(out, "{{\"image_id\":{},\"caption\":\"{}\"}}", at % number, caption(at % number, at / number))
                    .unwrap();
            }
            out.write_all(b"]}").unwrap();
        }
        _ => {
            writeln!(out, "filepath\ttitle").unwrap();
            (0..count)
                .for_each(|at| writeln!(out, "{:06}.jpg\t{}", at % number, caption(at % number, at / number)).unwrap());
        }
    });
    let options = CaptionsOptions { format: Some(format), images: Some(images), ..CaptionsOptions::default() };
    let set = measured(&format!("{count} captions of {number} images, {format}"), &path, || {
        captions::read(&path, &options, OnError::Fail, &SkipReport::default()).unwrap()
    });
    assert_eq!((set.len(), set.captions()), (number, count));
}

const CAPTIONS: [CaptionsFormat; 3] = [CaptionsFormat::Karpathy, CaptionsFormat::Coco, CaptionsFormat::Csv];

#[test]
fn thousands_of_classes_and_captions_are_read() {
    classes(10_000);
    labels(10_000);
    CAPTIONS.into_iter().for_each(|format| captions_of(20_000, format));
}

#[test]
#[ignore = "takes minutes and gigabytes"]
fn a_million_classes_and_ten_million_captions_are_read() {
    classes(1_000_000);
    labels(1_000_000);
    CAPTIONS.into_iter().for_each(|format| captions_of(10_000_000, format));
}
