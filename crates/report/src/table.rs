//! Text tables for the terminal.

/// Rows of text in aligned columns.
#[derive(Clone, Debug)]
pub struct Table {
    rows: Vec<Vec<String>>,
    numeric: Vec<bool>,
}

impl Table {
    /// A table with these column names; a name that ends in `>` makes a numeric column, which is right-aligned.
    pub fn new(columns: &[&str]) -> Self {
        Self {
            rows: vec![columns.iter().map(|name| name.trim_end_matches('>').to_owned()).collect()],
            numeric: columns.iter().map(|name| name.ends_with('>')).collect(),
        }
    }

    /// Adds a row, which must have a cell for each column.
    pub fn row<T: Into<String>>(&mut self, cells: impl IntoIterator<Item = T>) {
        let cells: Vec<String> = cells.into_iter().map(Into::into).collect();
        debug_assert_eq!(cells.len(), self.numeric.len(), "cells of a row");
        self.rows.push(cells);
    }
}

impl std::fmt::Display for Table {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let width = |text: &str| text.chars().count();
        let widths: Vec<usize> = (0..self.numeric.len())
            .map(|column| {
                let cells = self.rows.iter().map(|row| width(&row[column]));
                cells.max().unwrap_or(0)
            })
            .collect();
        for (index, row) in self.rows.iter().enumerate() {
            let cells = row.iter().zip(&widths).zip(&self.numeric);
            let line: Vec<String> = cells
                .map(
                    |((cell, &width), &numeric)| {
                        if numeric { format!("{cell:>width$}") } else { format!("{cell:<width$}") }
                    },
                )
                .collect();
            if index > 0 {
                writeln!(f)?;
            }
            f.write_str(line.join("  ").trim_end())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned() {
        let mut table = Table::new(&["set", "top-1>"]);
        table.row(["photo", "70.9 %"]);
        table.row(["art_painting", "7.6 %"]);
        assert_eq!(table.to_string(), "set            top-1\nphoto         70.9 %\nart_painting   7.6 %");
    }
}
