//! What the shim's threads share.

use crate::console::Console;
use crate::journal::Journal;
use crate::proc;
use crate::proto::journal_entry::Event;
use crate::proto::{LaunchSpec, ShimState, VmmStarted};
use crate::sys::{SysError, signal};
use std::os::fd::OwnedFd;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering};

/// Version of the socket's protocol.
pub const PROTOCOL: i32 = 1;

/// The VMM.
pub struct Vmm {
    pub started: VmmStarted,
    pub pidfd: OwnedFd,
    /// Whether it is this shim's child.
    pub child: bool,
}

/// The shim.
pub struct Shim {
    pub spec: LaunchSpec,
    pub journal: Journal,
    pub console: Console,
    pub vmm: Vmm,
    /// The highest epoch that a command carried.
    epoch: AtomicI64,
    /// Set once the VMM has ended.
    pub ended: AtomicBool,
    /// Clients that wait for the journal's end.
    pub watchers: AtomicUsize,
    journalling: Mutex<()>,
}

impl Shim {
    pub fn new(spec: LaunchSpec, journal: Journal, console: Console, vmm: Vmm) -> Self {
        let epoch = AtomicI64::new(spec.epoch);
        Self { spec, journal, console, vmm, epoch, ended: false.into(), watchers: 0.into(), journalling: Mutex::new(()) }
    }

    /// Takes a command's epoch; false when a higher one was seen.
    pub fn admits(&self, epoch: i64) -> bool {
        self.epoch.fetch_max(epoch, Ordering::Relaxed) <= epoch
    }

    /// Adds to the journal. After the VMM's exit nothing is added: the exit is the last word.
    pub fn record(&self, event: Event) {
        let _order = self.journalling.lock().unwrap_or_else(PoisonError::into_inner);
        if self.ended.load(Ordering::Relaxed) {
            return;
        }
        if matches!(event, Event::Exited(_)) {
            self.ended.store(true, Ordering::Relaxed);
        }
        // A full disk must not end a VM; what is not written is missed by who reads the file, and known to who watches.
        let _ = self.journal.append(event);
    }

    /// Signals the VMM; none when it has ended.
    pub fn signal(&self, number: i32) -> Option<Result<(), SysError>> {
        (!self.ended.load(Ordering::Relaxed)).then(|| signal(&self.vmm.pidfd, number))
    }

    /// How everything stands.
    pub fn state(&self) -> ShimState {
        let ended = self.ended.load(Ordering::Relaxed);
        let started = &self.vmm.started;
        let (console_start, console_end) = self.console.range();
        ShimState {
            protocol: PROTOCOL,
            version: env!("CARGO_PKG_VERSION").into(),
            instance_id: self.spec.instance_id.clone(),
            shim_pid: std::process::id() as i32,
            vmm_pid: if ended { 0 } else { started.pid },
            vmm_start_ticks: if ended { 0 } else { started.start_ticks },
            host_boot_id: started.host_boot_id.clone(),
            epoch: self.epoch.load(Ordering::Relaxed),
            child: self.vmm.child,
            stopped: !ended && proc::is_stopped(started.pid),
            journal_seq: self.journal.seq(),
            console_start: console_start as i64,
            console_end: console_end as i64,
        }
    }
}
