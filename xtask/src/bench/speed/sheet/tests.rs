use super::{
    super::{SETS, load::Sample},
    *,
};

fn sheet(figures: &[(Contender, f64)]) -> Sheet {
    let mut sheet = Sheet::new(&SETS[0]);
    let load = &SETS[0].loads[0];
    for (contender, rate) in figures {
        let sample = Sample::from([(Metric::Rate, *rate)]);
        sheet.enter(load, *contender, Ok(sample));
    }
    sheet
}

fn rate_against_published(sheet: &Sheet) -> Row {
    let aims = SETS[0].aims.iter();
    let mut aims = aims.filter(|aim| aim.metric == Metric::Rate && aim.who == Contender::ActorRef);
    sheet.aim_row(aims.next().unwrap())
}

#[test]
fn a_goal_is_judged_by_the_ratio_of_medians() {
    let figures = [100.0, 900.0, 90.0].map(|rate| (Contender::V0_16, rate));
    let mut figures = figures.to_vec();
    figures.push((Contender::ActorRef, 450.0));
    let row = rate_against_published(&sheet(&figures));
    assert_eq!((row.ratio, row.holds), (Some(4.5), Some(true)));
    assert_eq!(row.goal.as_f64(), Some(450.0));
    figures.push((Contender::ActorRef, 449.0));
    figures.push((Contender::ActorRef, 449.0));
    let row = rate_against_published(&sheet(&figures));
    assert_eq!(row.holds, Some(false));
}

#[test]
fn what_was_not_measured_is_not_judged_and_says_so() {
    let mut sheet = sheet(&[(Contender::ActorRef, 450.0)]);
    let problem = Err("does not build".to_owned());
    sheet.enter(&SETS[0].loads[0], Contender::V0_16, problem);
    let row = rate_against_published(&sheet);
    assert_eq!(row.holds, None);
    assert!(row.note.is_some_and(|note| note.contains("does not build")));
    assert!(sheet.is_hopeless(&SETS[0].loads[0], Contender::V0_16));
}

#[test]
fn every_goal_is_about_something_that_is_measured() {
    for set in &SETS {
        for aim in set.aims {
            let load = set.loads.iter().find(|load| load.name == aim.load);
            let load = load.unwrap_or_else(|| panic!("no load {}", aim.load));
            assert!(load.contenders.contains(&aim.who), "{}", aim.name(set.name));
            assert!(load.metrics().contains(&aim.metric));
            if let Than::Times(_, other) = aim.than {
                assert!(load.contenders.contains(&other), "{}", aim.name(set.name));
            }
        }
    }
}

#[test]
fn tables_have_room_for_all_metrics() {
    let loads = SETS.iter().flat_map(|set| set.loads);
    assert!(
        loads
            .map(|load| load.metrics().len())
            .all(|len| len < COLUMNS)
    );
}
