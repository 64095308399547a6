//! The machine's end, whoever asks for it: the host, the power button, or an init command of the image.

use crate::agent::{Agent, PowerRequest};
use crate::console;
use crate::process::reaper;
use crate::proto::{WorkloadState, WorkloadStatus};
use crate::sys::io::{AsyncFile, watched};
use crate::sys::power::{PowerAction, freeze, reboot, signal_all, sync};
use crate::sys::{input, signal};
use std::fs::File;
use std::os::fd::OwnedFd;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// How long the workload may take when nobody said.
pub const DEFAULT_GRACE: Duration = Duration::from_secs(5);

/// Between the wish and its consequences: the answer to who asked is still on its way.
const ANSWER_TIME: Duration = Duration::from_millis(100);

/// Waits for the first wish to end the machine and fulfils it; a later, shorter grace period cuts the first one's short.
pub async fn run(agent: &Agent, mut requests: mpsc::Receiver<PowerRequest>, writable: Vec<File>) {
    let Some(first) = requests.recv().await else { return };
    agent.ending.store(true, Ordering::Relaxed);
    sleep(ANSWER_TIME).await;
    let mut request = first;
    loop {
        tokio::select! {
            () = end_workload(agent, request.grace) => break,
            Some(next) = requests.recv() => request = next,
        }
    }
    end_machine(request.action, &writable);
}

async fn end_workload(agent: &Agent, grace: Duration) {
    let mut status = agent.workload.subscribe();
    let running = |status: &WorkloadStatus| status.state() == WorkloadState::Running;
    let pid = status.borrow().pid;
    if !running(&status.borrow()) {
        return;
    }
    let wanted = agent.config.workload.as_ref().map_or(0, |workload| workload.stop_signal);
    reaper::signal_child(pid, if wanted > 0 { wanted } else { libc::SIGTERM });
    let _ = timeout(grace, status.wait_for(|status| !running(status))).await;
}

fn end_machine(action: PowerAction, writable: &[File]) {
    console::say(if action == PowerAction::Off { "powering off" } else { "booting again" });
    signal_all(libc::SIGKILL);
    sync();
    writable.iter().for_each(freeze);
    reboot(action);
}

/// Ends the machine from anywhere, for an agent that cannot go on.
pub fn give_up(text: &str) {
    console::say(text);
    signal_all(libc::SIGKILL);
    sync();
    reboot(PowerAction::Off);
}

/// Turns signals to PID 1 into wishes, with the meanings of busybox and sysvinit.
pub async fn watch_signals(agent: &Agent, signals: OwnedFd) -> std::io::Result<()> {
    let signals = watched(signals)?;
    loop {
        let mut ready = signals.readable().await?;
        let Ok(Ok(number)) = ready.try_io(signal::read) else { continue };
        if let Some(action) = meaning(number) {
            agent.ask_power(PowerRequest { action, grace: DEFAULT_GRACE });
        }
    }
}

/// Turns a press of the power button into a wish.
pub async fn watch_button(agent: &Agent, device: AsyncFile) {
    input::power_pressed(&device).await;
    agent.ask_power(PowerRequest { action: PowerAction::Off, grace: DEFAULT_GRACE });
}

fn meaning(number: i32) -> Option<PowerAction> {
    match number {
        libc::SIGUSR1 | libc::SIGUSR2 | libc::SIGPWR => Some(PowerAction::Off),
        libc::SIGTERM | libc::SIGINT => Some(PowerAction::Reboot),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_commands_of_busybox_mean_what_they_say() {
        assert_eq!(meaning(libc::SIGUSR1), Some(PowerAction::Off)); // halt
        assert_eq!(meaning(libc::SIGUSR2), Some(PowerAction::Off)); // poweroff
        assert_eq!(meaning(libc::SIGTERM), Some(PowerAction::Reboot)); // reboot
        assert_eq!(meaning(libc::SIGHUP), None);
    }
}
