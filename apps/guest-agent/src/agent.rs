//! What the parts of the agent share.

use crate::process::{Program, env};
use crate::proto::{GuestConfig, WorkloadState, WorkloadStatus};
use crate::sys::power::PowerAction;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};
use std::time::Duration;
use tokio::sync::{Notify, mpsc, watch};

/// A wish to end the machine.
#[derive(Clone, Copy, Debug)]
pub struct PowerRequest {
    /// How it ends.
    pub action: PowerAction,
    /// How long the workload may take.
    pub grace: Duration,
}

/// The agent.
pub struct Agent {
    pub config: GuestConfig,
    /// What went wrong while setting up and was survived.
    pub warnings: Vec<String>,
    /// Since the kernel's start until the agent served.
    pub ready_after: Duration,
    /// State of the workload.
    pub workload: watch::Sender<WorkloadStatus>,
    /// Set once the machine is ending: nothing is started any more.
    pub ending: AtomicBool,
    /// Commands that run for callers.
    pub sessions: AtomicUsize,
    /// Tells that somebody was told the workload's end.
    pub end_told: Notify,
    power: mpsc::Sender<PowerRequest>,
}

impl Agent {
    /// Makes the agent and the queue of wishes to end the machine.
    pub fn new(config: GuestConfig, warnings: Vec<String>) -> (Arc<Self>, mpsc::Receiver<PowerRequest>) {
        let (power, requests) = mpsc::channel(4);
        let none = WorkloadStatus { state: WorkloadState::None.into(), ..Default::default() };
        let agent = Self {
            config,
            warnings,
            ready_after: since_boot(),
            workload: watch::Sender::new(none),
            ending: AtomicBool::new(false),
            sessions: AtomicUsize::new(0),
            end_told: Notify::new(),
            power,
        };
        (Arc::new(agent), requests)
    }

    /// Asks for the machine's end. One wish is enough, so more than the queue holds are dropped.
    pub fn ask_power(&self, request: PowerRequest) {
        let _ = self.power.try_send(request);
    }

    /// The workload as a program, without its command when there is none.
    pub fn workload_program(&self) -> Program {
        let workload = self.config.workload.clone().unwrap_or_default();
        let name = Some(self.config.hostname.as_str()).filter(|name| !name.is_empty());
        let defaults: Vec<_> = name.map(|name| ("HOSTNAME", name)).into_iter().collect();
        Program {
            command: workload.command,
            env: env::complete(&workload.env, &defaults),
            user: workload.user,
            working_dir: workload.working_dir,
            make_working_dir: true,
        }
    }
}

fn since_boot() -> Duration {
    let mut time = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: clock_gettime writes one timespec.
    unsafe { libc::clock_gettime(libc::CLOCK_BOOTTIME, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
