//! The one waiter: PID 1 inherits every orphan of the guest, so nobody else may wait.

use super::StartError;
use crate::sys::SysError;
use std::collections::HashMap;
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use tokio::sync::oneshot;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Exit code; 128 + n after signal n.
    pub code: i32,
    /// Signal it died of; 0: none.
    pub signal: i32,
}

/// A process that the agent started.
pub struct Child {
    pub pid: i32,
    /// Resolves once it has ended.
    pub exit: oneshot::Receiver<Exit>,
}

#[derive(Default)]
struct Reaper {
    expected: Mutex<HashMap<i32, oneshot::Sender<Exit>>>,
    started: Condvar,
}

static REAPER: LazyLock<Reaper> = LazyLock::new(Reaper::default);

/// Starts the waiter's thread; once.
pub fn run() {
    std::thread::Builder::new().name("reaper".into()).stack_size(64 << 10).spawn(wait_for_ever).expect("the first thread can be made");
}

/// Forks by `fork` and remembers the child before anybody can reap it.
pub fn expect(fork: impl FnOnce() -> Result<i32, SysError>) -> Result<Child, StartError> {
    let mut expected = lock();
    let pid = fork()?;
    let (sender, exit) = oneshot::channel();
    expected.insert(pid, sender);
    REAPER.started.notify_one();
    Ok(Child { pid, exit })
}

/// Signals the process group of a child. The group's number stays taken while one of its members lives.
pub fn signal_group(pid: i32, signal: i32) {
    // SAFETY: kill takes numbers.
    unsafe { libc::kill(-pid, signal) };
}

/// Signals a child, unless it has been reaped.
pub fn signal_child(pid: i32, signal: i32) {
    if lock().contains_key(&pid) {
        // SAFETY: kill takes numbers; the entry is removed under the same lock before the pid is free for another process.
        unsafe { libc::kill(pid, signal) };
    }
}

fn lock() -> MutexGuard<'static, HashMap<i32, oneshot::Sender<Exit>>> {
    REAPER.expected.lock().unwrap_or_else(PoisonError::into_inner)
}

fn wait_for_ever() {
    loop {
        // SAFETY: all-zero is a valid siginfo_t, which the kernel fills; WNOWAIT leaves the zombie to be reaped under the lock.
        let (result, pid) = unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let result = libc::waitid(libc::P_ALL, 0, &mut info, libc::WEXITED | libc::WNOWAIT);
            (result, info.si_pid())
        };
        if result == 0 {
            reap(pid);
            continue;
        }
        // Without a child there can be no orphan either: all of them descend from children.
        let expected = lock();
        if expected.is_empty() {
            drop(REAPER.started.wait(expected).unwrap_or_else(PoisonError::into_inner));
        }
    }
}

fn reap(pid: i32) {
    let mut expected = lock();
    let mut status = 0;
    // SAFETY: waitpid writes one int; the pid is a zombie of ours.
    if unsafe { libc::waitpid(pid, &mut status, 0) } != pid {
        return;
    }
    if let Some(sender) = expected.remove(&pid) {
        // The receiver may have lost interest.
        let _ = sender.send(decode(status));
    }
}

fn decode(status: i32) -> Exit {
    if libc::WIFSIGNALED(status) {
        let signal = libc::WTERMSIG(status);
        Exit { code: 128 + signal, signal }
    } else {
        Exit { code: libc::WEXITSTATUS(status), signal: 0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signal_counts_from_128() {
        assert_eq!(decode(3 << 8), Exit { code: 3, signal: 0 });
        assert_eq!(decode(9), Exit { code: 137, signal: 9 });
    }
}
