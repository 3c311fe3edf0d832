//! CSV and TSV files with an image and a label or caption per row.
//!
//! Separator, header and columns are detected unless given: the separator is the most frequent of tab, comma and semicolon in the
//! first line; the first line is a header if one of its fields is a known or requested column name. Paths are
//! relative to the file's own folder, unless another is given.

use std::path::{Path, PathBuf};

use csv::{ReaderBuilder, StringRecord};
use radapter_files::{io_error, refuse_lfs_pointer};
use radapter_images::ImageSource;
use serde::{Deserialize, Serialize};

use crate::class_names::ClassNames;
use crate::error::DatasetError;
use crate::folder::is_image;
use crate::labelled::{LabelledImages, Sample};

/// Known names of the path column.
const PATH_COLUMNS: [&str; 7] = ["filepath", "path", "file", "filename", "file_name", "image", "image_path"];
/// Known names of the column of labels or captions.
const TEXT_COLUMNS: [&str; 6] = ["label", "class", "title", "caption", "text", "class_name"];

/// Columns that a reader of tables looks for, and what it tolerates.
pub(crate) struct Wanted {
    /// Possible names of the text column, the likeliest first.
    pub(crate) texts: &'static [&'static str],
    /// Whether rows with an empty path or text are kept for the caller; else they are errors.
    pub(crate) empty_fields: bool,
}

const LABELS: Wanted = Wanted { texts: &TEXT_COLUMNS, empty_fields: false };

/// Options for reading a file; what is `None` is detected.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TableOptions {
    /// An ASCII character.
    pub separator: Option<char>,
    /// Whether the first line names the columns.
    pub header: Option<bool>,
    /// Column of paths: its name, or its number from 1.
    pub path_column: Option<String>,
    /// Column of labels or captions: its name, or its number from 1.
    pub text_column: Option<String>,
    /// Folder that paths are relative to.
    pub images: Option<PathBuf>,
}

/// Row of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Row {
    pub path: PathBuf,
    /// Path as in the file.
    pub name: String,
    /// Label or caption.
    pub text: String,
    /// Line in the file, counted from 1.
    pub line: u64,
}

/// Content of a file.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "the names are self-explanatory")]
pub struct Table {
    pub path: PathBuf,
    /// Names of the path and text columns.
    pub columns: [String; 2],
    /// In file order.
    pub rows: Vec<Row>,
}

impl Table {
    /// Reads a file.
    ///
    /// # Errors
    /// [`DatasetError`] naming line and column, if the file cannot be read or has no rows, a column is missing, or a row has no
    /// path or no text.
    pub fn read(path: &Path, options: &TableOptions) -> Result<Self, DatasetError> {
        Self::read_as(path, options, &LABELS)
    }

    /// Reads a file with other columns.
    ///
    /// # Errors
    /// Those of [`Table::read`], except for empty fields if these are wanted.
    pub(crate) fn read_as(path: &Path, options: &TableOptions, wanted: &Wanted) -> Result<Self, DatasetError> {
        tracing::debug!("reading the table {}", path.display());
        let bytes = std::fs::read(path).map_err(io_error("read", path))?;
        refuse_lfs_pointer(path, &bytes)?;
        let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(&bytes);
        let separator = separator(bytes, options)?;
        let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).delimiter(separator).from_reader(bytes);
        let mut records = Vec::new();
        let mut record = StringRecord::new();
        loop {
            // The start of the bad record: the reader's position is past it when it reports.
            let line = reader.position().line();
            match reader.read_record(&mut record) {
                Ok(true) => records.push(record.clone()),
                Ok(false) => break,
                Err(error) => {
                    let problem = match error.kind() {
                        csv::ErrorKind::Utf8 { err, .. } => format!("field {} is not UTF-8", err.field() + 1),
                        _ => error.to_string(),
                    };
                    return Err(wrong(path, line, "any", problem));
                }
            }
        }
        check_quotes(path, bytes, &records, separator)?;
        let Some(first) = records.first().cloned() else { return Err(empty(path)) };
        let header = options.header.unwrap_or_else(|| is_header(&first, options));
        let columns = Columns { path, first: &first, header, separator };
        let path_at = columns.find(options.path_column.as_deref(), &PATH_COLUMNS, 0)?;
        let text_at = columns.find(options.text_column.as_deref(), wanted.texts, 1)?;
        columns.check_widths(&records)?;
        let names = [columns.name(path_at), columns.name(text_at)];
        let folder = options.images.as_deref().or(path.parent()).unwrap_or(Path::new("."));
        let field = |record: &StringRecord, at: usize, name: &str| match record.get(at).map(str::trim) {
            Some(field) if !field.is_empty() => Ok(field.to_owned()),
            _ if wanted.empty_fields => Ok(String::new()),
            other => {
                let problem = if other.is_some() { "it is empty" } else { "the line has no such field" };
                Err(wrong(path, line(record), name, problem))
            }
        };
        let rows: Result<Vec<Row>, DatasetError> = records
            .iter()
            .skip(usize::from(header))
            .map(|record| {
                let name = field(record, path_at, &names[0])?;
                let text = field(record, text_at, &names[1])?;
                Ok(Row { path: folder.join(&name), name, text, line: line(record) })
            })
            .collect();
        match rows? {
            rows if rows.is_empty() => Err(empty(path)),
            rows => Ok(Self { path: path.to_owned(), columns: names, rows }),
        }
    }

    /// Checks that the image files exist, so that a wrong folder is found immediately.
    ///
    /// # Errors
    /// [`DatasetError`] for the first image that does not exist, with its line.
    pub fn check_files(&self) -> Result<(), DatasetError> {
        match self.rows.iter().find(|row| !row.path.is_file()) {
            None => Ok(()),
            Some(row) => {
                let problem = format!("there is no file {}", row.path.display());
                Err(wrong(&self.path, row.line, &self.columns[0], problem))
            }
        }
    }

    /// Converts the rows to labelled images: the different texts, sorted by bytes, are the classes.
    pub fn labelled(self, names: Option<&ClassNames>) -> LabelledImages {
        let mut folders: Vec<String> = self.rows.iter().map(|row| row.text.clone()).collect();
        folders.sort_unstable();
        folders.dedup();
        let sample = |row: Row| {
            let label = folders.binary_search(&row.text).expect("every row's text is among the classes");
            Sample { source: ImageSource::File(row.path), label, name: row.name }
        };
        let samples = self.rows.into_iter().map(sample).collect();
        LabelledImages::new(folders, samples, names, Vec::new())
    }
}

fn empty(path: &Path) -> DatasetError {
    DatasetError::about(path, "has no rows; expected an image path and a label or caption on each line")
}

fn wrong(path: &Path, line: u64, column: &str, problem: impl std::fmt::Display) -> DatasetError {
    DatasetError::at(path, format!("line {line}, column {column}"), problem)
}

/// Refuses a quote that opens a field and is never closed, because it would silently swallow all following rows.
fn check_quotes(path: &Path, bytes: &[u8], records: &[StringRecord], separator: u8) -> Result<(), DatasetError> {
    let breaks = |record: &StringRecord| record.iter().any(|field| field.contains('\n'));
    let is_odd = bytes.iter().filter(|&&byte| byte == b'"').count() % 2 == 1;
    if let Some(last) = records.last().filter(|last| is_odd && breaks(last)) {
        return Err(wrong(
            path,
            line(last),
            "any",
            "a quote opens a field and is never closed, so all following lines would be one field; double the quote (\"\"), or \
             put the whole field in quotes",
        ));
    }
    // Two such quotes close each other: the text between them looks like lines of the table.
    let is_swallowed = |field: &str| field.lines().skip(1).any(|line| line.contains(char::from(separator)));
    if let Some(record) = records.iter().find(|record| record.iter().any(is_swallowed)) {
        tracing::warn!(
            "{}, line {}: a quoted field has line breaks and separators; if that is not intended, a closing quote is missing",
            path.display(),
            line(record)
        );
    }
    Ok(())
}

fn line(record: &StringRecord) -> u64 {
    record.position().map_or(0, csv::Position::line)
}

/// Separators in use, the detected ones first.
const SEPARATORS: [u8; 4] = [b'\t', b',', b';', b'|'];

/// A separator, as a message names it.
fn shown(separator: u8) -> String {
    match separator {
        b'\t' => "TAB".to_owned(),
        other => format!("`{}`", char::from(other)),
    }
}

fn separator(bytes: &[u8], options: &TableOptions) -> Result<u8, DatasetError> {
    if let Some(given) = options.separator {
        return u8::try_from(given).ok().filter(u8::is_ascii).ok_or_else(|| {
            DatasetError::Option(format!("the separator must be a single ASCII character, found `{given}`"))
        });
    }
    let first = bytes.split(|&byte| byte == b'\n').next().unwrap_or_default();
    let mut quoted = false;
    let mut counts = [(b'\t', 0), (b',', 0), (b';', 0)];
    for &byte in first {
        quoted ^= byte == b'"';
        for (separator, count) in &mut counts {
            *count += usize::from(!quoted && byte == *separator);
        }
    }
    let most = counts.iter().map(|&(_, count)| count).max().unwrap_or(0);
    Ok(counts.iter().find(|&&(_, count)| count == most && most > 0).map_or(b',', |&(separator, _)| separator))
}

fn is_header(first: &StringRecord, options: &TableOptions) -> bool {
    let asked = [&options.path_column, &options.text_column];
    let is_asked = |field: &str| asked.into_iter().flatten().any(|name| name == field);
    let is_known =
        |field: &str| PATH_COLUMNS.iter().chain(&TEXT_COLUMNS).any(|known| field.eq_ignore_ascii_case(known));
    let no_image = !first.iter().any(|field| is_image(Path::new(field.trim())));
    no_image && first.iter().map(str::trim).any(|field| is_asked(field) || is_known(field))
}

struct Columns<'a> {
    path: &'a Path,
    first: &'a StringRecord,
    header: bool,
    separator: u8,
}

impl Columns<'_> {
    /// Finds the requested column by name or number, else one with a known name, else (without a header) the usual one.
    fn find(&self, asked: Option<&str>, known: &[&str], usual: usize) -> Result<usize, DatasetError> {
        let by_name = |wanted: &dyn Fn(&str) -> bool| self.first.iter().position(|field| wanted(field.trim()));
        let found = match asked {
            Some(name) => {
                let by_name = if self.header { by_name(&|field| field == name) } else { None };
                let number = name.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
                by_name.or(number.filter(|&at| at < self.first.len()))
            }
            None if self.header => known.iter().find_map(|known| by_name(&|field| field.eq_ignore_ascii_case(known))),
            None => (usual < self.first.len()).then_some(usual),
        };
        found.ok_or_else(|| {
            let column = match asked {
                Some(name) => format!("`{name}`"),
                None if self.header => format!("named {}", known.join(", ")),
                None => format!("{}", usual + 1),
            };
            let found = (0..self.first.len()).map(|at| self.name(at)).collect::<Vec<_>>().join(", ");
            if let Some(problem) = self.other_separator(&column) {
                return DatasetError::about(self.path, problem);
            }
            let problem =
                format!("has no column {column}; found {found}; name it (or give its number) in the settings");
            DatasetError::about(self.path, problem)
        })
    }

    /// Refuses a row with more fields than the first line: an unquoted separator would cut its text short.
    fn check_widths(&self, records: &[StringRecord]) -> Result<(), DatasetError> {
        let expected = self.first.len();
        let Some(record) = records.iter().find(|record| record.len() > expected) else { return Ok(()) };
        let problem = format!(
            "{} fields, and the first line has {expected}; put a field that contains {} in quotes",
            record.len(),
            shown(self.separator)
        );
        Err(DatasetError::at(self.path, format!("line {}", line(record)), problem))
    }

    /// The problem of a first line that is one field, where another separator would split it.
    fn other_separator(&self, column: &str) -> Option<String> {
        let only = self.first.get(0).filter(|_| self.first.len() == 1)?;
        let count = |separator: &u8| only.bytes().filter(|byte| byte == separator).count();
        let other = SEPARATORS.into_iter().filter(|other| *other != self.separator).max_by_key(count)?;
        (count(&other) > 0).then(|| {
            let (used, other, parts) = (shown(self.separator), shown(other), count(&other) + 1);
            format!("has no column {column}: separated by {used}, its first line is one field; {other} would split it into {parts}")
        })
    }

    fn name(&self, at: usize) -> String {
        match self.first.get(at) {
            Some(field) if self.header => format!("`{}`", field.trim()),
            _ => format!("{}", at + 1),
        }
    }
}

#[cfg(test)]
mod tests;
