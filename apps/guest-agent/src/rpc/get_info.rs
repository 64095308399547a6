use crate::agent::Agent;
use crate::proto::GetInfoResponse;
use crate::workload::is_end;

/// Who the agent is and how it stands.
pub fn get_info(agent: &Agent) -> GetInfoResponse {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_string();
    let workload = agent.workload.borrow().clone();
    if is_end(&workload) {
        agent.end_told.notify_one();
    }
    GetInfoResponse {
        agent_version: env!("CARGO_PKG_VERSION").into(),
        boot_id: read("/proc/sys/kernel/random/boot_id"),
        kernel_release: read("/proc/sys/kernel/osrelease"),
        instance_id: agent.config.instance_id.clone(),
        workload: Some(workload),
        warnings: agent.warnings.clone(),
        ready_after: prost_types::Duration::try_from(agent.ready_after).ok(),
    }
}
