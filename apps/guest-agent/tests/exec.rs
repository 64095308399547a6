//! The agent's service over a stream in this process, with commands of this machine.

mod support;

use berth_agent::proto::exec_request::Message;
use berth_agent::proto::{AgentStdinEnd, AgentTerminalSize};
use support::{Guest, command, shell};
use tonic::Code;

#[tokio::test]
async fn output_comes_before_the_exit_code() {
    let mut guest = Guest::new();
    let ran = guest.run(shell("echo out; echo err >&2; exit 7"), vec![]).await.unwrap();
    assert_eq!((ran.stdout.as_str(), ran.stderr.as_str(), ran.code, ran.signal), ("out\n", "err\n", 7, 0));
}

#[tokio::test]
async fn input_reaches_the_command_and_its_end_too() {
    let mut guest = Guest::new();
    let start = berth_agent::proto::AgentExecStart { stdin: true, ..command(&["cat"]) };
    let input = vec![Message::Stdin(b"one ".to_vec()), Message::Stdin(b"two".to_vec()), Message::StdinEnd(AgentStdinEnd {})];
    assert_eq!(guest.run(start, input).await.unwrap().stdout, "one two");
}

#[tokio::test]
async fn a_terminal_has_its_size_and_is_the_controlling_one() {
    let mut guest = Guest::new();
    let terminal = Some(AgentTerminalSize { rows: 30, columns: 100 });
    let start = berth_agent::proto::AgentExecStart { terminal, ..shell("stty size </dev/tty; exit 3") };
    let ran = guest.run(start, vec![]).await.unwrap();
    assert_eq!((ran.stdout.as_str(), ran.code), ("30 100\r\n", 3));
}

#[tokio::test]
async fn a_signal_ends_the_whole_group() {
    let mut guest = Guest::new();
    let ran = guest.run(shell("sleep 1000 | sleep 1000"), vec![Message::Signal(libc::SIGKILL)]).await.unwrap();
    assert_eq!((ran.code, ran.signal), (128 + libc::SIGKILL, libc::SIGKILL));
}

#[tokio::test]
async fn more_output_than_any_buffer_holds_arrives_whole() {
    let mut guest = Guest::new();
    let ran = guest.run(shell("head -c 5000000 /dev/zero | tr '\\0' x"), vec![]).await.unwrap();
    assert_eq!(ran.stdout.len(), 5_000_000);
}

#[tokio::test]
async fn a_daemon_left_behind_does_not_hold_the_exit_code_back() {
    let mut guest = Guest::new();
    let ran = guest.run(shell("sleep 3 & echo left"), vec![]).await.unwrap();
    assert_eq!((ran.stdout.as_str(), ran.code), ("left\n", 0));
}

#[tokio::test]
async fn what_cannot_be_started_is_named_by_its_reason() {
    let mut guest = Guest::new();
    let dir = |dir: &str| berth_agent::proto::AgentExecStart { working_dir: dir.into(), ..command(&["true"]) };
    let user = |user: &str| berth_agent::proto::AgentExecStart { user: user.into(), ..command(&["true"]) };
    for (start, code, reason) in [
        (command(&["berth-no-such-program"]), Code::NotFound, "COMMAND_NOT_FOUND: "),
        (command(&["/etc/passwd"]), Code::FailedPrecondition, "COMMAND_NOT_EXECUTABLE: "),
        (command(&["/etc"]), Code::FailedPrecondition, "COMMAND_NOT_EXECUTABLE: "),
        (dir("/no/such/folder"), Code::FailedPrecondition, "WORKING_DIR_NOT_FOUND: "),
        (user("berth-no-such-user"), Code::FailedPrecondition, "USER_NOT_FOUND: "),
        (command(&[]), Code::InvalidArgument, "INVALID_COMMAND: "),
    ] {
        let status = guest.run(start, vec![]).await.unwrap_err();
        assert!(status.code() == code && status.message().starts_with(reason), "{status:?}");
    }
}

#[tokio::test]
async fn a_user_is_looked_up_and_the_environment_completed() {
    let mut guest = Guest::new();
    let start = berth_agent::proto::AgentExecStart {
        user: "900001:900002".into(),
        env: vec!["A=b".into()],
        ..shell("id -u; id -g; echo $A $HOME")
    };
    assert_eq!(guest.run(start, vec![]).await.unwrap().stdout, "900001\n900002\nb /\n");
}

#[tokio::test]
async fn a_command_whose_caller_is_gone_is_hung_up() {
    let mut guest = Guest::new();
    let pid = guest.start_and_leave(shell("exec sleep 1000")).await;
    support::wait_until(|| !std::path::Path::new(&format!("/proc/{pid}")).exists()).await;
}
