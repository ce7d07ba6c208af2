//! `sim [--full] [--only NAME] [--seed N] [--seeds K] [--json FILE] [--out DIR] [--list]`: our membership engine and
//! published ones on one simulated network. Tables go to the terminal, rows to `--json`, charts to `--out`.

mod foca;
mod memberlist;
mod options;

use std::{fs, process::ExitCode, time::Instant};

use shiome_sim::{
    Contender,
    experiments::{EXPERIMENTS, Experiment},
    ours,
    report::{self, Row},
    svg, table,
};

use foca::FocaKind;
use memberlist::Memberlist;
use options::Options;

fn main() -> ExitCode {
    let options = match Options::from_args() {
        Ok(options) => options,
        Err(problem) => {
            eprintln!("{problem}");
            return ExitCode::from(2);
        }
    };
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> Result<(), String> {
    let contenders = contenders();
    println!(
        "seed {}; + goal reached, ! goal missed; bytes with 28 of IP and UDP; latency 0.2 to 2 ms",
        options.seed
    );
    let mut rows = Vec::new();
    for experiment in EXPERIMENTS.iter().filter(|e| options.wants(e.name)) {
        rows.extend(perform(experiment, options, &contenders)?);
    }
    if let Some(file) = &options.json {
        let mut json = serde_json::to_string_pretty(&rows).map_err(|e| e.to_string())?;
        json.push('\n');
        fs::write(file, json).map_err(|e| format!("{}: {e}", file.display()))?;
    }
    let reached = rows.iter().filter(|row| row.holds == Some(true)).count();
    let missed = rows.iter().filter(|row| row.holds == Some(false)).count();
    println!("\n{reached} goals reached, {missed} missed");
    Ok(())
}

fn contenders() -> Vec<Box<dyn Contender>> {
    let ours = ours::all()
        .into_iter()
        .map(|kind| Box::new(kind) as Box<dyn Contender>);
    let others: [Box<dyn Contender>; 3] = [
        Box::new(FocaKind::LAN),
        Box::new(FocaKind::QUIET),
        Box::new(Memberlist),
    ];
    ours.chain(others).collect()
}

/// Plays an experiment, prints its tables and writes its charts.
fn perform(
    experiment: &Experiment,
    options: &Options,
    contenders: &[Box<dyn Contender>],
) -> Result<Vec<Row>, String> {
    println!("\n== {}: {}", experiment.name, experiment.about);
    let (mut rows, mut outcomes) = (Vec::new(), Vec::new());
    for cell in experiment.cells(options.scale) {
        let begin = Instant::now();
        let outcome = cell.run(contenders, options.seed);
        print!("{}", table::table(experiment, &outcome));
        println!("  {:.1} s", begin.elapsed().as_secs_f64());
        rows.extend(report::rows(experiment, &outcome));
        outcomes.push(outcome);
    }
    for chart in svg::charts(experiment.name, &outcomes) {
        let file = options.out.join(format!("{}.svg", chart.name));
        fs::create_dir_all(&options.out)
            .and_then(|()| fs::write(&file, chart.svg()))
            .map_err(|e| format!("{}: {e}", file.display()))?;
    }
    Ok(rows)
}
