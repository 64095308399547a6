//! An agent without a machine: its service at one end of a stream, a client at the other.

use berth_agent::agent::Agent;
use berth_agent::channel::session;
use berth_agent::process::reaper;
use berth_agent::proto::agent_service_client::AgentServiceClient;
use berth_agent::proto::exec_request::Message;
use berth_agent::proto::exec_response::Message as Answer;
use berth_agent::proto::{AgentExecStart, ExecRequest, ExecResponse};
use hyper_util::rt::TokioIo;
use std::sync::Once;
use std::time::Duration;
use tokio::time::{sleep, timeout};
use tonic::transport::{Channel, Endpoint};
use tonic::{Status, Streaming};

const PATIENCE: Duration = Duration::from_secs(20);
static REAPER: Once = Once::new();

pub struct Guest(AgentServiceClient<Channel>);

#[derive(Debug)]
pub struct Ran {
    pub stdout: String,
    pub stderr: String,
    pub code: i32,
    pub signal: i32,
}

impl Guest {
    pub fn new() -> Self {
        REAPER.call_once(reaper::run);
        let (agent, _) = Agent::new(Default::default(), Vec::new());
        let connector = tower::service_fn(move |_| {
            let (ours, theirs) = tokio::io::duplex(64 << 10);
            tokio::spawn(session(agent.clone(), theirs));
            async move { Ok::<_, std::io::Error>(TokioIo::new(ours)) }
        });
        Self(AgentServiceClient::new(Endpoint::from_static("http://guest").connect_with_connector_lazy(connector)))
    }

    async fn exec(&mut self, start: AgentExecStart, input: Vec<Message>) -> Result<Streaming<ExecResponse>, Status> {
        let messages = [vec![Message::Start(start)], input].concat();
        let requests = messages.into_iter().map(|message| ExecRequest { message: Some(message) });
        Ok(self.0.exec(tokio_stream::iter(requests)).await?.into_inner())
    }

    pub async fn run(&mut self, start: AgentExecStart, input: Vec<Message>) -> Result<Ran, Status> {
        let collect = async {
            let mut answers = self.exec(start, input).await?;
            let (mut stdout, mut stderr, mut exit) = (Vec::new(), Vec::new(), None);
            while let Some(answer) = answers.message().await? {
                assert!(exit.is_none(), "nothing follows the exit");
                match answer.message.expect("a message") {
                    Answer::Started(pid) => assert!(pid > 0),
                    Answer::Stdout(bytes) => stdout.extend(bytes),
                    Answer::Stderr(bytes) => stderr.extend(bytes),
                    Answer::Exit(found) => exit = Some(found),
                }
            }
            let exit = exit.expect("an exit");
            let text = |bytes| String::from_utf8(bytes).unwrap();
            Ok(Ran { stdout: text(stdout), stderr: text(stderr), code: exit.code, signal: exit.signal })
        };
        timeout(PATIENCE, collect).await.expect("the command ends in time")
    }

    pub async fn start_and_leave(&mut self, start: AgentExecStart) -> i32 {
        let mut answers = self.exec(start, vec![]).await.unwrap();
        match answers.message().await.unwrap().and_then(|answer| answer.message) {
            Some(Answer::Started(pid)) => pid,
            other => panic!("{other:?}"),
        }
    }
}

pub fn command(words: &[&str]) -> AgentExecStart {
    AgentExecStart { command: words.iter().map(|word| word.to_string()).collect(), ..Default::default() }
}

pub fn shell(script: &str) -> AgentExecStart {
    command(&["/bin/sh", "-c", script])
}

pub async fn wait_until(condition: impl Fn() -> bool) {
    let wait = async {
        while !condition() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(PATIENCE, wait).await.expect("in time");
}
