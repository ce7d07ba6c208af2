//! The bytes recorded at published nodes are the bytes of these crates.

use std::{collections::BTreeMap, path::Path};

use shiome_tests::vectors;

#[test]
fn every_vector_in_the_tree_holds() {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors");
    let reports = vectors::check_dir(&dir).unwrap();
    for report in &reports {
        assert!(report.holds(), "{}: {:#?}", report.file, report.failures);
        assert_eq!(report.passed, report.entries, "{}", report.file);
    }

    // A format that stops being recognised, or a file that gets lost, must not make the check smaller.
    let mut by_format = BTreeMap::new();
    for report in &reports {
        *by_format.entry(report.format.unwrap()).or_insert(0) += report.entries;
    }
    assert_eq!(
        Vec::from_iter(by_format),
        [
            ("bus messages", 70),
            ("bytes convertable", 115),
            ("digest", 47),
            ("gossip", 10),
            ("native handshake", 6),
            ("wire", 1598)
        ]
    );
}

/// Today's ends still say, from the first byte to the last, what the recording says.
#[test]
fn the_native_handshake_is_the_recorded_one() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("vectors/native-1.json");
    let recorded = std::fs::read_to_string(path).unwrap();
    assert_eq!(vectors::record_native(), recorded);
}
