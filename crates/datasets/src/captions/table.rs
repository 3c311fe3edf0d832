//! Tables with one caption per row.

use std::path::Path;

use super::CaptionsOptions;
use super::gather::{Entry, Gather};
use crate::DatasetError;
use crate::captioned::CaptionedImages;
use crate::folder::is_image;
use crate::table::{Row, Table, TableOptions, Wanted};

/// OpenCLIP's default first; its `filepath` is already the first of the known path columns.
const CAPTIONS: Wanted =
    Wanted { texts: &["title", "caption", "text", "label", "class", "class_name"], empty_fields: true };

pub(super) fn read(
    path: &Path,
    options: &CaptionsOptions,
    mut gather: Gather<'_>,
) -> Result<CaptionedImages, DatasetError> {
    let keys = [&options.csv_img_key, &options.csv_caption_key];
    // If a column is given by name, the first line names the columns, so that an error can list them.
    let named = keys.into_iter().flatten().any(|key| key.parse::<usize>().is_err());
    let asked = TableOptions {
        separator: options.csv_separator,
        header: named.then_some(true),
        path_column: options.csv_img_key.clone(),
        text_column: options.csv_caption_key.clone(),
        images: options.images.clone(),
    };
    let table = Table::read_as(path, &asked, &CAPTIONS)?;
    if let Some(row) = table.rows.first().filter(|row| looks_like_a_header(row)) {
        let problem = format!(
            "found `{}`, `{}`, of which none is an image file or a known column name; if it is a header, name the columns (or \
             give their numbers) with `csv_img_key` and `csv_caption_key`",
            row.name, row.text
        );
        return Err(DatasetError::at(path, "line 1".to_owned(), problem));
    }
    let [path_column, text_column] = table.columns;
    for Row { path: image, name, text, line } in table.rows {
        if name.is_empty() {
            let place = format!("line {line}, column {path_column}");
            gather.leave_out(&format!("line {line}"), place, "the path of the image is empty".to_owned())?;
            continue;
        }
        let place = |caption: Option<usize>| match caption {
            None => format!("line {line}, column {path_column}"),
            Some(_) => format!("line {line}, column {text_column}"),
        };
        gather.add(Entry { name, tried: vec![image], captions: vec![text], place: &place })?;
    }
    gather.finish()
}

/// Whether the first line was read as data but is a header.
fn looks_like_a_header(row: &Row) -> bool {
    row.line == 1 && !row.name.is_empty() && !is_image(Path::new(&row.name)) && !row.path.is_file()
}
