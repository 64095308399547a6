use crate::agent::{Agent, PowerRequest};
use crate::power::DEFAULT_GRACE;
use crate::proto::{ShutdownRequest, ShutdownResponse};
use crate::sys::power::PowerAction;
use std::time::Duration;
use tonic::Status;

/// Begins the machine's end.
pub fn shutdown(agent: &Agent, request: ShutdownRequest) -> Result<ShutdownResponse, Status> {
    let grace = match request.grace_period {
        Some(period) => {
            Duration::try_from(period).map_err(|_| Status::invalid_argument("INVALID_GRACE_PERIOD: a grace period is not negative"))?
        }
        None => DEFAULT_GRACE,
    };
    agent.ask_power(PowerRequest { action: if request.reboot { PowerAction::Reboot } else { PowerAction::Off }, grace });
    Ok(ShutdownResponse {})
}
