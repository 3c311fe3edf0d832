//! Settings as `--set` names them.

/// The values of a nested table under dotted keys, as `--set` takes them.
pub fn dotted(table: &toml::Table) -> Vec<(String, String)> {
    fn walk(prefix: &str, table: &toml::Table, rows: &mut Vec<(String, String)>) {
        for (key, value) in table {
            let name = if prefix.is_empty() { key.clone() } else { format!("{prefix}.{key}") };
            match value {
                toml::Value::Table(table) => walk(&name, table, rows),
                toml::Value::String(text) => rows.push((name, text.clone())),
                other => rows.push((name, other.to_string())),
            }
        }
    }
    let mut rows = Vec::new();
    walk("", table, &mut rows);
    rows
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn keys_are_those_of_set() {
        let table = "lr = 0.1\n[loss]\nkind = \"mpm-nce\"\n[a.b]\nlist = [1, 2]\n".parse().unwrap();
        let expected = [("a.b.list", "[1, 2]"), ("loss.kind", "mpm-nce"), ("lr", "0.1")];
        assert_eq!(dotted(&table), expected.map(|(key, value)| (key.to_owned(), value.to_owned())));
    }
}
