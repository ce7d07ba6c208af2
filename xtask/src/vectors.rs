//! `cargo xtask vectors [--check] [--dir DIR] [--json FILE]`: recorded bytes against our crates.
//!
//! The checks live in `shiome-tests`, where `cargo test` runs them too. They are built and run from here as a program,
//! because xtask depends on no crate of the workspace.

use std::path::{Path, PathBuf};

use lexopt::{Arg, Parser};
use serde::Deserialize;

use crate::{
    Stop, cargo,
    report::{self, Row},
};

/// Where the vectors of the tree live, from the workspace root.
const DIR: &str = "tests/vectors";

pub(crate) fn run(root: &Path, mut args: Parser) -> Result<(), Stop> {
    let (mut dir, mut json) = (root.join(DIR), None::<PathBuf>);
    while let Some(arg) = args.next()? {
        match arg {
            // There is nothing to write, so this says no more than the task's name.
            Arg::Long("check") => {}
            Arg::Long("dir") => dir = args.value()?.into(),
            Arg::Long("json") => json = Some(args.value()?.into()),
            other => return Err(other.unexpected().into()),
        }
    }
    let files = check(root, &dir);
    if let Some(json) = json {
        let rows = match &files {
            Ok(files) => files.iter().map(FileReport::row).collect(),
            Err(problem) => vec![not_checked(&dir, problem)],
        };
        report::write(&json, &rows)?;
    }
    Ok(conclude(&files?)?)
}

/// Checks the vectors of the tree.
///
/// # Errors
///
/// What to tell when not all of them hold.
pub(crate) fn check_tree(root: &Path) -> Result<(), String> {
    conclude(&check(root, &root.join(DIR))?)
}

/// What the check of one file found, as the program prints it.
#[derive(Deserialize)]
struct FileReport {
    file: String,
    format: Option<String>,
    entries: usize,
    passed: usize,
    failures: Vec<Failure>,
    notes: Vec<String>,
}

#[derive(Deserialize)]
struct Failure {
    entry: String,
    problem: String,
}

/// Checks the files in `dir` and prints a line for each, and one for each failure.
fn check(root: &Path, dir: &Path) -> Result<Vec<FileReport>, String> {
    let dir = std::path::absolute(dir).map_err(|e| format!("{}: {e}", dir.display()))?;
    let mut program = cargo::cargo(root);
    program
        .args(["run", "--quiet", "--locked", "--package", "shiome-tests"])
        .args(["--bin", "vectors", "--"])
        .arg(&dir);
    let files: Vec<FileReport> = cargo::output(&mut program)?
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .map_err(|e| format!("vectors: {e}"))?;
    if files.is_empty() {
        return Err(format!("vectors: no file in {}", dir.display()));
    }
    for file in &files {
        file.print();
    }
    Ok(files)
}

/// The row that stands for the files when none could be checked.
fn not_checked(dir: &Path, problem: &str) -> Row {
    Row {
        group: "vectors".to_owned(),
        name: dir.display().to_string(),
        note: Some(problem.to_owned()),
        ..Row::default()
    }
}

fn conclude(files: &[FileReport]) -> Result<(), String> {
    let passed: usize = files.iter().map(|file| file.passed).sum();
    let entries: usize = files.iter().map(|file| file.entries).sum();
    let failed = files.iter().filter(|file| !file.holds()).count();
    let total = format!(
        "vectors: {passed} of {entries} entries hold, {failed} of {} files fail",
        files.len()
    );
    if failed > 0 {
        return Err(total);
    }
    println!("{total}");
    Ok(())
}

impl FileReport {
    fn holds(&self) -> bool {
        self.failures.is_empty()
    }

    fn print(&self) {
        let verdict = if self.holds() { "ok  " } else { "FAIL" };
        let format = self.format.as_deref().unwrap_or("unknown format");
        println!(
            "{verdict} {}: {format}, {} of {} entries hold",
            self.file, self.passed, self.entries
        );
        for note in &self.notes {
            println!("       {note}");
        }
        for failure in &self.failures {
            println!("     ! {}: {}", failure.entry, failure.problem);
        }
    }

    fn row(&self) -> Row {
        let first = self.failures.first();
        let failure = first.map(|failure| format!("{}: {}", failure.entry, failure.problem));
        let notes: Vec<_> = failure
            .into_iter()
            .chain(self.notes.iter().cloned())
            .collect();
        Row {
            group: "vectors".to_owned(),
            name: self.file.clone(),
            value: self.passed.into(),
            unit: Some("entries".to_owned()),
            goal: self.entries.into(),
            holds: Some(self.holds()),
            note: (!notes.is_empty()).then(|| notes.join("; ")),
            ..Row::default()
        }
    }
}
