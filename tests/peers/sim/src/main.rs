mod foca;
use shiome_sim::{time::*, *};
fn main() {
    let n: u32 = std::env::args().nth(1).unwrap().parse().unwrap();
    let loss: f64 = std::env::args().nth(2).unwrap().parse().unwrap();
    for seed in 0..5 {
        let t0 = std::time::Instant::now();
        let mut w = World::new(&foca::FocaKind::LAN, n, Conditions::lossy(loss), seed);
        w.fill(n);
        let filled = t0.elapsed();
        w.run_for(5 * SECOND);
        let b0 = w.total_traffic();
        w.run_for(10 * SECOND);
        let b = w.total_traffic().bytes - b0.bytes;
        w.ledger_mut().watch(7);
        w.crash(7);
        let at = w.now();
        let all = w.run_until_done(at + 200 * SECOND, |l| l.known_by(7) == 0);
        let first = w
            .ledger()
            .sightings()
            .iter()
            .find(|s| s.what == Belief::Down)
            .map(|s| as_seconds(s.at - at));
        println!(
            "{seed} first {first:?} all {:?} B/s {} events {} fp {} hash {:x} fill {filled:?} wall {:?} {:?}",
            all.map(|t| as_seconds(t - at)),
            b / 10 / u64::from(n),
            w.events(),
            w.ledger().counts.false_positives,
            w.fingerprint(),
            t0.elapsed(),
            w.check_views()
        );
    }
}
