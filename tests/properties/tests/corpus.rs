//! Every input that is kept goes through its target.

#![allow(clippy::unwrap_used, reason = "support code of tests")]

use std::{
    collections::BTreeSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind},
    path::{Path, PathBuf},
};

use bytes::Bytes;
use shiome_properties::TARGETS;
use shiome_wire::Frame;

/// Limit on an input, and on all of them, in bytes: they are part of every copy of the tree.
const MAX_LEN: u64 = 64 * 1024;
const MAX_TOTAL_LEN: u64 = 2 * 1024 * 1024;

/// Kinds of messages that a frame can carry, and messages of each schema and of none without content.
const KINDS: usize = 28 + 5;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

/// Files in a directory, in the order of their names.
fn files(dir: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(dir).unwrap_or_else(|e| panic!("{}: {e}", dir.display()));
    let mut files: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn names(dir: &str) -> BTreeSet<String> {
    let name = |path: PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    files(&fuzz().join(dir)).into_iter().map(name).collect()
}

fn corpus(target: &str) -> Vec<PathBuf> {
    files(&fuzz().join("corpus").join(target))
}

#[test]
fn each_target_has_a_program_and_a_corpus() {
    let targets = BTreeSet::from(TARGETS.map(|(name, _)| name.to_owned()));
    assert_eq!(targets.len(), TARGETS.len());
    assert_eq!(names("fuzz_targets"), targets);
    assert_eq!(names("corpus"), targets);
    for target in targets {
        assert!(!corpus(&target).is_empty(), "nothing is kept for {target}");
        let program = fuzz().join("fuzz_targets").join(&target);
        let program = fs::read_to_string(program.with_extension("rs")).unwrap();
        assert!(program.contains(&format!("shiome_properties::{target}(")));
    }
}

#[test]
fn all_that_is_kept_is_short() {
    let mut total = 0;
    for path in TARGETS.iter().flat_map(|(target, _)| corpus(target)) {
        let len = fs::metadata(&path).unwrap().len();
        assert!(len <= MAX_LEN, "{}: {len} bytes", path.display());
        total += len;
    }
    assert!(total <= MAX_TOTAL_LEN, "{total} bytes");
}

#[test]
fn all_that_is_kept_holds() {
    let mut broken = Vec::new();
    for (target, property) in TARGETS {
        for path in corpus(target) {
            let input = fs::read(&path).unwrap();
            // The panic tells what; which input it was is told at the end.
            if catch_unwind(AssertUnwindSafe(|| property(&input))).is_err() {
                broken.push(path);
            }
        }
    }
    assert!(broken.is_empty(), "{broken:#?}");
}

/// A corpus that has lost its way into the schemas would hold as well.
#[test]
fn messages_of_every_kind_are_kept() {
    let mut kinds = BTreeSet::new();
    for path in corpus("messages") {
        let frame = Frame::from(Bytes::from(fs::read(path).unwrap()));
        kinds.extend(frame.decode().ok().map(|message| message.kind()));
    }
    assert_eq!(kinds.len(), KINDS, "{kinds:?}");
}
