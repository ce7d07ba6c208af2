//! What a node exports, what the manual says of it, and what the dashboard shows.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde_json::Value;
use shiome::inspect::metrics as node_metrics;
use shiome_inspect::metrics as server_metrics;

use super::{
    node::{address, ends_cleanly, lines_with},
    user::User,
};

/// A file of the documentation.
fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../../docs")
        .join(name);
    fs::read_to_string(path).unwrap()
}

/// All names of metrics in a text.
fn names(text: &str) -> BTreeSet<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let words = text.split(|c| !is_name(c));
    let of_shiome = words.filter(|word| word.starts_with("shiome_"));
    of_shiome.map(str::to_owned).collect()
}

/// What is documented of a node and its server.
fn documented() -> BTreeSet<String> {
    let node = node_metrics::METRICS.iter().map(|metric| metric.name);
    let server = server_metrics::METRICS.iter().map(|(name, ..)| *name);
    node.chain(server).map(str::to_owned).collect()
}

/// The queries of the dashboard.
fn queries(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            for (name, value) in fields {
                match (name.as_str(), value) {
                    ("expr" | "definition", Value::String(query)) => found.push(query.clone()),
                    _ => queries(value, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| queries(item, found)),
        _ => {}
    }
}

/// What of the names a node does not export that has a peer and gossips.
fn not_exported(names_of: &BTreeSet<String>) -> Vec<String> {
    let user = User::new();
    let a = user.start(
        "a@127.0.0.1:0",
        &[
            "--gossip",
            "--gossip-period",
            "200",
            "--http",
            "127.0.0.1:0",
        ],
    );
    let at = address(&a, "a@127.0.0.1");
    let log = a.log("address=tcp://");
    let http_at = log.split("tcp://").nth(1).unwrap().trim().parse().unwrap();
    let b = user.start("b@127.0.0.1:0", &["--seed", &at, "--gossip-period", "200"]);
    lines_with(&a, &["ready b@127.0.0.1"]);
    // It is published once a second, one after another: who asks meanwhile sees a part.
    let missing = |text: &str| {
        let samples = text.lines().filter(|line| line.starts_with("shiome_"));
        let there: BTreeSet<_> = samples.flat_map(names).collect();
        names_of.difference(&there).cloned().collect::<Vec<_>>()
    };
    let began = Instant::now();
    let mut left = missing(&http(http_at, "/metrics"));
    while !left.is_empty() && began.elapsed() < Duration::from_secs(60) {
        left = missing(&http(http_at, "/metrics"));
    }
    ends_cleanly(b, Signal::TERM);
    ends_cleanly(a, Signal::TERM);
    left
}

#[test]
fn the_dashboard_asks_for_what_a_node_exports() {
    let dashboard: Value = serde_json::from_str(&document("grafana.json")).unwrap();
    let mut found = Vec::new();
    queries(&dashboard, &mut found);
    assert!(found.len() > 40, "{found:?}");
    let asked: BTreeSet<_> = found.iter().flat_map(|query| names(query)).collect();
    // A node of the binary has no bus, which programs may have.
    let of_bus: BTreeSet<_> = (documented().into_iter())
        .filter(|name| name.starts_with("shiome_bus_"))
        .collect();
    let of_node = asked.difference(&of_bus).cloned().collect();
    let unknown = not_exported(&of_node);
    assert!(unknown.is_empty(), "not exported: {unknown:?}");
    let shown = |name: &String| asked.contains(name) || asked.contains(&format!("{name}_bucket"));
    let hidden: Vec<_> = documented()
        .into_iter()
        .filter(|name| !shown(name))
        .collect();
    assert!(hidden.is_empty(), "not on the dashboard: {hidden:?}");
}

#[test]
fn the_manual_lists_all_metrics_with_their_labels() {
    let manual = document("OPERATING.md");
    let mut known = documented();
    for metric in node_metrics::METRICS {
        let labels: Vec<_> = metric
            .labels
            .iter()
            .map(|label| format!("`{label}`"))
            .collect();
        let labels = labels.join(", ");
        let row = format!("| `{}` | {:?} | {labels} |", metric.name, metric.kind).to_lowercase();
        assert!(manual.to_lowercase().contains(&row), "{row}");
    }
    for name in &known {
        assert!(manual.contains(&format!("`{name}`")), "{name}");
    }
    // What is told by its beginning stands elsewhere in full.
    known.insert("shiome_membership_".to_owned());
    let odd = |name: &String| !known.contains(name) && !name.starts_with("shiome_membership_");
    let unknown: Vec<_> = names(&manual).into_iter().filter(odd).collect();
    assert!(
        unknown.iter().all(|name| !name.ends_with("_total")),
        "{unknown:?}"
    );
}

#[test]
fn the_configurations_of_the_manual_are_some() {
    let manual = document("OPERATING.md");
    let blocks: Vec<_> = manual.split("```toml\n").skip(1).collect();
    assert!(!blocks.is_empty());
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("cookie"), "a secret").unwrap();
    fs::write(dir.path().join("token"), "0123456789abcdef").unwrap();
    for block in blocks {
        let (text, _) = block.split_once("```").unwrap();
        let path = dir.path().join("node.toml");
        fs::write(&path, text).unwrap();
        let mut command =
            super::support::shiome(&["node", "--check", "--config", path.to_str().unwrap()]);
        let output = super::support::output(&mut command);
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.success(), "{text}: {error}");
    }
}

/// One request of HTTP/1.0, and all of its answer.
fn http(at: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect(at).unwrap();
    write!(stream, "GET {path} HTTP/1.0\r\nhost: any.example\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn health_and_metrics_are_there_for_all_and_nothing_else_is() {
    let user = User::new();
    let a = user.start(
        "a@127.0.0.1:0",
        &["--http", "127.0.0.1:0", "--drain", "600"],
    );
    let at = address(&a, "a@127.0.0.1");
    let log = a.log("address=tcp://");
    let http_at: SocketAddr = log.split("tcp://").nth(1).unwrap().trim().parse().unwrap();
    let b = user.start("b@127.0.0.1:0", &["--connect", &at]);
    lines_with(&a, &["ready b@127.0.0.1"]);

    for path in ["/healthz", "/readyz"] {
        assert!(http(http_at, path).starts_with("HTTP/1.0 200"), "{path}");
    }
    // They are published one after another: who asks meanwhile sees a part.
    let wanted = [
        "shiome_peer_connected{peer=\"b@127.0.0.1\"} 1",
        "shiome_link_bytes_total",
    ];
    let began = Instant::now();
    loop {
        let metrics = http(http_at, "/metrics");
        if wanted.iter().all(|sample| metrics.contains(sample)) {
            break;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "{metrics}");
    }
    for path in ["/v1/node", "/v1/sessions", "/v1/feed", "/v1/call"] {
        assert!(http(http_at, path).starts_with("HTTP/1.0 404"), "{path}");
    }

    // Told to stop, it is not ready, and goes on for as long as it was told.
    a.signal(Signal::TERM);
    a.log("not ready any more");
    assert!(http(http_at, "/readyz").starts_with("HTTP/1.0 503"));
    assert!(http(http_at, "/healthz").starts_with("HTTP/1.0 200"));
    let sessions = user.json(&["sessions", "--admin", "a"]);
    assert_eq!(sessions[0]["state"], "ready");
    // A second signal is obeyed at once.
    let mut a = a;
    a.signal(Signal::TERM);
    assert_eq!(a.exit().code(), Some(1));
    ends_cleanly(b, Signal::TERM);
}
