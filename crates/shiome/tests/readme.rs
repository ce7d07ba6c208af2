//! What the README shows is what runs.

/// Lines of the example that say nothing to a reader: they serve the lints and a feature that is off by default.
fn is_shown(line: &str) -> bool {
    !line.starts_with("//!") && !line.starts_with("#![allow") && !line.contains("async-trait")
}

#[test]
fn the_readmes_example_is_the_one_that_runs() {
    let readme = include_str!("../../../README.md");
    let (_, rest) = readme.split_once("```rust\n").unwrap();
    let (shown, _) = rest.split_once("```").unwrap();

    let example = include_str!("../examples/counter.rs");
    let lines = example.lines().filter(|line| is_shown(line));
    let expected: String = lines.flat_map(|line| [line, "\n"]).collect();
    assert_eq!(shown, expected.trim_start());
}
