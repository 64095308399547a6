use super::*;
use crate::proto::{GuestReset, VmmContinued, VmmExited, VmmStopped};

fn with_journal(name: &str, test: impl FnOnce(&Path)) {
    let path = std::env::temp_dir().join(format!("berth-journal-{name}-{}", std::process::id()));
    let _ = std::fs::remove_file(&path);
    test(&path);
    std::fs::remove_file(path).unwrap();
}

fn started(pid: i32) -> Event {
    Event::Started(VmmStarted { pid, start_ticks: 5, host_boot_id: "b".into() })
}

fn seqs(journal: &Journal, from: i64) -> Vec<i64> {
    journal.from(from).iter().map(|entry| entry.seq).collect()
}

#[test]
fn numbers_go_on_when_the_journal_is_opened_again() {
    with_journal("again", |path| {
        Journal::open(path).unwrap().append(started(1)).unwrap();
        let journal = Journal::open(path).unwrap();
        journal.append(Event::Reset(GuestReset {})).unwrap();
        assert_eq!(seqs(&journal, 0), [1, 2]);
        assert_eq!(seqs(&journal, 2), [2]);
    });
}

#[test]
fn an_entry_cut_by_a_crash_is_dropped_and_its_number_used_again() {
    with_journal("cut", |path| {
        let journal = Journal::open(path).unwrap();
        journal.append(started(1)).unwrap();
        journal.append(started(2)).unwrap();
        let bytes = std::fs::read(path).unwrap();
        std::fs::write(path, &bytes[..bytes.len() - 3]).unwrap();
        let journal = Journal::open(path).unwrap();
        assert_eq!(journal.seq(), 1);
        journal.append(started(3)).unwrap();
        assert_eq!(seqs(&Journal::open(path).unwrap(), 0), [1, 2]);
    });
}

#[test]
fn a_vmm_runs_from_its_start_to_its_exit() {
    with_journal("running", |path| {
        let journal = Journal::open(path).unwrap();
        assert_eq!(journal.running(), None);
        journal.append(started(1)).unwrap();
        journal.append(Event::Reset(GuestReset {})).unwrap();
        assert_eq!(journal.running().map(|vmm| vmm.pid), Some(1));
        journal.append(Event::Exited(VmmExited::default())).unwrap();
        assert_eq!(journal.running(), None);
    });
}

#[test]
fn a_journal_that_grows_without_end_keeps_its_newest_entries_and_the_last_start() {
    with_journal("grow", |path| {
        let journal = Journal::open(path).unwrap();
        journal.append(started(42)).unwrap();
        let noise = || Event::Exited(VmmExited { stderr_tail: vec![0; 4096], ..Default::default() });
        for _ in 0..100 {
            journal.append(noise()).unwrap();
        }
        assert!(std::fs::metadata(path).unwrap().len() <= LIMIT_BYTES as u64);
        let again = Journal::open(path).unwrap();
        assert_eq!(again.seq(), 101);
        assert!(seqs(&again, 0).starts_with(&[1]));
        assert_eq!(seqs(&again, 0), seqs(&journal, 0));
    });
}

#[test]
fn who_waits_is_told_at_once() {
    with_journal("wait", |path| {
        let journal = Journal::open(path).unwrap();
        std::thread::scope(|scope| {
            let waiter = scope.spawn(|| journal.wait_from(1, Duration::from_secs(10)).len());
            journal.append(started(1)).unwrap();
            assert_eq!(waiter.join().unwrap(), 1);
        });
        assert!(journal.wait_from(2, Duration::from_millis(1)).is_empty());
    });
}

#[test]
fn what_a_signal_holds_is_known_until_it_goes_on_or_another_starts() {
    with_journal("held", |path| {
        let journal = Journal::open(path).unwrap();
        let held_after = |event| {
            journal.append(event).unwrap();
            journal.held()
        };
        assert!(!held_after(started(1)));
        assert!(held_after(Event::Stopped(VmmStopped { signal: libc::SIGSTOP })));
        assert!(held_after(Event::Reset(GuestReset {})));
        assert!(!held_after(Event::Continued(VmmContinued {})));
        assert!(held_after(Event::Stopped(VmmStopped { signal: libc::SIGSTOP })));
        assert!(!held_after(started(2)));
    });
}
