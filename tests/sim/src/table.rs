//! Figures for people.

use crate::{
    experiments::{Experiment, Outcome, Played},
    metrics::{Metric, Summary},
};

/// A table of what all made of a cell.
pub fn table(experiment: &Experiment, outcome: &Outcome) -> String {
    let metrics = outcome.metrics();
    let mut lines = vec![header(&metrics)];
    lines.extend(outcome.played.iter().map(|played| match &played.scores {
        Ok(_) => line(outcome, played, &metrics),
        Err(reason) => vec![played.name.to_owned(), format!("({reason})")],
    }));
    let seeds = outcome.cell.seeds;
    let mut text = format!(
        "\n{}: {} ({seeds} {})\n",
        experiment.name,
        outcome.cell.label,
        if seeds == 1 { "seed" } else { "seeds" }
    );
    text.push_str(&aligned(&lines));
    text.push_str(&missed(outcome));
    text
}

fn header(metrics: &[&'static Metric]) -> Vec<String> {
    let titles = metrics.iter().map(|metric| {
        let told = match metric.summary {
            Summary::Spread => "median / p99 / max",
            _ => "",
        };
        let words = [metric.unit, told];
        let words = Vec::from_iter(words.into_iter().filter(|word| !word.is_empty()));
        match words.as_slice() {
            [] => metric.name.to_owned(),
            words => format!("{} [{}]", metric.name, words.join(", ")),
        }
    });
    [String::new()].into_iter().chain(titles).collect()
}

fn line(outcome: &Outcome, played: &Played, metrics: &[&'static Metric]) -> Vec<String> {
    let cells = metrics.iter().map(|metric| {
        let figures = played.figures(metric);
        let figures = figures.iter().map(|figure| {
            let number = number(figure.value);
            let goal = outcome.goal(played.name, metric, figure.statistic);
            match goal.map(|goal| goal.limit.holds(figure.value)) {
                Some(true) => format!("{number}+"),
                Some(false) => format!("{number}!"),
                None => number,
            }
        });
        Vec::from_iter(figures).join(" / ")
    });
    let name = match played.seeds {
        seeds if seeds < outcome.cell.seeds => format!("{} (seeds: {seeds})", played.name),
        _ => played.name.to_owned(),
    };
    [name].into_iter().chain(cells).collect()
}

/// Three digits, or all of a larger number.
pub fn number(value: f64) -> String {
    match value.abs() {
        _ if value.is_infinite() => "never".to_owned(),
        size if size >= 100.0 || size == 0.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

fn aligned(lines: &[Vec<String>]) -> String {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    // The reason of one who did not play runs over the columns.
    let full = || lines.iter().filter(|line| line.len() == columns);
    let width = |column: usize| {
        let cells = full().filter_map(|line| line.get(column));
        let cells = cells.map(|cell| cell.chars().count());
        cells.max().unwrap_or(0)
    };
    let widths = Vec::from_iter((0..columns).map(width));
    let first = lines.iter().map(|line| line[0].chars().count()).max();
    let mut text = String::new();
    for line in lines {
        let mut row = format!("  {:1$}", line[0], first.unwrap_or(0));
        for (cell, width) in line.iter().zip(&widths).skip(1) {
            row.push_str(&match line.len() == columns {
                true => format!("  {cell:>width$}"),
                false => format!("  {cell}"),
            });
        }
        text.push_str(row.trim_end());
        text.push('\n');
    }
    text
}

/// The goals that are missed, a line each.
fn missed(outcome: &Outcome) -> String {
    let mut text = String::new();
    for goal in &outcome.cell.goals {
        let value = outcome.figure(goal.of, goal.metric, goal.statistic);
        if let Some(value) = value.filter(|value| !goal.limit.holds(*value)) {
            let statistic = match goal.metric.summary {
                Summary::Spread => format!(", {}", goal.statistic),
                _ => String::new(),
            };
            text.push_str(&format!(
                "  missed: {}, {}{statistic}: {} instead of {}\n",
                goal.of,
                goal.metric.name,
                number(value),
                number(goal.limit.value())
            ));
        }
    }
    text
}
