use super::*;

fn happened(timeline: &mut Timeline, count: usize) {
    for _ in 0..count {
        timeline.take(EventView::default());
    }
}

#[test]
fn the_last_events_are_remembered_with_their_numbers() {
    let feed = Feed::default();
    happened(&mut lock(&feed.timeline), MAX_TIMELINE + 3);
    let all = feed.timeline(0);
    assert_eq!((all.len(), all[0].number), (MAX_TIMELINE, 4));
    let last = feed.timeline(MAX_TIMELINE as u64 + 2);
    assert_eq!(last.len(), 1);
    // A number of an earlier run.
    assert_eq!(feed.timeline(u64::MAX).len(), MAX_TIMELINE);
}

#[tokio::test]
async fn nothing_is_missed_between_what_was_and_what_comes() {
    let feed = Feed::default();
    happened(&mut lock(&feed.timeline), 2);
    let (past, mut live) = feed.follow(1);
    happened(&mut lock(&feed.timeline), 1);
    assert_eq!(past.iter().map(|e| e.number).collect::<Vec<_>>(), [2]);
    assert_eq!(live.recv().await.unwrap().number, 3);
    lock(&feed.timeline).sender = None;
    assert!(live.recv().await.is_err());
}

#[test]
fn there_are_no_more_feeds_than_may_be() {
    let readers = Arc::default();
    let mut there: Vec<_> = (0..MAX_FEEDS).map(|_| Reader::enter(&readers)).collect();
    assert!(there.iter().all(Option::is_some));
    assert!(Reader::enter(&readers).is_none());
    there.pop();
    assert!(Reader::enter(&readers).is_some());
}
