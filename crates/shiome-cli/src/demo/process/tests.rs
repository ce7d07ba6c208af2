use super::*;

fn observed() -> (watch::Sender<Status>, Observer) {
    let (sender, status) = watch::channel(Status::default());
    let observer = Observer {
        label: 'x',
        patience: Patience(1),
        status,
    };
    (sender, observer)
}

#[tokio::test(start_paused = true)]
async fn what_does_not_come_in_time_is_a_failure() {
    let (sender, observer) = observed();
    let peers = ["y@h".to_owned()].into();
    sender.send_modify(|status| status.view.peers = peers);
    let began = tokio::time::Instant::now();
    let deadline = observer.deadline();
    let waited = observer.until("two sessions", deadline, |status| {
        status.view.peers.len() == 2
    });
    let failure = waited.await.unwrap_err();
    assert_eq!(began.elapsed(), deadline);
    assert_eq!(failure.expected, "x: two sessions");
    assert_eq!(
        failure.seen,
        "x: 0 members, sessions [y@h], counters [], after 20 s"
    );
}

#[tokio::test(start_paused = true)]
async fn a_process_that_ends_is_not_waited_for() {
    let (sender, observer) = observed();
    let waiting = tokio::spawn(async move {
        let waited = observer.until("a call", observer.deadline(), |status| {
            status.view.holding == 1
        });
        waited.await.unwrap_err()
    });
    sender.send_modify(|status| status.ended = Some("gone".to_owned()));
    assert_eq!(waiting.await.unwrap().seen, "x: gone");
}
