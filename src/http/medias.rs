//! What a client attaches to a message, checked.

use serde::Deserialize;
use utoipa::ToSchema;

use crate::model::{AgentId, Caller, ChatId, FileId, Media};
use crate::wire::ApiError;

use super::files::FileDesk;

/// Longest address on the web, in bytes.
const URL_BYTES_MAX: usize = 2_048;
/// Longest name and MIME type, in bytes.
const NAME_BYTES_MAX: usize = 255;
/// Longest address object, in bytes of JSON.
const ADDRESS_BYTES_MAX: usize = 4_096;

/// Something to attach. Which fields apply depends on `type`.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(example = json!({"type": "link", "link_url": "https://example.com/plan"}))]
pub struct MediaCreate {
    /// `file`, `link`, `agent`, `address`, or a MIME type.
    pub r#type: Option<String>,
    /// Of a `file` that the sender may see.
    pub file_id: Option<String>,
    /// Of a `link`.
    pub link_url: Option<String>,
    /// Of an `agent`.
    pub agent_id: Option<String>,
    /// Of an `address`.
    #[schema(value_type = Option<Object>)]
    pub address: Option<serde_json::Map<String, serde_json::Value>>,
    /// Of a MIME type.
    pub url: Option<String>,
    /// Of a MIME type.
    pub name: Option<String>,
}

impl MediaCreate {
    /// Whether it is an uploaded file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.r#type.as_deref() == Some("file")
    }
}

/// The medias of a message that this caller is about to post. Its files are noted as being of the
/// chat, so that no member is refused one that they can read of.
///
/// # Errors
/// Names the media and the field that is wrong. A file that does not exist for the caller is one.
pub async fn medias(
    desk: &FileDesk,
    caller: &Caller,
    chat: ChatId,
    wanted: Vec<MediaCreate>,
) -> Result<Vec<Media>, ApiError> {
    let mut medias = Vec::with_capacity(wanted.len());
    for (place, media) in wanted.into_iter().enumerate() {
        let wrong = |problem: &str| ApiError::argument(format!("medias[{place}].{problem}"));
        let media = match media.r#type.as_deref().unwrap_or_default() {
            "file" => {
                let id = media.file_id.as_deref().and_then(FileId::parse);
                let id = id.ok_or_else(|| wrong("file_id must be a UUID"))?;
                desk.attach(caller, chat, id).await?.ok_or_else(|| wrong("file_id: no such file"))?
            }
            "link" => Media::Link {
                url: text(media.link_url, URL_BYTES_MAX).ok_or_else(|| wrong("link_url must have 1 to 2048 bytes"))?,
            },
            "agent" => {
                let agent = media.agent_id.as_deref().and_then(AgentId::parse);
                Media::Agent { agent: agent.ok_or_else(|| wrong("agent_id must be a UUID"))? }
            }
            "address" => {
                let address = media.address.ok_or_else(|| wrong("address must be an object"))?;
                let json = serde_json::Value::Object(address).to_string();
                if json.len() > ADDRESS_BYTES_MAX {
                    return Err(wrong("address must have at most 4096 bytes"));
                }
                Media::Address { json }
            }
            mime if is_mime(mime) => Media::External {
                mime: mime.to_owned(),
                url: text(media.url, URL_BYTES_MAX).ok_or_else(|| wrong("url must have 1 to 2048 bytes"))?,
                name: name(media.name).ok_or_else(|| wrong("name must have at most 255 bytes"))?,
            },
            _ => return Err(wrong("type must be file, link, agent, address or a MIME type")),
        };
        medias.push(media);
    }
    Ok(medias)
}

fn text(text: Option<String>, bytes_max: usize) -> Option<String> {
    text.filter(|text| !text.is_empty() && text.len() <= bytes_max)
}

/// `""` when there is none; `None` when it is too long.
fn name(name: Option<String>) -> Option<String> {
    Some(name.unwrap_or_default()).filter(|name| name.len() <= NAME_BYTES_MAX)
}

fn is_mime(text: &str) -> bool {
    text.len() <= NAME_BYTES_MAX && text.contains('/') && text.parse::<mime::Mime>().is_ok()
}
