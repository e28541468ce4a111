//! Whose turn it is, played through without a server.

use super::*;

const TWO: Limits = Limits { sync_workers: 2, builders: 2 };

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// What comes out: (worker, database) of those started, numbers of those asked.
fn step(turns: &mut Turns, limits: Limits, now: u64) -> (Vec<(u64, u32)>, Vec<u64>) {
    let (mut started, mut asked) = (Vec::new(), Vec::new());
    for action in turns.next(limits, ms(now)).0 {
        match action {
            Action::Start { worker, database, .. } => started.push((worker, database)),
            Action::Ask(worker) => asked.push(worker),
        }
    }
    (started, asked)
}

fn leave(turns: &mut Turns, worker: u64, looked_at: u64, again: Option<Duration>, now: u64) {
    turns.goodbye(worker, ms(looked_at), again, true, ms(now));
    turns.ended(worker, ms(now));
}

#[test]
fn idle_workers_make_room_at_once_and_all_databases_are_served() {
    let mut turns = Turns::default();
    for database in 1..=15 {
        assert!(turns.wake(database, ms(0)).is_empty());
    }
    let (mut running, asked) = step(&mut turns, TWO, 0);
    assert_eq!((running.len(), asked.len()), (2, 0));
    let mut served = HashSet::new();
    for now in 1..30 {
        for (worker, database) in std::mem::take(&mut running) {
            served.insert(database);
            turns.idle(worker);
            let (started, asked) = step(&mut turns, TWO, now);
            running.extend(started);
            if asked.contains(&worker) {
                leave(&mut turns, worker, now, None, now);
            }
        }
    }
    assert_eq!(served.len(), 15, "without waiting for any time to pass");
}

#[test]
fn who_has_just_got_work_takes_the_place_of_who_works_for_long() {
    let mut turns = Turns::default();
    turns.more(1, ms(0));
    turns.more(1, ms(0));
    let (started, _) = step(&mut turns, TWO, 0);
    assert_eq!(started.len(), 1);
    turns.more(1, ms(10));
    let (second, _) = step(&mut turns, TWO, 10);
    assert_eq!(second.len(), 1, "more work than one can do, and nobody else waits");
    turns.wake(2, ms(400));
    assert_eq!(step(&mut turns, TWO, 400), (vec![], vec![]), "it has only begun");
    let (newcomer, asked) = step(&mut turns, TWO, 600);
    assert_eq!((newcomer[0].1, asked.len()), (2, 1), "and is not waited for");
    leave(&mut turns, asked[0], 700, Some(Duration::ZERO), 700);
    assert_eq!(step(&mut turns, TWO, 700), (vec![], vec![]), "its database has another");
}

#[test]
fn long_work_takes_turns() {
    let one = Limits { sync_workers: 1, builders: 1 };
    let mut turns = Turns::default();
    turns.wake(1, ms(0));
    turns.wake(2, ms(0));
    let (started, _) = step(&mut turns, one, 0);
    let mut worker = started[0];
    let mut order = vec![worker.1];
    let mut now = 0;
    while order.len() < 4 {
        now += 100;
        let (started, asked) = step(&mut turns, one, now);
        if let [next] = started[..] {
            assert_eq!(asked, [worker.0]);
            leave(&mut turns, worker.0, now, Some(Duration::ZERO), now);
            order.push(next.1);
            worker = next;
        }
    }
    assert_eq!(order, [1, 2, 1, 2]);
    assert!((4_000..6_000).contains(&now), "{now}");
}

#[test]
fn who_is_held_up_or_does_not_leave_is_replaced_but_not_without_end() {
    let mut turns = Turns::default();
    for database in 1..=9 {
        turns.wake(database, ms(0));
    }
    let mut all = Vec::new();
    for now in [0, 700, 1_400, 2_100, 2_800, 3_500] {
        let (started, _) = step(&mut turns, TWO, now);
        started.iter().for_each(|(worker, _)| turns.slow(*worker));
        all.extend(started);
    }
    assert_eq!(all.len(), 4, "two more than the setting says");
    turns.back(all[0].0);
    assert_eq!(
        step(&mut turns, TWO, 4_000),
        (vec![], vec![all[0].0]),
        "one more that does its share is one too many as it is, and is asked to make room"
    );
    leave(&mut turns, all[1].0, 4_100, None, 4_100);
    leave(&mut turns, all[2].0, 4_100, None, 4_100);
    let (started, asked) = step(&mut turns, TWO, 4_100);
    assert_eq!((started.len(), asked), (2, vec![]), "one that is held up and one that was asked to leave do not count");
}

#[test]
fn the_same_database_goes_on_beside_a_worker_that_is_held_up() {
    let mut turns = Turns::default();
    turns.wake(1, ms(0));
    let (first, _) = step(&mut turns, TWO, 0);
    turns.slow(first[0].0);
    let (second, _) = step(&mut turns, TWO, 10);
    assert_eq!(second[0].1, 1);
    turns.slow(second[0].0);
    let (third, _) = step(&mut turns, TWO, 20);
    assert_eq!(third[0].1, 1);
    assert_eq!(turns.wake(1, ms(30)).len(), 3);
    assert!(step(&mut turns, TWO, 40).0.is_empty());
}

#[test]
fn who_ends_without_a_word_is_replaced_ever_more_slowly() {
    let mut turns = Turns::default();
    turns.wake(1, ms(0));
    let mut now = 0;
    let mut gaps = Vec::new();
    for _ in 0..12 {
        let ended = now;
        let worker = loop {
            if let (started, _) = step(&mut turns, TWO, now)
                && let [(worker, 1)] = started[..]
            {
                break worker;
            }
            now += 100;
        };
        gaps.push(now - ended);
        turns.ended(worker, ms(now));
    }
    assert_eq!(gaps[..5], [0, 500, 1_000, 2_000, 4_000]);
    assert_eq!(gaps[11], 300_000);
    let (started, _) = step(&mut turns, TWO, now + 300_000);
    turns.ended(started[0].0, ms(now + 400_000));
    assert_eq!(step(&mut turns, TWO, now + 400_500).0.len(), 1, "one that lived has failed for another reason");
}

#[test]
fn what_nobody_has_seen_is_looked_at_and_what_waits_comes_back_in_time() {
    let mut turns = Turns::default();
    turns.wake(1, ms(0));
    let (started, _) = step(&mut turns, TWO, 0);
    assert_eq!(turns.wake(1, ms(50)), [started[0].0]);
    leave(&mut turns, started[0].0, 40, None, 60);
    let (again, _) = step(&mut turns, TWO, 60);
    assert_eq!(again.len(), 1, "woken after it had looked for the last time");
    leave(&mut turns, again[0].0, 100, Some(ms(5_000)), 110);
    assert!(step(&mut turns, TWO, 5_000).0.is_empty());
    assert_eq!(step(&mut turns, TWO, 5_110).0.len(), 1);
    // Nothing was to be done: not a thousand workers a second.
    let mut turns = Turns::default();
    turns.wake(1, ms(0));
    let (started, _) = step(&mut turns, TWO, 0);
    turns.goodbye(started[0].0, ms(10), None, false, ms(10));
    turns.wake(1, ms(20));
    assert!(step(&mut turns, TWO, 20).0.is_empty());
    assert_eq!(step(&mut turns, TWO, 520).0.len(), 1);
}

#[test]
fn builds_count_for_themselves_and_have_somebody_beside_them() {
    let one = Limits { sync_workers: 1, builders: 2 };
    let mut turns = Turns::default();
    turns.wake(1, ms(0));
    let (sync, _) = step(&mut turns, one, 0);
    turns.build(1, 100);
    turns.build(1, 100);
    turns.build(1, 101);
    turns.build(2, 200);
    let (started, _) = step(&mut turns, one, 10);
    assert_eq!(
        started.iter().map(|(_, database)| *database).collect::<Vec<_>>(),
        [1, 2, 2],
        "each database in turn, and a worker for 2"
    );
    // The one that watches over the build stays, and keeps nobody from anything.
    turns.wake(3, ms(20));
    let (third, asked) = step(&mut turns, one, 5_000);
    assert_eq!((third[0].1, asked), (3, vec![]));
    assert!(turns.workers().any(|worker| worker == sync[0].0));
    // One that gives up has more time the next time.
    let builder = started[0].0;
    turns.ended(builder, ms(40_000));
    turns.build(1, 100);
    let again = turns.next(one, ms(40_000)).0;
    let patience = |action: &Action| {
        if let Action::Start { patience, task: Task::Build(101), .. } = action { Some(*patience) } else { None }
    };
    assert_eq!(again.iter().find_map(patience), Some(PATIENCE), "the other corpus first");
    turns.ended(started[1].0, ms(50_000));
    let again = turns.next(one, ms(50_000)).0;
    assert!(again.iter().any(
        |action| matches!(action, Action::Start { patience, task: Task::Build(100), .. } if *patience == PATIENCE * 8)
    ));
}

#[test]
fn none_is_started_where_the_setting_says_none_or_the_database_is_gone() {
    let none = Limits { sync_workers: 0, builders: 2 };
    let mut turns = Turns::default();
    turns.wake(1, ms(0));
    turns.build(1, 100);
    assert_eq!(step(&mut turns, none, 0), (vec![], vec![]));
    let (started, _) = step(&mut turns, TWO, 10);
    assert_eq!(started.len(), 2);
    assert_eq!(step(&mut turns, none, 20).1.len(), 0, "its build is under way");
    turns.ended(started[0].0, ms(30));
    turns.not_started(started[1].0);
    turns.forget(1);
    assert_eq!(step(&mut turns, TWO, 10_000), (vec![], vec![]));
    turns.wake(2, ms(10_000));
    step(&mut turns, TWO, 10_000);
    assert_eq!(step(&mut turns, none, 10_010).1.len(), 1, "the setting was lowered");
}
