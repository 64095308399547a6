use super::Answers;
use crate::agent::Agent;
use crate::proto::WatchWorkloadResponse;
use crate::workload::is_end;
use std::sync::Arc;
use tokio_stream::StreamExt;
use tokio_stream::wrappers::WatchStream;

/// The workload's state now and after each change. A state that lasts shorter than the host takes to read may be left out; the newest never is.
pub fn watch_workload(agent: Arc<Agent>) -> Answers<WatchWorkloadResponse> {
    let states = WatchStream::new(agent.workload.subscribe());
    Box::pin(states.map(move |workload| {
        if is_end(&workload) {
            agent.end_told.notify_one();
        }
        Ok(WatchWorkloadResponse { workload: Some(workload) })
    }))
}
