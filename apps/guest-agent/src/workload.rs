//! The workload: started, watched, and answered for as `on_exit` says.
//!
//! ```text
//! NONE            RUNNING ──ended──► EXITED ──on_exit 3──► RUNNING …
//!                    ▲                  └─────on_exit 2──► power off
//! (command) ─start───┴──failed──► START_FAILED (then as EXITED)
//! ```

use crate::agent::{Agent, PowerRequest};
use crate::console;
use crate::process::{Child, StartError, Streams, spawn, start};
use crate::proto::{WorkloadState, WorkloadStatus};
use crate::sys::SysError;
use crate::sys::power::PowerAction;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use tokio::time::{sleep, timeout};

/// Values of `GuestConfig.on_exit`.
const STOP: i32 = 2;
const RESTART: i32 = 3;

/// A workload that ran this long starts again at once.
const STEADY: Duration = Duration::from_secs(10);
const FIRST_BACKOFF: Duration = Duration::from_millis(100);
const LONGEST_BACKOFF: Duration = Duration::from_secs(1);

/// How long a machine that ends with its workload waits for somebody to hear the exit code.
const FAREWELL: Duration = Duration::from_secs(5);

/// Runs the workload for as long as `on_exit` wants. Returns at once when there is none.
pub async fn run(agent: &Agent) {
    if agent.workload_program().command.is_empty() {
        return;
    }
    let mut backoff = FIRST_BACKOFF;
    loop {
        let begun = Instant::now();
        once(agent).await;
        if agent.ending.load(Ordering::Relaxed) || agent.config.on_exit != RESTART {
            break;
        }
        backoff = if begun.elapsed() >= STEADY { FIRST_BACKOFF } else { backoff };
        sleep(backoff).await;
        backoff = (backoff * 2).min(LONGEST_BACKOFF);
    }
    if agent.config.on_exit == STOP && !agent.ending.load(Ordering::Relaxed) {
        let _ = timeout(FAREWELL, agent.end_told.notified()).await;
        agent.ask_power(PowerRequest { action: PowerAction::Off, grace: Duration::ZERO });
    }
}

/// Whether a state is an end that a watcher may be waiting for.
pub fn is_end(status: &WorkloadStatus) -> bool {
    matches!(status.state(), WorkloadState::Exited | WorkloadState::StartFailed)
}

async fn once(agent: &Agent) {
    let starts = agent.workload.borrow().starts + 1;
    let set = |status| drop(agent.workload.send_replace(status));
    let child = match launch(agent) {
        Ok(child) => child,
        Err(error) => {
            let text = format!("{}: {error}", error.reason());
            console::say(&format!("the workload could not be started: {text}"));
            set(WorkloadStatus { state: WorkloadState::StartFailed.into(), start_error: text, starts, ..Default::default() });
            return;
        }
    };
    set(WorkloadStatus { state: WorkloadState::Running.into(), pid: child.pid, starts, ..Default::default() });
    let Ok(exit) = child.exit.await else { return };
    console::say(&format!("the workload ended with code {}", exit.code));
    let state = WorkloadState::Exited.into();
    set(WorkloadStatus { state, exit_code: exit.code, signal: exit.signal, starts, ..Default::default() });
}

fn launch(agent: &Agent) -> Result<Child, StartError> {
    let program = agent.workload_program();
    program.check()?;
    let identity = spawn::identity(&program)?;
    let failed = |error| SysError::from_io("open", "/dev/console", error);
    let stdin = File::open("/dev/null").map(OwnedFd::from).map_err(failed)?;
    let (stdout, stderr) = (console::open().map_err(failed)?, console::open().map_err(failed)?);
    start(&program, &identity, &Streams::Three { stdin, stdout, stderr })
}
