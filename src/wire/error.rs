//! The table of errors: reason, status, HTTP status. Every error that leaves the hub, over REST or
//! over a socket, is a row of it with a sentence.

use std::fmt;

use serde::Serialize;
use utoipa::ToSchema;

use super::forms;

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $wire:literal, $status:ident;)*) => {
        /// Why a call was refused.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason { $($(#[$doc])* $name,)* }

        impl Reason {
            /// All of them, in the order of the table.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The wire's word.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $wire,)* }
            }

            /// The class it belongs to.
            #[must_use]
            pub fn status(self) -> Status {
                match self { $(Self::$name => Status::$status,)* }
            }
        }
    };
}

reasons! {
    /// No credential was sent.
    AuthenticationRequired = "AUTHENTICATION_REQUIRED", Unauthenticated;
    /// The credential is wrong, has ended, or belongs to nobody any more.
    InvalidCredentials = "INVALID_CREDENTIALS", Unauthenticated;
    /// The caller is known and may not.
    PermissionDenied = "PERMISSION_DENIED", PermissionDenied;
    /// The body is not JSON, or not an object of the right form.
    InvalidJsonBody = "INVALID_JSON_BODY", InvalidArgument;
    /// An id that is not a UUID.
    InvalidId = "INVALID_ID", InvalidArgument;
    /// A field of the body is wrong.
    InvalidArgument = "INVALID_ARGUMENT", InvalidArgument;
    /// A parameter of the query, or a header, is wrong.
    InvalidRequestParameter = "INVALID_REQUEST_PARAMETER", InvalidArgument;
    /// The body is too large. A 400, as VoIPBIN answers it.
    PayloadTooLarge = "PAYLOAD_TOO_LARGE", InvalidArgument;
    /// No such path, or not with this method.
    RouteNotFound = "ROUTE_NOT_FOUND", NotFound;
    ChatNotFound = "CHAT_NOT_FOUND", NotFound;
    TalkMessageNotFound = "TALK_MESSAGE_NOT_FOUND", NotFound;
    ParticipantNotFound = "PARTICIPANT_NOT_FOUND", NotFound;
    AgentNotFound = "AGENT_NOT_FOUND", NotFound;
    FileNotFound = "FILE_NOT_FOUND", NotFound;
    AccesskeyNotFound = "ACCESSKEY_NOT_FOUND", NotFound;
    /// The resource is not in a state that allows this.
    StateInvalid = "STATE_INVALID", FailedPrecondition;
    AgentAlreadyExists = "AGENT_ALREADY_EXISTS", AlreadyExists;
    /// The idempotency key was used with another call.
    IdempotencyKeyReused = "IDEMPOTENCY_KEY_REUSED", FailedPrecondition;
    /// Too many calls. The answer says when to come back.
    RateLimitExceeded = "RATE_LIMIT_EXCEEDED", ResourceExhausted;
    /// The store did not answer in time. The answer says when to come back.
    ServiceUnavailable = "SERVICE_UNAVAILABLE", Unavailable;
    /// A fault of ours; the cause is in the log under the request's id.
    Internal = "INTERNAL", Internal;
}

/// The class of an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    InvalidArgument,
    Unauthenticated,
    PermissionDenied,
    NotFound,
    AlreadyExists,
    FailedPrecondition,
    ResourceExhausted,
    Unavailable,
    Internal,
}

impl Status {
    /// The wire's word.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::InvalidArgument => "INVALID_ARGUMENT",
            Self::Unauthenticated => "UNAUTHENTICATED",
            Self::PermissionDenied => "PERMISSION_DENIED",
            Self::NotFound => "NOT_FOUND",
            Self::AlreadyExists => "ALREADY_EXISTS",
            Self::FailedPrecondition => "FAILED_PRECONDITION",
            Self::ResourceExhausted => "RESOURCE_EXHAUSTED",
            Self::Unavailable => "UNAVAILABLE",
            Self::Internal => "INTERNAL",
        }
    }

    /// The HTTP status.
    #[must_use]
    pub fn http(self) -> u16 {
        match self {
            Self::InvalidArgument => 400,
            Self::Unauthenticated => 401,
            Self::PermissionDenied => 403,
            Self::NotFound => 404,
            Self::AlreadyExists | Self::FailedPrecondition => 409,
            Self::ResourceExhausted => 429,
            Self::Unavailable => 503,
            Self::Internal => 500,
        }
    }
}

/// An error on its way out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiError {
    pub reason: Reason,
    /// What was wrong with which field, for a person.
    pub message: String,
    /// Seconds after which trying again makes sense: for 429 and 503.
    pub retry_after: Option<u64>,
}

impl ApiError {
    /// The reason, with a sentence. 429 and 503 say to come back after a second.
    #[must_use]
    pub fn new(reason: Reason, message: impl Into<String>) -> Self {
        let retry_after = matches!(reason.status(), Status::ResourceExhausted | Status::Unavailable).then_some(1);
        Self { reason, message: message.into(), retry_after }
    }

    /// A field of the body is wrong.
    #[must_use]
    pub fn argument(message: impl Into<String>) -> Self {
        Self::new(Reason::InvalidArgument, message)
    }

    /// A parameter of the query is wrong.
    #[must_use]
    pub fn parameter(message: impl Into<String>) -> Self {
        Self::new(Reason::InvalidRequestParameter, message)
    }

    /// A fault of ours: the cause goes to the log, and not to the client.
    #[must_use]
    pub fn internal(cause: impl fmt::Display) -> Self {
        tracing::error!(%cause, "internal error");
        Self::new(Reason::Internal, "something went wrong on our side")
    }

    /// The body of the answer.
    #[must_use]
    pub fn envelope(&self, request_id: &str) -> ErrorEnvelope {
        ErrorEnvelope {
            error: ErrorBody {
                status: self.reason.status().as_str().to_owned(),
                reason: self.reason.as_str().to_owned(),
                message: self.message.clone(),
                request_id: request_id.to_owned(),
            },
        }
    }
}

impl fmt::Display for ApiError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.reason.as_str(), self.message)
    }
}

impl std::error::Error for ApiError {}

/// The body of every answer that is not a success.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ErrorEnvelope {
    pub error: ErrorBody,
}

/// What went wrong.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ErrorBody {
    /// The class; goes with the HTTP status.
    #[schema(schema_with = forms::status)]
    pub status: String,
    /// Why, as a word to decide on.
    #[schema(schema_with = forms::reason)]
    pub reason: String,
    /// What was wrong with which field, for a person.
    pub message: String,
    /// The id of the request: in the response's `X-Request-Id` and in the hub's log.
    pub request_id: String,
}

impl From<crate::store::StoreError> for ApiError {
    fn from(error: crate::store::StoreError) -> Self {
        match error {
            crate::store::StoreError::Unavailable(cause) => {
                tracing::warn!(%cause, "store unavailable, the call is answered 503; look at redis and at talk_link_up");
                Self::new(Reason::ServiceUnavailable, "the store does not answer; try again")
            }
            crate::store::StoreError::Corrupt(cause) => Self::internal(cause),
        }
    }
}
