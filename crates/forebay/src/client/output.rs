//! What results look like on stdout.

use std::io::{self, Write as _};

use serde_json::Value;

use super::terminal_text::{harmless_json, shown};

/// Writes all of it to stdout.
///
/// # Errors
/// As stdout has them; a reader that has gone is one.
pub(super) fn write_out(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes)?;
    out.flush()
}

/// Writes indented JSON and a line feed.
///
/// # Errors
/// See [`write_out`].
pub(super) fn write_json(value: &Value) -> io::Result<()> {
    // `:#` of a Value is pretty-printed JSON.
    write_out(format!("{}\n", harmless_json(&format!("{value:#}"))).as_bytes())
}

/// Rows below each other, columns aligned, cells made harmless. The last
/// column is not padded.
pub(super) fn table(rows: &[Vec<String>]) -> String {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| shown(cell).to_string()).collect())
        .collect();
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(&widths) {
            line += &format!("{cell:<width$}  ");
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_cells_harmless() {
        let rows = [vec!["é", "b\x1b"], vec!["long", ""], vec!["x", "y"]];
        let rows = rows.map(|row| row.into_iter().map(str::to_owned).collect());
        assert_eq!(table(&rows), "é     b\\u{1b}\nlong\nx     y\n");
        assert_eq!(table(&[]), "");
    }
}
