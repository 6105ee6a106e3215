//! One process: started, signalled, looked at from outside, and surely gone in the end.

use std::process::{Child, Command, ExitStatus};
use std::sync::Mutex;

use super::{Error, Result, caretaker, held, patience};

/// A process of ours. Dropping it kills it.
#[derive(Debug)]
pub struct Process {
    program: String,
    pid: u32,
    child: Mutex<Child>,
}

impl Process {
    /// Starts it. From now on the caretaker knows of it.
    pub fn spawn(command: &mut Command) -> Result<Self> {
        let program = command.get_program().to_string_lossy().into_owned();
        let child = command.spawn().map_err(Error::io(format!("starting {program}")))?;
        let process = Self { program, pid: child.id(), child: Mutex::new(child) };
        caretaker::watch(process.pid)?;
        Ok(process)
    }

    /// What was started, as it was named.
    pub fn program(&self) -> &str {
        &self.program
    }

    pub fn pid(&self) -> u32 {
        self.pid
    }

    /// How it ended; `None` while it runs.
    pub fn ended(&self) -> Result<Option<ExitStatus>> {
        held(&self.child).try_wait().map_err(Error::io(format!("looking after {}", self.program)))
    }

    /// Waits until it ends by itself.
    pub async fn wait(&self) -> Result<ExitStatus> {
        patience::eventually(&format!("{} ends", self.program), async || self.ended()).await
    }

    /// Sends a signal by name, such as `TERM`, `STOP` or `CONT`.
    pub fn signal(&self, name: &str) -> Result<()> {
        if self.ended()?.is_some() {
            return Err(Error::Unexpected(format!("{} has ended, {name} cannot be sent", self.program)));
        }
        let sent = Command::new("kill").args([&format!("-{name}"), &self.pid.to_string()]).status();
        match sent.map_err(Error::io("running kill"))?.success() {
            true => Ok(()),
            false => Err(Error::Unexpected(format!("the signal {name} was not sent to {}", self.program))),
        }
    }

    /// Kills it as a power cut does, and returns when it is gone. Also when it had ended before.
    pub fn kill(&self) -> Result<()> {
        let mut child = held(&self.child);
        let doing = || Error::io(format!("killing {}", self.program));
        child.kill().map_err(doing())?;
        child.wait().map_err(doing())?;
        Ok(())
    }

    /// Resident memory in bytes.
    pub fn resident_bytes(&self) -> Result<u64> {
        let path = format!("/proc/{}/status", self.pid);
        let status = std::fs::read_to_string(&path).map_err(Error::io(&path))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
        kib.map(|kib| kib * 1024).ok_or_else(|| Error::Unexpected(format!("no VmRSS in {path}")))
    }

    /// Open file descriptors.
    pub fn open_files(&self) -> Result<usize> {
        let path = format!("/proc/{}/fd", self.pid);
        Ok(std::fs::read_dir(&path).map_err(Error::io(&path))?.count())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Nobody could do anything about a failure here; the caretaker will try again.
        if self.kill().is_ok() {
            caretaker::forget(self.pid).ok();
        }
    }
}
