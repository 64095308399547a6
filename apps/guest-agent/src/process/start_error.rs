use crate::sys::SysError;
use std::fmt;

/// Why a program could not be started.
#[derive(Debug)]
pub enum StartError {
    /// The request makes no sense.
    Invalid(String),
    /// There is no such program.
    CommandNotFound(String),
    /// There is one, but it cannot be executed.
    CommandNotExecutable(String),
    /// There is no such folder.
    WorkingDirNotFound(String),
    /// There is no such user or group.
    UserNotFound(String),
    /// The guest's kernel refused something else.
    System(SysError),
}

impl StartError {
    /// The reason of the API.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Invalid(_) => "INVALID_COMMAND",
            Self::CommandNotFound(_) => "COMMAND_NOT_FOUND",
            Self::CommandNotExecutable(_) => "COMMAND_NOT_EXECUTABLE",
            Self::WorkingDirNotFound(_) => "WORKING_DIR_NOT_FOUND",
            Self::UserNotFound(_) => "USER_NOT_FOUND",
            Self::System(_) => "GUEST_SYSTEM",
        }
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Invalid(text) => write!(f, "{text}"),
            Self::CommandNotFound(command) => write!(f, "no program “{command}” in the guest"),
            Self::CommandNotExecutable(text) => write!(f, "{text}"),
            Self::WorkingDirNotFound(folder) => write!(f, "no folder “{folder}” in the guest"),
            Self::UserNotFound(user) => write!(f, "no user “{user}” in the guest"),
            Self::System(error) => write!(f, "{error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<SysError> for StartError {
    fn from(error: SysError) -> Self {
        Self::System(error)
    }
}
