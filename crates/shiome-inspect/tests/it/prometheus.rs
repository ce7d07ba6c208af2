use hyper::StatusCode;
use shiome_inspect::{Inspect, metrics::Prometheus};

use super::support::{Server, get, node};

/// The only test here that installs the recorder of the process.
#[tokio::test]
async fn prometheus_reads_what_the_node_and_the_server_are_at() {
    let prometheus = Prometheus::install().unwrap();
    assert!(Prometheus::install().is_err());
    let (a, b) = (node("prom-a").await, node("prom-b").await);
    a.connect(b.local_addr()).await.unwrap();
    let inspect = Inspect::new(a.inspect());
    let router = inspect.router().merge(prometheus.router());
    let server = Server::start("tcp://127.0.0.1:0", router, inspect.refusals()).await;
    let mut client = server.client().await;
    let connected = format!("shiome_peer_connected{{peer=\"{}\"}} 1", b.name());
    // They are published one after another: who asks meanwhile sees a part.
    let wanted = [
        &*connected,
        "shiome_http_refused_total",
        "# TYPE shiome_lane_bytes_total counter",
        "# HELP shiome_node_sessions authenticated sessions",
    ];
    let text = loop {
        let (status, text) = client.ask(get("/metrics")).await;
        assert_eq!(status, StatusCode::OK);
        if wanted.iter().all(|sample| text.contains(sample)) {
            break text;
        }
        tokio::task::yield_now().await;
    };
    assert!(!text.contains("shiome_bus_"), "there is no bus");
}
