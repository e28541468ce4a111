//! Scheduling scenarios, run without a server.

use super::corpus_tasks::FIRST_MAX_WAIT;
use super::*;

const TWO: Limits = Limits { sync_workers: 2, builders: 2, clearers: 2 };

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

/// The resulting actions: (worker, database) of each start, and the numbers of workers asked to exit.
fn step(queue: &mut FairQueue, limits: Limits, now: u64) -> (Vec<(u64, u32)>, Vec<u64>) {
    let (mut started, mut asked) = (Vec::new(), Vec::new());
    for action in queue.next_actions(limits, ms(now)).0 {
        match action {
            Action::Start { worker, database, .. } => started.push((worker, database)),
            Action::RequestExit(worker) => asked.push(worker),
        }
    }
    (started, asked)
}

fn leave(queue: &mut FairQueue, worker: u64, last_checked_at: u64, again: Option<Duration>, now: u64) {
    queue.worker_leaving(worker, ms(last_checked_at), again, true, ms(now));
    queue.worker_ended(worker, ms(now));
}

#[test]
fn idle_workers_make_room_at_once_and_all_databases_are_served() {
    let mut queue = FairQueue::default();
    for database in 1..=15 {
        assert!(queue.work_available(database, ms(0)).is_empty());
    }
    let (mut running, asked) = step(&mut queue, TWO, 0);
    assert_eq!((running.len(), asked.len()), (2, 0));
    let mut served = HashSet::new();
    for now in 1..30 {
        for (worker, database) in std::mem::take(&mut running) {
            served.insert(database);
            queue.worker_idle(worker);
            let (started, asked) = step(&mut queue, TWO, now);
            running.extend(started);
            if asked.contains(&worker) {
                leave(&mut queue, worker, now, None, now);
            }
        }
    }
    assert_eq!(served.len(), 15, "without waiting for any time to pass");
}

#[test]
fn who_has_just_got_work_takes_the_place_of_who_works_for_long() {
    let mut queue = FairQueue::default();
    queue.needs_second_worker(1, ms(0));
    queue.needs_second_worker(1, ms(0));
    let (started, _) = step(&mut queue, TWO, 0);
    assert_eq!(started.len(), 1);
    queue.needs_second_worker(1, ms(10));
    let (second, _) = step(&mut queue, TWO, 10);
    assert_eq!(second.len(), 1, "more work than one can do, and nobody else waits");
    queue.work_available(2, ms(400));
    assert_eq!(step(&mut queue, TWO, 400), (vec![], vec![]), "it has only begun");
    let (newcomer, asked) = step(&mut queue, TWO, 600);
    assert_eq!((newcomer[0].1, asked.len()), (2, 1), "and is not waited for");
    leave(&mut queue, asked[0], 700, Some(Duration::ZERO), 700);
    assert_eq!(step(&mut queue, TWO, 700), (vec![], vec![]), "its database has another");
}

#[test]
fn long_work_takes_turns() {
    let one = Limits { sync_workers: 1, builders: 1, clearers: 1 };
    let mut queue = FairQueue::default();
    queue.work_available(1, ms(0));
    queue.work_available(2, ms(0));
    let (started, _) = step(&mut queue, one, 0);
    let mut worker = started[0];
    let mut order = vec![worker.1];
    let mut now = 0;
    while order.len() < 4 {
        now += 100;
        let (started, asked) = step(&mut queue, one, now);
        if let [next] = started[..] {
            assert_eq!(asked, [worker.0]);
            leave(&mut queue, worker.0, now, Some(Duration::ZERO), now);
            order.push(next.1);
            worker = next;
        }
    }
    assert_eq!(order, [1, 2, 1, 2]);
    assert!((4_000..6_000).contains(&now), "{now}");
}

#[test]
fn who_is_held_up_or_does_not_leave_is_replaced_but_not_without_end() {
    let mut queue = FairQueue::default();
    for database in 1..=9 {
        queue.work_available(database, ms(0));
    }
    let mut all = Vec::new();
    for now in [0, 700, 1_400, 2_100, 2_800, 3_500] {
        let (started, _) = step(&mut queue, TWO, now);
        started.iter().for_each(|(worker, _)| queue.worker_blocked(*worker));
        all.extend(started);
    }
    assert_eq!(all.len(), 4, "two more than the setting says");
    queue.worker_unblocked(all[0].0);
    assert_eq!(
        step(&mut queue, TWO, 4_000),
        (vec![], vec![all[0].0]),
        "one more that does its share is one too many as it is, and is asked to make room"
    );
    leave(&mut queue, all[1].0, 4_100, None, 4_100);
    leave(&mut queue, all[2].0, 4_100, None, 4_100);
    let (started, asked) = step(&mut queue, TWO, 4_100);
    assert_eq!((started.len(), asked), (2, vec![]), "one that is held up and one that was asked to leave do not count");
}

#[test]
fn the_same_database_goes_on_beside_a_worker_that_is_held_up() {
    let mut queue = FairQueue::default();
    queue.work_available(1, ms(0));
    let (first, _) = step(&mut queue, TWO, 0);
    queue.worker_blocked(first[0].0);
    let (second, _) = step(&mut queue, TWO, 10);
    assert_eq!(second[0].1, 1);
    queue.worker_blocked(second[0].0);
    let (third, _) = step(&mut queue, TWO, 20);
    assert_eq!(third[0].1, 1);
    assert_eq!(queue.work_available(1, ms(30)).len(), 3);
    assert!(step(&mut queue, TWO, 40).0.is_empty());
}

#[test]
fn who_ends_without_a_word_is_replaced_ever_more_slowly() {
    let mut queue = FairQueue::default();
    queue.work_available(1, ms(0));
    let mut now = 0;
    let mut gaps = Vec::new();
    for _ in 0..12 {
        let ended = now;
        let worker = loop {
            if let (started, _) = step(&mut queue, TWO, now)
                && let [(worker, 1)] = started[..]
            {
                break worker;
            }
            now += 100;
        };
        gaps.push(now - ended);
        queue.worker_ended(worker, ms(now));
    }
    assert_eq!(gaps[..5], [0, 500, 1_000, 2_000, 4_000]);
    assert_eq!(gaps[11], 300_000);
    let (started, _) = step(&mut queue, TWO, now + 300_000);
    queue.worker_ended(started[0].0, ms(now + 400_000));
    assert_eq!(step(&mut queue, TWO, now + 400_500).0.len(), 1, "one that lived has failed for another reason");
}

#[test]
fn what_nobody_has_seen_is_looked_at_and_what_waits_comes_back_in_time() {
    let mut queue = FairQueue::default();
    queue.work_available(1, ms(0));
    let (started, _) = step(&mut queue, TWO, 0);
    assert_eq!(queue.work_available(1, ms(50)), [started[0].0]);
    leave(&mut queue, started[0].0, 40, None, 60);
    let (again, _) = step(&mut queue, TWO, 60);
    assert_eq!(again.len(), 1, "woken after it had looked for the last time");
    leave(&mut queue, again[0].0, 100, Some(ms(5_000)), 110);
    assert!(step(&mut queue, TWO, 5_000).0.is_empty());
    assert_eq!(step(&mut queue, TWO, 5_110).0.len(), 1);
    // Nothing was to be done: not a thousand workers a second.
    let mut queue = FairQueue::default();
    queue.work_available(1, ms(0));
    let (started, _) = step(&mut queue, TWO, 0);
    queue.worker_leaving(started[0].0, ms(10), None, false, ms(10));
    queue.work_available(1, ms(20));
    assert!(step(&mut queue, TWO, 20).0.is_empty());
    assert_eq!(step(&mut queue, TWO, 520).0.len(), 1);
}

#[test]
fn builds_count_for_themselves_and_have_somebody_beside_them() {
    let one = Limits { sync_workers: 1, builders: 2, clearers: 2 };
    let mut queue = FairQueue::default();
    queue.work_available(1, ms(0));
    let (sync, _) = step(&mut queue, one, 0);
    queue.task_wanted(1, Task::Build(100));
    queue.task_wanted(1, Task::Build(100));
    queue.task_wanted(1, Task::Build(101));
    queue.task_wanted(2, Task::Build(200));
    let (started, _) = step(&mut queue, one, 10);
    assert_eq!(
        started.iter().map(|(_, database)| *database).collect::<Vec<_>>(),
        [1, 2, 2],
        "each database in turn, and a worker for 2"
    );
    // The worker beside the build stays, and takes no slot from other databases.
    queue.work_available(3, ms(20));
    let (third, asked) = step(&mut queue, one, 5_000);
    assert_eq!((third[0].1, asked), (3, vec![]));
    assert!(queue.workers().any(|worker| worker == sync[0].0));
    // One that gives up has more time the next time.
    let builder = started[0].0;
    queue.worker_ended(builder, ms(40_000));
    queue.task_wanted(1, Task::Build(100));
    let again = queue.next_actions(one, ms(40_000)).0;
    let max_wait = |action: &Action| {
        if let Action::Start { max_wait, task: Task::Build(101), .. } = action { Some(*max_wait) } else { None }
    };
    assert_eq!(again.iter().find_map(max_wait), Some(FIRST_MAX_WAIT), "the other corpus first");
    queue.worker_ended(started[1].0, ms(50_000));
    let again = queue.next_actions(one, ms(50_000)).0;
    assert!(again.iter().any(
        |action| matches!(action, Action::Start { max_wait, task: Task::Build(100), .. } if *max_wait == FIRST_MAX_WAIT * 8)
    ));
}

#[test]
fn none_is_started_where_the_setting_says_none_or_the_database_is_gone() {
    let none = Limits { sync_workers: 0, builders: 2, clearers: 2 };
    let mut queue = FairQueue::default();
    queue.work_available(1, ms(0));
    queue.task_wanted(1, Task::Build(100));
    assert_eq!(step(&mut queue, none, 0), (vec![], vec![]));
    let (started, _) = step(&mut queue, TWO, 10);
    assert_eq!(started.len(), 2);
    assert_eq!(step(&mut queue, none, 20).1.len(), 0, "its build is under way");
    queue.worker_ended(started[0].0, ms(30));
    queue.worker_not_started(started[1].0);
    queue.remove_database(1);
    assert_eq!(step(&mut queue, TWO, 10_000), (vec![], vec![]));
    queue.work_available(2, ms(10_000));
    step(&mut queue, TWO, 10_000);
    assert_eq!(step(&mut queue, none, 10_010).1.len(), 1, "the setting was lowered");
}

#[test]
fn a_task_that_fails_delays_neither_other_corpora_nor_other_tasks() {
    let one = Limits { sync_workers: 1, builders: 1, clearers: 1 };
    let mut queue = FairQueue::default();
    let begun = |queue: &mut FairQueue, now: u64| -> Vec<(u64, Task)> {
        let actions = queue.next_actions(one, ms(now)).0.into_iter();
        let task = |action| match action {
            Action::Start { worker, task, .. } if task != Task::Sync => Some((worker, task)),
            _ => None,
        };
        actions.filter_map(task).collect()
    };
    queue.task_wanted(1, Task::Build(100));
    let build = begun(&mut queue, 0);
    // It fails again and again, and is tried ever more slowly.
    queue.worker_ended(build[0].0, ms(0));
    let mut now = 0;
    for _ in 0..5 {
        queue.task_wanted(1, Task::Build(100));
        now += 20_000;
        let again = begun(&mut queue, now);
        assert_eq!(again[0].1, Task::Build(100));
        queue.worker_ended(again[0].0, ms(now));
    }
    queue.task_wanted(1, Task::Build(100));
    assert_eq!(begun(&mut queue, now), []);
    queue.task_wanted(1, Task::Build(101));
    queue.task_wanted(1, Task::Clear(100));
    let others = begun(&mut queue, now);
    assert_eq!(others.iter().map(|(_, task)| *task).collect::<Vec<_>>(), [Task::Build(101), Task::Clear(100)]);
    // However long the build takes, and however often erasures are cleared away: each is at once.
    let mut clearing = others[1].0;
    for turn in 0..20 {
        queue.worker_leaving(clearing, ms(now), None, true, ms(now));
        queue.worker_ended(clearing, ms(now));
        queue.task_wanted(1, Task::Clear(100));
        let again = begun(&mut queue, now);
        assert_eq!(again.iter().map(|(_, task)| *task).collect::<Vec<_>>(), [Task::Clear(100)], "turn {turn}");
        clearing = again[0].0;
    }
}

#[test]
fn a_database_is_looked_at_again_once_and_not_beside_a_worker_of_its_own() {
    let mut queue = FairQueue::default();
    for now in [0, 100, 200] {
        queue.work_available(1, ms(now));
        let (started, _) = step(&mut queue, TWO, now);
        leave(&mut queue, started[0].0, now + 1, Some(ms(300_000)), now + 1);
    }
    queue.work_available(1, ms(299_000));
    let (working, _) = step(&mut queue, TWO, 299_000);
    assert_eq!(step(&mut queue, TWO, 300_300), (vec![], vec![]), "it is there and looks");
    leave(&mut queue, working[0].0, 300_400, Some(ms(300_000)), 300_400);
    assert_eq!(step(&mut queue, TWO, 600_399), (vec![], vec![]));
    let (again, _) = step(&mut queue, TWO, 600_400);
    assert_eq!(again.len(), 1);
    leave(&mut queue, again[0].0, 600_500, None, 600_500);
    assert_eq!(step(&mut queue, TWO, 2_000_000), (vec![], vec![]), "nothing of socle is there any more");
}
