//! `berth.guest.v1.AgentService`, one file per RPC.

mod exec;
mod get_info;
mod pump;
mod session;
mod shutdown;
mod watch_workload;

use crate::agent::Agent;
use crate::proto::agent_service_server::AgentService;
use crate::proto::{
    ExecRequest, ExecResponse, GetInfoRequest, GetInfoResponse, ShutdownRequest, ShutdownResponse, WatchWorkloadRequest,
    WatchWorkloadResponse,
};
use std::pin::Pin;
use std::sync::Arc;
use tokio_stream::Stream;
use tonic::{Request, Response, Status, Streaming};

/// The service.
pub struct Routes(pub Arc<Agent>);

/// A stream of answers.
pub type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

#[tonic::async_trait]
impl AgentService for Routes {
    type ExecStream = Answers<ExecResponse>;
    type WatchWorkloadStream = Answers<WatchWorkloadResponse>;

    async fn get_info(&self, _: Request<GetInfoRequest>) -> Result<Response<GetInfoResponse>, Status> {
        Ok(Response::new(get_info::get_info(&self.0)))
    }

    async fn exec(&self, request: Request<Streaming<ExecRequest>>) -> Result<Response<Self::ExecStream>, Status> {
        exec::exec(Arc::clone(&self.0), request.into_inner()).await.map(Response::new)
    }

    async fn watch_workload(&self, _: Request<WatchWorkloadRequest>) -> Result<Response<Self::WatchWorkloadStream>, Status> {
        Ok(Response::new(watch_workload::watch_workload(Arc::clone(&self.0))))
    }

    async fn shutdown(&self, request: Request<ShutdownRequest>) -> Result<Response<ShutdownResponse>, Status> {
        shutdown::shutdown(&self.0, request.into_inner()).map(Response::new)
    }
}
