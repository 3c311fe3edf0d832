//! Tables, class names, lists.

use radapter_datasets::table::{Table, TableOptions};
use radapter_datasets::{ClassNames, Templates, list};

use crate::scratch;

/// A table in CSV or TSV: its rows have a path and a label. The length of the input chooses what is not detected.
pub fn table(data: &[u8]) {
    let path = scratch::file("table.csv", data);
    let options = TableOptions {
        separator: [None, Some(','), Some('\t'), Some(';')][data.len() % 4],
        header: [None, Some(true), Some(false)][data.len() / 4 % 3],
        path_column: (data.len() % 5 == 4).then(|| "2".to_owned()),
        text_column: (data.len() % 7 == 6).then(|| "1".to_owned()),
        images: None,
    };
    let Ok(table) = Table::read(&path, &options) else { return };
    assert!(!table.rows.is_empty());
    for row in &table.rows {
        assert!(!row.name.is_empty() && !row.text.is_empty() && row.line > 0, "{row:?}");
    }
    let rows = table.rows.len();
    let labelled = table.labelled(None);
    assert_eq!(labelled.samples.len(), rows);
    assert!(labelled.samples.iter().all(|sample| sample.label < labelled.classes.len()));
}

/// Texts of classes: what is written is read as the same.
pub fn class_names(data: &[u8]) {
    let Ok(names) = ClassNames::read(&scratch::file("names.toml", data)) else { return };
    let path = scratch::path("written.toml");
    names.write(&path).unwrap();
    assert!(ClassNames::read(&path).unwrap().iter().eq(names.iter()));
}

/// A list in each of its forms, and the templates in it.
pub fn list(data: &[u8]) {
    let path = scratch::file("list.txt", data);
    if let Ok(names) = list::read(&path) {
        assert!(names.iter().all(|name| name.trim() == name), "{names:?}");
    }
    let Ok(templates) = Templates::resolve(path.to_str().unwrap()) else { return };
    for template in templates.as_slice() {
        assert_eq!(template.matches("{}").count(), 1, "{template:?}");
    }
}
