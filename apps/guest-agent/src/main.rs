//! `/init` of the initramfs.

use berth_agent::agent::Agent;
use berth_agent::process::reaper;
use berth_agent::sys::input;
use berth_agent::{boot, channel, power, workload};
use std::sync::Arc;

fn main() {
    std::panic::set_hook(Box::new(|panic| power::give_up(&format!("the agent failed: {panic}"))));
    let booted = match boot::boot() {
        Ok(booted) => booted,
        Err(error) => return power::give_up(&format!("this guest cannot boot: {error}")),
    };
    let (agent, requests) = Agent::new(booted.config, booted.warnings);
    reaper::run();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("the runtime can be made");
    runtime.block_on(async {
        for device in input::devices() {
            let agent = Arc::clone(&agent);
            tokio::spawn(async move { power::watch_button(&agent, device).await });
        }
        tokio::select! {
            () = power::run(&agent, requests, booted.writable) => {}
            result = power::watch_signals(&agent, booted.signals) => panic!("signals: {result:?}"),
            result = channel::serve(&agent) => panic!("channel: {result:?}"),
            () = async { workload::run(&agent).await; std::future::pending().await } => {}
        }
    });
    power::give_up("the machine refused to end");
}
