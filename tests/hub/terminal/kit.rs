//! People at terminals: the real program with real arguments, what it wrote, and how it ended; in a pseudo terminal where
//! that matters. And a wire on which answers get lost.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use serde_json::Value;
use talk_load::rig::ports;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, ChildStdout, Command};

use crate::support::eventually::in_time;
use crate::support::hub::BINARY;
use crate::support::{Agent, caretaker};

/// Somebody's account on some machine: a home of its own, and perhaps a token.
#[derive(Clone)]
pub(super) struct Terminal {
    pub(super) home: PathBuf,
    hub: String,
    token: Option<String>,
    variables: Vec<(&'static str, &'static str)>,
}

/// What a command did.
#[derive(Debug)]
pub(super) struct Ran {
    pub(super) code: Option<i32>,
    pub(super) out: String,
    pub(super) err: String,
}

impl Ran {
    /// What it wrote, if it did what it was asked.
    #[track_caller]
    pub(super) fn ok(self) -> String {
        assert_eq!(self.code, Some(0), "{self:?}");
        self.out
    }

    /// What it said when it did not, with this exit code.
    #[track_caller]
    pub(super) fn failed(self, code: i32) -> String {
        assert_eq!((self.code, self.out.as_str()), (Some(code), ""), "{self:?}");
        self.err
    }
}

impl Terminal {
    /// Somebody who has not signed in.
    pub(super) fn of_nobody(hub: &str) -> Self {
        let home = caretaker::new_dir("terminal-");
        Self { home, hub: hub.to_owned(), token: None, variables: Vec::new() }
    }

    /// An agent who has a token in the environment.
    pub(super) fn of(agent: &Agent) -> Self {
        Self::at(agent.next_node(), agent)
    }

    /// The same, at another address.
    pub(super) fn at(hub: &str, agent: &Agent) -> Self {
        Self { token: Some(agent.token.clone()), ..Self::of_nobody(hub) }
    }

    /// With this in the environment.
    pub(super) fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.variables.push((name, value));
        self
    }

    /// Where the account is kept.
    pub(super) fn account(&self) -> PathBuf {
        self.home.join("config/talk-hub/account.json")
    }

    fn in_place(&self, mut command: Command) -> Command {
        command.current_dir(&self.home).env("HOME", &self.home).env("XDG_CONFIG_HOME", self.home.join("config"));
        command.env("TALK_HUB", &self.hub).env("TZ", "UTC").env("TERM", "xterm-256color").env_remove("NO_COLOR");
        match &self.token {
            Some(token) => command.env("TALK_TOKEN", token),
            None => command.env_remove("TALK_TOKEN"),
        };
        command.envs(self.variables.iter().copied());
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        command
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(BINARY);
        command.arg("chat").args(arguments);
        self.in_place(command)
    }

    /// Runs a command to its end.
    pub(super) async fn run(&self, arguments: &[&str]) -> Ran {
        finished(self.command(arguments), "").await
    }

    /// Runs a command with this on its stdin.
    pub(super) async fn pipe(&self, text: &str, arguments: &[&str]) -> Ran {
        let mut command = self.command(arguments);
        command.stdin(Stdio::piped());
        finished(command, text).await
    }

    /// Runs a command whose output goes to a disk that is full; what it wrote to stderr, and how it ended.
    pub(super) async fn run_on_a_full_disk(&self, arguments: &[&str]) -> Ran {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("a device of Linux");
        let mut command = self.command(arguments);
        command.stdout(full);
        finished(command, "").await
    }

    /// Starts a command that goes on.
    pub(super) fn start(&self, arguments: &[&str]) -> Running {
        let mut command = self.command(arguments);
        command.stderr(Stdio::inherit());
        let mut child = command.spawn().expect("the program starts");
        let lines = BufReader::new(child.stdout.take().expect("its stdout")).lines();
        Running { child, lines }
    }

    /// Runs a command in a pseudo terminal of 80 columns; each answer is typed once its question is there. All that was
    /// on the screen.
    pub(super) async fn on_a_screen(&self, arguments: &str, answers: &[(&str, &str)]) -> String {
        let mut command = Command::new("script");
        let line = format!("stty cols 80; exec {BINARY} chat {arguments}");
        command.args(["--quiet", "--return", "--echo", "always", "--command", &line, "/dev/null"]);
        let mut command = self.in_place(command);
        command.stdin(Stdio::piped());
        let mut child = command.spawn().expect("script, of util-linux");
        let (mut input, mut output) = (child.stdin.take().expect("stdin"), child.stdout.take().expect("stdout"));
        let mut screen = Vec::new();
        let mut seen = 0;
        for (question, answer) in answers {
            let asked = async {
                while !String::from_utf8_lossy(&screen[seen..]).contains(question) {
                    assert!(output.read_buf(&mut screen).await.expect("a screen") > 0, "it ended before {question}");
                }
            };
            in_time(question, asked).await;
            seen = screen.len();
            input.write_all(format!("{answer}\n").as_bytes()).await.expect("typed");
        }
        in_time("it ends", output.read_to_end(&mut screen)).await.expect("a screen");
        String::from_utf8(screen).expect("UTF-8")
    }
}

async fn finished(mut command: Command, text: &str) -> Ran {
    let mut child = command.spawn().expect("the program starts");
    if let Some(mut input) = child.stdin.take() {
        // It may have ended without reading.
        input.write_all(text.as_bytes()).await.ok();
    }
    let output = in_time("the command ends", child.wait_with_output()).await.expect("its output");
    let text = |bytes| String::from_utf8(bytes).expect("UTF-8");
    Ran { code: output.status.code(), out: text(output.stdout), err: text(output.stderr) }
}

/// A command that goes on.
pub(super) struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Running {
    /// The next line it writes.
    pub(super) async fn line(&mut self) -> String {
        let line = in_time("a line is written", self.lines.next_line()).await.expect("UTF-8");
        line.expect("it goes on")
    }

    /// The next line, which is JSON.
    pub(super) async fn event(&mut self) -> Value {
        let line = self.line().await;
        serde_json::from_str(&line).unwrap_or_else(|error| panic!("{error}: {line}"))
    }

    /// The text of the next message; other events are passed over.
    pub(super) async fn message(&mut self) -> String {
        loop {
            let event = self.event().await;
            if event["type"] == "chatmessage_created" && event["data"]["type"] == "normal" {
                return event["data"]["text"].as_str().expect("a text").to_owned();
            }
        }
    }

    /// What the list of processes shows of it.
    pub(super) fn arguments(&self) -> String {
        let path = format!("/proc/{}/cmdline", self.child.id().expect("it runs"));
        std::fs::read_to_string(path).expect("its arguments").replace('\0', " ")
    }

    pub(super) fn signal(&self, name: &str) {
        let pid = self.child.id().expect("it runs").to_string();
        let sent = std::process::Command::new("kill").args([&format!("-{name}"), &pid]).status();
        assert!(sent.expect("kill").success());
    }

    /// Stops reading what it writes; its exit code.
    pub(super) async fn unread(self) -> Option<i32> {
        let Self { mut child, lines } = self;
        drop(lines);
        in_time("it ends", child.wait()).await.expect("its end").code()
    }

    /// Its exit code, once it has ended.
    pub(super) async fn ended(mut self) -> Option<i32> {
        in_time("it ends", self.child.wait()).await.expect("its end").code()
    }
}

/// The port of `http://127.0.0.1:<port>`.
pub(super) fn port_of(hub: &str) -> u16 {
    hub.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port")
}

/// A wire to a hub on which the answers to the first requests that hold `words` get lost, and the connections with them;
/// its address. Instead of each of them one of `said` comes, as it is: nothing, or what a proxy in between might say.
pub(super) async fn wire_that_loses(hub: &str, words: &'static str, said: &[&'static str]) -> String {
    let (port, target) = (ports::free_port().expect("a port"), port_of(hub));
    let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("bound");
    let said = Arc::new(Mutex::new(said.iter().copied().collect::<VecDeque<_>>()));
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let Ok(far) = TcpStream::connect(("127.0.0.1", target)).await else { return };
            tokio::spawn(carry(near, far, words, Arc::clone(&said)));
        }
    });
    format!("http://127.0.0.1:{port}")
}

async fn carry(mut near: TcpStream, mut far: TcpStream, words: &str, said: Arc<Mutex<VecDeque<&'static str>>>) {
    let (mut asked, mut answered) = (vec![0; 65_536], vec![0; 65_536]);
    let mut request = Vec::new();
    loop {
        tokio::select! {
            Ok(count) = near.read(&mut asked) => {
                request.extend_from_slice(&asked[..count]);
                if count == 0 || far.write_all(&asked[..count]).await.is_err() {
                    return;
                }
            }
            Ok(count) = far.read(&mut answered) => {
                let holds = String::from_utf8_lossy(&request).contains(words);
                let instead = if holds { said.lock().expect("not poisoned").pop_front() } else { None };
                if let Some(instead) = instead {
                    near.write_all(instead.as_bytes()).await.ok();
                    return;
                }
                request.clear();
                if count == 0 || near.write_all(&answered[..count]).await.is_err() {
                    return;
                }
            }
            else => return,
        }
    }
}

/// The permission bits of a file.
pub(super) fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).expect("it is there").permissions().mode() & 0o777
}

/// The names of what is in a folder, sorted.
pub(super) fn names_in(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let mut names: Vec<_> =
        entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}
