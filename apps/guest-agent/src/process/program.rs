use super::StartError;

/// What to run, as the image or the caller says it.
#[derive(Clone, Debug, Default)]
pub struct Program {
    /// Program and arguments.
    pub command: Vec<String>,
    /// `NAME=value`; a later one overrules an earlier one.
    pub env: Vec<String>,
    /// `user`, `uid`, `user:group` or `uid:gid`; empty is root.
    pub user: String,
    /// Empty is `/`.
    pub working_dir: String,
    /// Whether a missing working directory is made.
    pub make_working_dir: bool,
}

impl Program {
    /// Refuses what no process can be given.
    pub fn check(&self) -> Result<(), StartError> {
        let invalid = |text: &str| Err(StartError::Invalid(text.into()));
        if self.command.first().is_none_or(|program| program.is_empty()) {
            return invalid("there is no program to run");
        }
        if self.command.iter().chain(&self.env).chain([&self.working_dir]).any(|text| text.contains('\0')) {
            return invalid("a text holds a NUL byte");
        }
        if self.env.iter().any(|entry| entry.find('=').is_none_or(|at| at == 0)) {
            return invalid("a variable has no name or no “=”");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_without_name_or_with_nul_bytes_is_refused() {
        let program = |command: &[&str], env: &[&str]| Program {
            command: command.iter().map(|text| text.to_string()).collect(),
            env: env.iter().map(|text| text.to_string()).collect(),
            ..Default::default()
        };
        assert!(program(&[], &[]).check().is_err());
        assert!(program(&[""], &[]).check().is_err());
        assert!(program(&["a\0b"], &[]).check().is_err());
        assert!(program(&["a"], &["=b"]).check().is_err());
        assert!(program(&["a", ""], &["B=c=d"]).check().is_ok());
    }
}
