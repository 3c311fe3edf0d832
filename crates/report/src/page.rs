//! HTML pages: one file each, without fonts, images or scripts from elsewhere. The only script sorts tables.

use std::fmt::Write as _;

use crate::Chart;
use crate::chart::{HALF, NARROW, WIDE};
use crate::verdict::Term;

const STYLE: &str = include_str!("page.css");

/// Sorts the tables of [`Page::sortable`].
const SORT: &str = include_str!("sort.js");

/// Escapes a text for HTML.
pub fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '&' => escaped.push_str("&amp;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            other => escaped.push(other),
        }
    }
    escaped
}

/// An HTML page written from top to bottom. All texts are escaped.
#[derive(Clone, Debug)]
pub struct Page {
    title: String,
    contents: Vec<String>,
    body: String,
    /// Whether a table can be sorted.
    sorts: bool,
}

impl Page {
    /// An empty page; `lead` is one sentence on what it shows.
    pub fn new(title: &str, lead: &str) -> Self {
        let body = format!("<header><h1>{}</h1><p class=\"lead\">{}</p></header>\n", escape(title), escape(lead));
        Self { title: title.to_owned(), contents: Vec::new(), body, sorts: false }
    }

    /// Adds the few main numbers in large type: `(name, value)`.
    pub fn facts<T: AsRef<str>>(&mut self, facts: &[(T, String)]) {
        self.push("<dl class=\"facts\">");
        for (name, value) in facts {
            // A line must not end between a number and its sign.
            let (name, value) = (escape(name.as_ref()), escape(value).replace(" %", "\u{a0}%"));
            self.push(&format!("<div><dt>{name}</dt><dd>{value}</dd></div>"));
        }
        self.push("</dl>\n");
    }

    /// Begins a section.
    pub fn section(&mut self, title: &str) {
        self.contents.push(title.to_owned());
        let number = self.contents.len();
        self.push(&format!("<h2 id=\"s{number}\">{}</h2>\n", escape(title)));
    }

    /// Adds a paragraph.
    pub fn text(&mut self, text: &str) {
        self.push(&format!("<p>{}</p>\n", escape(text)));
    }

    /// Adds a table; a column name that ends in `>` makes a numeric column, `strong` lists the indices of highlighted rows.
    pub fn table(&mut self, columns: &[&str], rows: &[Vec<String>], strong: &[usize]) {
        self.push_table(columns, rows, strong, None);
    }

    /// As [`table`](Self::table), sorted by a click on a column's name; `keys` has the value to sort by of each cell, a plain number
    /// in a numeric column, or empty.
    pub fn sortable(&mut self, columns: &[&str], rows: &[Vec<String>], keys: &[Vec<String>]) {
        self.sorts = true;
        self.push_table(columns, rows, &[], Some(keys));
    }

    fn push_table(&mut self, columns: &[&str], rows: &[Vec<String>], strong: &[usize], keys: Option<&[Vec<String>]>) {
        let kind = if keys.is_some() { " class=\"sortable\"" } else { "" };
        self.push(&format!("<div class=\"scroll\"><table{kind}><thead><tr>"));
        let class = |column: &str| {
            if column.ends_with('>') { " class=\"number\"" } else { "" }
        };
        for column in columns {
            let name = escape(column.trim_end_matches('>'));
            self.push(&format!("<th{}>{name}</th>", class(column)));
        }
        self.push("</tr></thead><tbody>\n");
        for (index, row) in rows.iter().enumerate() {
            let strong = if strong.contains(&index) { " class=\"strong\"" } else { "" };
            self.push(&format!("<tr{strong}>"));
            for (place, (cell, column)) in row.iter().zip(columns).enumerate() {
                let key = keys.and_then(|keys| keys.get(index)?.get(place));
                let key = key.map_or_else(String::new, |key| format!(" data-key=\"{}\"", escape(key)));
                self.push(&format!("<td{}{key}>{}</td>", class(column), escape(cell)));
            }
            self.push("</tr>\n");
        }
        self.push("</tbody></table></div>\n");
    }

    /// Adds many names and values in small type, such as settings.
    pub fn pairs<T: AsRef<str>, U: AsRef<str>>(&mut self, pairs: &[(T, U)]) {
        self.push("<dl class=\"pairs\">");
        for (name, value) in pairs {
            let (name, value) = (escape(name.as_ref()), escape(value.as_ref()));
            self.push(&format!("<div><dt>{name}</dt><dd>{value}</dd></div>"));
        }
        self.push("</dl>\n");
    }

    /// Adds the sentence or two that a reader should remember, computed from the page's figures.
    pub fn verdict(&mut self, text: &str) {
        self.push(&format!("<p class=\"verdict\">{}</p>\n", escape(text)));
    }

    /// Explains terms that the page uses.
    pub fn terms(&mut self, terms: &[Term]) {
        self.push("<dl class=\"terms\">");
        for (name, meaning) in terms.iter().map(|term| term.definition()) {
            self.push(&format!("<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(meaning)));
        }
        self.push("</dl>\n");
    }

    /// Adds a caption in small type, such as what a chart's error bars are.
    pub fn caption(&mut self, text: &str) {
        self.push(&format!("<p class=\"caption\">{}</p>\n", escape(text)));
    }

    /// Adds charts, side by side where there is room. Each is laid out twice, for wide and for narrow screens.
    pub fn charts(&mut self, charts: &[Chart]) {
        let (class, wide) = if charts.len() == 1 { ("charts one", WIDE) } else { ("charts", HALF) };
        self.push(&format!("<div class=\"{class}\">"));
        for chart in charts {
            let (wide, narrow) = (chart.drawn(wide, "wide"), chart.drawn(NARROW, "narrow"));
            self.push(&format!("<figure>{wide}{narrow}</figure>\n"));
        }
        self.push("</div>\n");
    }

    /// Adds preformatted text in a collapsed block.
    pub fn folded(&mut self, title: &str, text: &str) {
        let (title, text) = (escape(title), escape(text));
        self.push(&format!("<details><summary>{title}</summary><pre>{text}</pre></details>\n"));
    }

    /// Completes the document and returns its HTML.
    pub fn finish(self) -> String {
        let title = escape(&self.title);
        let mut contents = String::new();
        if self.contents.len() > 2 {
            contents.push_str("<nav>");
            for (index, section) in self.contents.iter().enumerate() {
                write!(contents, "<a href=\"#s{}\">{}</a>", index + 1, escape(section))
                    .expect("writing to a string does not fail");
            }
            contents.push_str("</nav>\n");
        }
        let version = env!("CARGO_PKG_VERSION");
        let body = &self.body;
        let script = if self.sorts { format!("<script>\n{SORT}</script>\n") } else { String::new() };
        format!(
            "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width, initial-scale=1\">\n<title>{title}</title>\n<style>\n{STYLE}</style>\n\
             </head>\n<body>\n<main>\n{contents}{body}<footer>written by radapter {version}</footer>\n</main>\n\
             {script}</body>\n</html>\n"
        )
    }

    pub(crate) fn push(&mut self, html: &str) {
        self.body.push_str(html);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_of_the_user_becomes_markup() {
        let evil = "<script>alert('x')</script>";
        let mut page = Page::new(evil, evil);
        page.facts(&[(evil, evil.into())]);
        page.section(evil);
        page.text(evil);
        page.table(&[evil], &[vec![evil.into()]], &[]);
        page.pairs(&[(evil, evil)]);
        page.folded(evil, evil);
        page.verdict(evil);
        page.caption(evil);
        let html = page.finish();
        assert!(!html.contains("<script"), "{html}");
        assert!(html.contains("&lt;script&gt;alert(&#39;x&#39;)"), "{html}");
    }

    #[test]
    fn only_a_page_with_a_table_to_sort_has_a_script() {
        let mut page = Page::new("a", "b");
        page.sortable(&["name", "value>"], &[vec!["x".into(), "1.0 %".into()]], &[vec!["x".into(), "0.01".into()]]);
        let html = page.finish();
        assert!(html.contains("<td class=\"number\" data-key=\"0.01\">1.0 %</td>"), "{html}");
        assert!(html.matches("<script>").count() == 1 && html.contains("table.sortable"), "{html}");
    }

    #[test]
    fn nothing_is_fetched_from_elsewhere() {
        let mut page = Page::new("a", "b");
        page.terms(&[Term::Id, Term::Ood, Term::Alpha]);
        let html = page.finish();
        for trace in ["http:", "https:", "//", "@import", "url("] {
            assert!(!html.contains(trace), "{trace}");
        }
    }
}
