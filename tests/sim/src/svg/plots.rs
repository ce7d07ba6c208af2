use super::{Axis, Chart, Scale, Series};
use crate::{
    experiments::Outcome,
    scenarios::{Game, anomalies::FALSE_POSITIVES, crash::ALL_KNOW},
};

/// The charts of an experiment: its convergence, and latency against false positives when both were measured.
pub fn charts(experiment: &str, outcomes: &[Outcome]) -> Vec<Chart> {
    let mut charts = Vec::from_iter(
        outcomes
            .iter()
            .filter_map(|outcome| convergence(experiment, outcome)),
    );
    charts.extend(pareto(outcomes));
    charts
}

/// How the share of those who know grew, in the play with the first seed of each.
fn convergence(experiment: &str, outcome: &Outcome) -> Option<Chart> {
    let label = match outcome.cell.games[0] {
        Game::Crash(_) => "share of survivors that know of the crash",
        Game::Join(_) => "share of memberships known",
        Game::Newcomer(_) => "share of nodes that know the newcomer",
        _ => return None,
    };
    let curve = |played: &crate::experiments::Played| {
        let first = played.scores.as_ref().ok()?.first()?;
        (first.curve.len() > 1).then(|| Series {
            name: played.name.to_owned(),
            points: first.curve.clone(),
        })
    };
    let series = Vec::from_iter(outcome.played.iter().filter_map(curve));
    // The last seconds of the slowest would hide all others.
    let ends = series.iter().map(|series| reaches(&series.points, 0.999));
    let end = ends.fold(0.0, f64::max) * 1.05;
    let words = outcome.cell.label.chars().filter_map(|c| match c {
        ' ' | ',' | '=' => Some('-'),
        c if c.is_ascii_alphanumeric() => Some(c.to_ascii_lowercase()),
        _ => None,
    });
    let mut name = format!("{experiment}-{}", String::from_iter(words));
    while name.contains("--") {
        name = name.replace("--", "-");
    }
    (!series.is_empty() && end > 0.0).then(|| Chart {
        name,
        title: format!("{experiment}: {}", outcome.cell.label),
        x: axis("time [s]", Scale::Linear, 0.0, end),
        y: axis(label, Scale::Linear, 0.0, 1.0),
        series,
    })
}

/// When a curve comes to a share, or its end.
fn reaches(points: &[(f64, f64)], share: f64) -> f64 {
    let point = points.iter().find(|(_, y)| *y >= share);
    point.or_else(|| points.last()).map_or(0.0, |(x, _)| *x)
}

/// For each setting how soon all know of a crash, and how many are accused without reason.
fn pareto(outcomes: &[Outcome]) -> Option<Chart> {
    let measured = |game: fn(&Game) -> bool| {
        let mut found = outcomes.iter();
        found.find(|outcome| outcome.cell.games.iter().all(game))
    };
    let latency = measured(|game| matches!(game, Game::Crash(_)))?;
    let safety = measured(|game| matches!(game, Game::Anomalies(_)))?;
    let point = |name: &str| {
        let x = latency.figure(name, &ALL_KNOW, "median")?;
        let y = safety.figure(name, &FALSE_POSITIVES, "total")?;
        x.is_finite().then_some((x, y))
    };
    let series = safety.played.iter().filter_map(|played| {
        point(played.name).map(|point| Series {
            name: played.name.to_owned(),
            points: vec![point],
        })
    });
    let series = Vec::from_iter(series);
    let most = |of: fn(&(f64, f64)) -> f64| {
        let all = series.iter().flat_map(|series| &series.points);
        all.map(of).fold(1.0, f64::max)
    };
    Some(Chart {
        name: "pareto".to_owned(),
        title: format!("detection against false positives ({})", safety.cell.label),
        x: axis(
            "crash known by all, median [s] (N=128)",
            Scale::Linear,
            0.0,
            (most(|point| point.0) * 1.1).ceil(),
        ),
        y: axis(
            "false positives (log)",
            Scale::Logarithmic,
            0.5,
            most(|point| point.1) * 3.0,
        ),
        series,
    })
    .filter(|chart| !chart.series.is_empty())
}

fn axis(label: &str, scale: Scale, from: f64, to: f64) -> Axis {
    Axis {
        label: label.to_owned(),
        scale,
        from,
        to,
    }
}
