//! The command line of `talk-hub chat`: its commands, their options, and what `--help` says of them.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use uuid::Uuid;

/// Talk from a terminal: to people, in groups and in channels of a hub.
#[derive(Args)]
#[command(after_help = "A CHAT is named by its id, the beginning of its id, its name, or @person for a direct chat.\n\
    A PERSON is named by name, by username, or by the beginning of one of them.\n\n\
    Exit codes: 0 done, 1 refused, 2 wrong usage, 3 the hub was not reached.")]
pub struct Chat {
    #[command(flatten)]
    pub(super) session: Session,
    #[command(subcommand)]
    pub(super) command: Command,
}

/// What all commands share.
#[derive(Args)]
pub(super) struct Session {
    /// Address of the hub; else the one signed in to, else http://127.0.0.1:8080
    #[arg(long, value_name = "URL", env = "TALK_HUB", hide_env_values = true, global = true)]
    pub(super) hub: Option<String>,
    /// Token or access key to call with, for the hub of --hub or TALK_HUB. Others on this machine see it in the list of processes; TALK_TOKEN they do not
    #[arg(long, env = "TALK_TOKEN", hide_env_values = true, global = true)]
    pub(super) token: Option<String>,
    /// How long a call is tried again while the hub cannot be reached
    #[arg(long, value_name = "SECONDS", default_value_t = 30, global = true, value_parser = clap::value_parser!(u32).range(1..=86_400))]
    pub(super) timeout: u32,
    /// Whether to use colours; `auto`: on a terminal, unless NO_COLOR is set
    #[arg(long, value_name = "WHEN", default_value = "auto", global = true)]
    pub(super) color: Colours,
}

/// When colours are used.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Colours {
    Auto,
    Always,
    Never,
}

#[derive(Subcommand)]
pub(super) enum Command {
    /// Sign in, and stay signed in on this machine
    SignIn(SignIn),
    /// Forget the hub, the user and the token
    SignOut,
    /// Who is signed in, at which customer
    Who(Form),
    /// The chats one is in, latest first
    List(List),
    /// What was said in a chat
    History(History),
    /// Say something; prints the id of the message
    Send(Send),
    /// What is said, as it is said; until Ctrl-C
    Follow(Follow),
    /// Put an emoji to a message
    React(React),
    /// Delete a message of one's own
    Delete {
        /// Id of the message, as `history --ids` shows it
        message: Uuid,
    },
    /// Begin a chat; prints its id
    New(New),
    /// Join a channel
    Join {
        /// Id, beginning of the id, or name of the channel
        chat: String,
    },
    /// Leave a group or a channel
    Leave {
        /// The chat to leave
        chat: String,
    },
    /// Who is in a chat
    Members(Members),
    /// Fetch a file that was sent
    Download(Download),
    /// Say how one can be reached
    Status {
        /// How one can be reached
        status: Status,
    },
    /// Print completions for a shell
    Completions {
        /// The shell they are for
        shell: clap_complete::Shell,
    },
}

/// How what is read is written.
#[derive(Args)]
pub(super) struct Form {
    /// JSON for scripts, one resource a line
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args)]
pub(super) struct SignIn {
    /// The e-mail address one signs in with; asked for when left out
    pub(super) username: Option<String>,
    /// Ask for an access key instead of a password
    #[arg(long, conflicts_with = "username")]
    pub(super) access_key: bool,
}

#[derive(Args)]
pub(super) struct List {
    /// All public channels, also those one has not joined
    #[arg(long)]
    pub(super) channels: bool,
    #[command(flatten)]
    pub(super) form: Form,
}

#[derive(Args)]
pub(super) struct History {
    /// The chat to read
    pub(super) chat: String,
    /// How many messages at most: the newest, or with --since the first
    #[arg(long, short = 'n', value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub(super) count: Option<u32>,
    /// Everything since then: 2h, 3d, today, yesterday, 2024-01-17, "2024-01-17 10:30", or RFC 3339
    #[arg(long, value_name = "TIME")]
    pub(super) since: Option<String>,
    /// Everything
    #[arg(long, conflicts_with_all = ["count", "since"])]
    pub(super) all: bool,
    /// Only this message and the replies to it
    #[arg(long, value_name = "MESSAGE")]
    pub(super) thread: Option<Uuid>,
    /// With the ids of the messages
    #[arg(long)]
    pub(super) ids: bool,
    #[command(flatten)]
    pub(super) form: Form,
}

#[derive(Args)]
pub(super) struct Send {
    /// The chat to say it in; a direct chat is begun when there is none
    pub(super) chat: String,
    /// What to say; `-`, or nothing, reads it from stdin
    pub(super) text: Option<String>,
    /// Answer this message
    #[arg(long, value_name = "MESSAGE")]
    pub(super) reply_to: Option<Uuid>,
    /// Attach a file; may be given again
    #[arg(long = "file", short = 'f', value_name = "PATH")]
    pub(super) files: Vec<PathBuf>,
}

#[derive(Args)]
pub(super) struct Follow {
    /// The chats to follow; all one is in when left out
    pub(super) chats: Vec<String>,
    /// Messages of each named chat to begin with
    #[arg(long, short = 'n', value_name = "N", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=100))]
    pub(super) count: u32,
    /// With the ids of the messages
    #[arg(long)]
    pub(super) ids: bool,
    /// JSON for scripts, one event a line
    #[arg(long)]
    pub(super) json: bool,
}

#[derive(Args)]
pub(super) struct React {
    /// Id of the message, as `history --ids` shows it
    pub(super) message: Uuid,
    /// The emoji
    pub(super) emoji: String,
    /// Take it away again
    #[arg(long)]
    pub(super) remove: bool,
}

#[derive(Args)]
#[command(group = clap::ArgGroup::new("kind").required(true))]
pub(super) struct New {
    /// A direct chat with this person; the one there is, if there is one
    #[arg(long, value_name = "PERSON", group = "kind", conflicts_with = "people")]
    pub(super) direct: Option<String>,
    /// A group of this name
    #[arg(long, value_name = "NAME", group = "kind")]
    pub(super) group: Option<String>,
    /// A public channel of this name
    #[arg(long, value_name = "NAME", group = "kind")]
    pub(super) channel: Option<String>,
    /// Who is in it from the beginning
    pub(super) people: Vec<String>,
}

#[derive(Args)]
pub(super) struct Members {
    /// The chat
    pub(super) chat: String,
    #[command(flatten)]
    pub(super) form: Form,
}

#[derive(Args)]
pub(super) struct Download {
    /// Id of the file, as `history` shows it
    pub(super) file: Uuid,
    /// Where to put it: a file, a folder, or `-` for stdout; else its own name, here
    #[arg(long, short, value_name = "PATH")]
    pub(super) output: Option<PathBuf>,
    /// Replace a file that is there
    #[arg(long)]
    pub(super) force: bool,
}

/// How one can be reached.
#[derive(Clone, Copy, ValueEnum)]
pub(super) enum Status {
    Available,
    Away,
    Busy,
    Offline,
}
