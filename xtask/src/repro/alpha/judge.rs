//! Which rule is the best, by sets that it is not used on.

use std::collections::{BTreeMap, BTreeSet};

use radapter::training::choice::RULES;

use super::row::{Point, Row};

/// The rules that need nothing but held-out samples of the run.
pub(super) fn by_held_out() -> impl Iterator<Item = &'static str> {
    RULES.into_iter().filter(|rule| rule.is_by_held_out()).map(|rule| rule.name())
}

/// How far a rule may be below the best of them in distribution.
const ID_LOSS: f64 = 0.005;

/// The mean of values; `None` without any.
pub(super) fn mean(values: impl IntoIterator<Item = f64>) -> Option<f64> {
    let (sum, count) = values.into_iter().fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    (count > 0).then(|| sum / f64::from(count))
}

/// The mean of points; `None` without any.
pub(super) fn mean_point(points: impl IntoIterator<Item = Point>) -> Option<Point> {
    let points: Vec<Point> = points.into_iter().collect();
    Some(Point { id: mean(points.iter().map(|point| point.id))?, ood: mean(points.iter().map(|point| point.ood))? })
}

/// A rule's regret, each data set weighted equally.
pub(super) fn regret(rows: &[&Row], rule: &str) -> Option<Point> {
    let mut by_data: BTreeMap<&str, Vec<Point>> = BTreeMap::new();
    for row in rows {
        by_data.entry(&row.data).or_default().push(row.regret(rule)?);
    }
    mean_point(by_data.into_values().filter_map(mean_point))
}

/// Of the rules that need held-out samples alone the one with the least regret out of distribution, at no more than half a point of
/// regret in distribution above the best of them.
pub(super) fn best(rows: &[&Row]) -> Option<&'static str> {
    let regrets = by_held_out().filter_map(|rule| Some((rule, regret(rows, rule)?)));
    let regrets: Vec<(&str, Point)> = regrets.collect();
    let least = regrets.iter().map(|(_, regret)| regret.id).reduce(f64::min)?;
    let allowed = regrets.into_iter().filter(|(_, regret)| regret.id <= least + ID_LOSS);
    allowed.min_by(|a, b| a.1.ood.total_cmp(&b.1.ood)).map(|(rule, _)| rule)
}

/// For each data set the best rule by the others.
pub(super) fn leave_one_out<'a>(rows: &[&'a Row]) -> Vec<(&'a str, Option<&'static str>)> {
    let names: BTreeSet<&str> = rows.iter().map(|row| row.data.as_str()).collect();
    let without = |name: &str| rows.iter().copied().filter(|row| row.data != name).collect::<Vec<_>>();
    names.into_iter().map(|name| (name, best(&without(name)))).collect()
}

#[cfg(test)]
mod tests {
    use super::super::row::Chosen;
    use super::*;

    /// A run with an oracle of 1 in both, and what rules reach.
    fn row(data: &str, rules: &[(&str, f64, f64)]) -> Row {
        let found =
            |id, ood| Chosen { alphas: radapter::adapter::Alpha::ONE.into(), value: None, found: Point { id, ood } };
        Row {
            data: data.to_owned(),
            set: data.to_owned(),
            method: String::new(),
            lr: 1.0,
            is_main: true,
            seed: 0,
            validation: 1.0,
            curve: vec![(0.0, Point { id: 0.5, ood: 1.0 }), (1.0, Point { id: 1.0, ood: 0.2 })],
            rules: rules.iter().map(|&(rule, id, ood)| (rule.to_owned(), found(id, ood))).collect(),
        }
    }

    #[test]
    fn data_sets_count_equally_and_half_a_point_is_allowed() {
        let one = [("one-se", 0.99, 0.5), ("id-shift", 0.986, 0.9), ("tpgm", 0.9, 1.0)];
        let rows = [
            row("a", &one),
            row("a", &one),
            row("b", &[("one-se", 0.97, 0.5), ("id-shift", 0.97, 0.7), ("tpgm", 0.97, 0.9)]),
        ];
        let rows: Vec<&Row> = rows.iter().collect();
        let found = regret(&rows, "one-se").map(|regret| (regret.id * 1000.0).round());
        assert_eq!(found, Some(20.0), "the mean of 0.01 and 0.03");
        // tpgm is too far below in `a`, and allowed in `b`, where it is the best.
        assert_eq!(best(&rows), Some("id-shift"));
        assert_eq!(leave_one_out(&rows), [("a", Some("tpgm")), ("b", Some("id-shift"))]);
        assert_eq!(best(&[]), None);
    }
}
