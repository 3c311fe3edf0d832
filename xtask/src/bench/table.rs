//! The figures as tables: ours compared with the best of the peers.

use std::fmt::{self, Write as _};

use super::rows::{Case, Figures, Row};

fn shown(value: Option<f64>, digits: usize, unit: &str) -> String {
    value.map_or(String::new(), |value| format!("{value:.digits$}{unit}"))
}

impl Figures {
    pub(crate) fn table(&self) -> Result<String, fmt::Error> {
        let mut text = String::new();
        writeln!(text, "{}\n", self.machine)?;
        writeln!(
            text,
            "| architecture | work | by | samples/s | ms per step | share of GEMM peak | peak memory MiB | minor faults per step | \
             best peer | our samples/s against it | our memory against it |"
        )?;
        writeln!(text, "|---|---|---|---:|---:|---:|---:|---:|---|---:|---:|")?;
        for case in &self.cases {
            let best = case.best_peer();
            for row in &case.ours {
                write_row(&mut text, case, row, best)?;
            }
            for row in &case.peers {
                write_row(&mut text, case, row, None)?;
            }
        }
        self.write_notes(&mut text)?;
        self.write_parts(&mut text)?;
        self.write_products(&mut text)?;
        if let Some(photos) = &self.photos {
            writeln!(text, "\n{photos}")?;
        }
        Ok(text)
    }

    /// What to know of a row's figures, once for rows of one name.
    fn write_notes(&self, text: &mut String) -> fmt::Result {
        let mut notes = Vec::new();
        for row in self.cases.iter().flat_map(|case| &case.peers) {
            if let Some(note) = &row.note
                && !notes.contains(&(&row.name, note))
            {
                writeln!(text, "\n{}: {note}.", row.name)?;
                notes.push((&row.name, note));
            }
        }
        Ok(())
    }

    fn write_parts(&self, text: &mut String) -> fmt::Result {
        for case in &self.cases {
            for row in &case.ours {
                let names = row.rounds.iter().flatten().next().into_iter().flat_map(|first| first.parts.keys());
                let parts: Vec<String> = names
                    .map(|name| {
                        let seconds = row.median(|found| found.parts.get(name).copied());
                        format!("{name} {}", shown(seconds.map(|seconds| 1e3 * seconds), 0, ""))
                    })
                    .collect();
                if !parts.is_empty() {
                    writeln!(text, "\n{}, {}, ms of a step: {}.", case.arch, row.name, parts.join(", "))?;
                }
            }
        }
        Ok(())
    }

    fn write_products(&self, text: &mut String) -> fmt::Result {
        if self.products.is_empty() {
            return Ok(());
        }
        writeln!(
            text,
            "\n| matrix product, rows × inputs × outputs | type | R-Adapter GFLOP/s | PyTorch GFLOP/s | ours against it |\n\
             |---|---|---:|---:|---:|"
        )?;
        for product in &self.products {
            let [ours, peer, ratio] = product.medians().map(|value| (!value.is_nan()).then_some(value));
            let [rows, inputs, outputs] = product.shape;
            writeln!(
                text,
                "| {rows} × {inputs} × {outputs} | {} | {} | {} | {} |",
                product.precision,
                shown(ours, 0, ""),
                shown(peer, 0, ""),
                shown(ratio, 2, "×"),
            )?;
        }
        Ok(())
    }
}

fn write_row(text: &mut String, case: &Case, row: &Row, best: Option<&Row>) -> fmt::Result {
    let work = match case.variant.as_str() {
        "" => case.part.name().to_owned(),
        variant => format!("{} ({variant})", case.part.name()),
    };
    writeln!(
        text,
        "| {} | {work}, {} samples | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
        case.arch,
        case.batch_size,
        row.name,
        shown(row.median(|found| Some(found.samples_per_second)), 2, ""),
        shown(row.median(|found| Some(1e3 * found.seconds)), 0, ""),
        shown(row.median(|found| found.peak_share().map(|share| 100.0 * share)), 0, " %"),
        shown(row.median(|found| found.peak_memory_mib), 0, ""),
        shown(row.median(|found| found.minor_faults_per_step), 0, ""),
        best.map_or("", |best| &best.name),
        shown(best.and_then(|best| row.against(best, |found| Some(found.samples_per_second))), 2, "×"),
        shown(best.and_then(|best| row.against(best, |found| found.peak_memory_mib)), 2, "×"),
    )
}

#[cfg(test)]
mod tests {
    use super::super::rows::tests::{case, row};
    use super::*;

    #[test]
    fn our_rows_name_the_fastest_peer_and_every_peer_keeps_its_row() {
        let peers = vec![row("fast", &[Some(2.0)], 400.0), row("slow", &[Some(4.0)], 50.0)];
        let ours = vec![row("R-Adapter f32", &[Some(1.0)], 100.0), row("R-Adapter bf16", &[Some(4.0)], 200.0)];
        let figures =
            Figures { machine: String::new(), cases: vec![case(ours, peers)], products: Vec::new(), photos: None };
        let table = figures.table().expect("strings can be written");
        let ends = |by: &str, end: &str| table.lines().any(|line| line.contains(by) && line.ends_with(end));
        assert!(ends("| R-Adapter f32 |", "| fast | 2.00× | 0.25× |"), "{table}");
        assert!(ends("| R-Adapter bf16 |", "| fast | 0.50× | 0.50× |"), "{table}");
        assert!(ends("| fast |", "|  |  |  |") && ends("| slow |", "|  |  |  |"), "{table}");
    }
}
