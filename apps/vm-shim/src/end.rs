//! Keeping a VM until it ends, and what is left to do then.

use crate::cgroup::Cgroup;
use crate::keeper::Kept;
use crate::proto::journal_entry::Event;
use crate::proto::{LaunchSpec, VmmContinued, VmmExited, VmmStopped};
use crate::server::STACK_BYTES;
use crate::shim::Shim;
use crate::sys::poll;
use crate::vmm::descriptors::remove_sockets;
use crate::{daemon, door, proc, qmp};
use std::fs::File;
use std::io::Read;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{Builder, sleep};
use std::time::{Duration, Instant};

/// How much of the VMM's output is told with its exit.
const TAIL_BYTES: usize = 4 << 10;
/// How long the VMM's last words may take after its end: a child of its may hold the pipe for ever.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// How often an adopted VMM is looked at.
const LOOK_MS: i32 = 500;
/// How long who watches the journal may take to hear of the end.
const FAREWELL: Duration = Duration::from_secs(2);

/// Keeps a VM to its end.
pub fn keep(kept: Kept, report: daemon::Report) {
    let Kept { shim, cgroup, listener, qmp: monitor, stderr, kills_before } = kept;
    let shim = Arc::new(shim);
    let tail = Arc::new(Mutex::new(Vec::new()));
    let serving = Arc::clone(&shim);
    let (close_door, end) = channel();
    let door = background(move || door::keep(&serving, listener, &end));
    let keeping = Arc::clone(&shim);
    let mut endings = vec![background(move || keeping.console.keep())];
    if let Some(monitor) = monitor {
        let hearing = Arc::clone(&shim);
        endings.push(background(move || qmp::listen(&monitor, |event| hearing.record(event))));
    }
    if let Some(stderr) = stderr {
        let tail = Arc::clone(&tail);
        endings.push(background(move || keep_tail(stderr, &tail)));
    }
    report.tell(&format!("ready {}", std::process::id()));
    let ended = if shim.vmm.child { wait_for_child(&shim) } else { wait_for_stranger(&shim) };
    let deadline = Instant::now() + LAST_WORDS;
    for ending in endings {
        let _ = ending.recv_timeout(deadline.saturating_duration_since(Instant::now()));
    }
    let out_of_memory = (!ended.known || ended.signal == libc::SIGKILL) && cgroup.kills() > kills_before;
    let stderr_tail = tail.lock().unwrap_or_else(PoisonError::into_inner).clone();
    shim.record(Event::Exited(VmmExited { out_of_memory, stderr_tail, ..ended }));
    let deadline = Instant::now() + FAREWELL;
    while shim.watchers.load(Ordering::SeqCst) > 0 && Instant::now() < deadline {
        sleep(Duration::from_millis(5));
    }
    drop(close_door);
    let _ = door.recv();
    clean_up(&shim.spec, &cgroup);
}

/// Removes what the shim made outside the instance's folder.
pub fn clean_up(spec: &LaunchSpec, cgroup: &Cgroup) {
    door::remove(spec);
    remove_sockets(spec);
    cgroup.remove();
}

/// Reaps a child that is ending.
pub fn reap(pid: i32) {
    // SAFETY: waitpid with nowhere to write a status.
    unsafe { libc::waitpid(pid, std::ptr::null_mut(), 0) };
}

/// Runs something beside the main thread; the receiver ends when it does.
fn background(work: impl FnOnce() + Send + 'static) -> Receiver<()> {
    let (sender, receiver) = channel();
    let work = move || {
        work();
        drop(sender);
    };
    Builder::new().stack_size(STACK_BYTES).spawn(work).expect("a thread can be made");
    receiver
}

fn wait_for_child(shim: &Shim) -> VmmExited {
    loop {
        // SAFETY: all-zero is a valid siginfo_t, which the kernel fills; its fields are those of a child's change.
        let (result, code, status) = unsafe {
            let mut info: libc::siginfo_t = std::mem::zeroed();
            let what = libc::WEXITED | libc::WSTOPPED | libc::WCONTINUED;
            let result = libc::waitid(libc::P_PID, shim.vmm.started.pid as libc::id_t, &mut info, what);
            (result, info.si_code, info.si_status())
        };
        match (result, code) {
            (-1, _) if std::io::Error::last_os_error().raw_os_error() == Some(libc::EINTR) => {}
            (0, libc::CLD_STOPPED) => shim.record(Event::Stopped(VmmStopped { signal: status })),
            (0, libc::CLD_CONTINUED) => shim.record(Event::Continued(VmmContinued {})),
            (0, libc::CLD_EXITED) => return VmmExited { known: true, code: status, ..Default::default() },
            (0, _) => return VmmExited { known: true, signal: status, ..Default::default() },
            (_, _) => return VmmExited::default(),
        }
    }
}

/// A process that is not a child can be waited for, but tells nobody how it ended; and that a signal holds it is only seen by looking.
fn wait_for_stranger(shim: &Shim) -> VmmExited {
    let mut held = shim.journal.held();
    loop {
        let stopped = proc::is_stopped(shim.vmm.started.pid);
        match (held, stopped) {
            (false, true) => shim.record(Event::Stopped(VmmStopped { signal: libc::SIGSTOP })),
            (true, false) => shim.record(Event::Continued(VmmContinued {})),
            _ => {}
        }
        held = stopped;
        if poll(&shim.vmm.pidfd, libc::POLLIN, LOOK_MS) != 0 {
            return VmmExited::default();
        }
    }
}

fn keep_tail(mut stream: File, tail: &Mutex<Vec<u8>>) {
    let mut buffer = [0; 1 << 10];
    while let Ok(count @ 1..) = stream.read(&mut buffer) {
        let mut tail = tail.lock().unwrap_or_else(PoisonError::into_inner);
        tail.extend(&buffer[..count]);
        let excess = tail.len().saturating_sub(TAIL_BYTES);
        tail.drain(..excess);
    }
}
