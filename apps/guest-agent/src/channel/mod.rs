//! Sessions of the host: one HTTP/2 connection on each virtio-serial port that the host adds for it.

mod port;
mod watch;

pub use port::Port;

use crate::agent::Agent;
use crate::console;
use crate::proto::agent_service_server::AgentServiceServer;
use crate::rpc::Routes;
use hyper_util::rt::{TokioExecutor, TokioIo};
use hyper_util::service::TowerToHyperService;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncWrite};

/// A message of the API is at most this large, both ways.
const MESSAGE_LIMIT_BYTES: usize = 4 << 20;
/// More streams than this a session cannot open.
const STREAMS: u32 = 1_100;

/// Serves every session port there is and every one that comes; returns only on failure.
pub async fn serve(agent: &Arc<Agent>) -> std::io::Result<()> {
    let mut ports = watch::Ports::new()?;
    loop {
        for name in ports.next().await? {
            let agent = Arc::clone(agent);
            tokio::spawn(async move {
                match port::open(&name).await {
                    Ok(Some(port)) => session(agent, port).await,
                    Ok(None) => {}
                    Err(error) => console::say(&format!("port {name}: {error}")),
                }
            });
        }
    }
}

/// One session, until either end closes it. Its failure is the host's to notice.
pub async fn session(agent: Arc<Agent>, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
    let service = AgentServiceServer::new(Routes(agent))
        .max_decoding_message_size(MESSAGE_LIMIT_BYTES)
        .max_encoding_message_size(MESSAGE_LIMIT_BYTES);
    let _ = hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .max_concurrent_streams(STREAMS)
        .initial_stream_window_size(256 << 10)
        .initial_connection_window_size(1 << 20)
        .serve_connection(TokioIo::new(stream), TowerToHyperService::new(service))
        .await;
}
