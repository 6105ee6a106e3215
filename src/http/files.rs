//! Files: uploads and downloads, both as streams.

use std::sync::Arc;
use std::time::Duration;

use actix_multipart::Multipart;
use actix_web::body::SizedStream;
use actix_web::http::StatusCode;
use actix_web::http::header::{self, ContentDisposition, ContentEncoding, DispositionParam, DispositionType};
use actix_web::http::header::{Charset, ExtendedValue};
use actix_web::{HttpMessage, HttpRequest, HttpResponse, web};
use async_trait::async_trait;
use serde::Serialize;
use utoipa::{OpenApi, ToSchema};
use uuid::Uuid;

use crate::files::{Content, File, Files};
use crate::model::{Caller, ChatId, FileId, Media};
use crate::wire::error::ErrorEnvelope;
use crate::wire::page::{Listed, PageQuery};
use crate::wire::{ApiError, Reason, time};

use super::docs::{NotFound, Refused};
use super::error::OwnBody;
use super::extract::{Authed, Id, Paging};
use super::listed::listed;
use super::ranges::{self, Wanted};
use super::request_id::RequestId;

mod form;
#[cfg(test)]
mod tests;

use form::{DROPPED_BYTES_MAX, bounded, drop_rest, read_form};

/// Who is a member of a chat, for the question whether a file may be seen.
#[async_trait]
pub trait Membership: Send + Sync {
    /// Whether the caller is a member of the chat now, which may be deleted.
    async fn is_member(&self, caller: &Caller, chat: ChatId) -> Result<bool, ApiError>;
}

/// What these handlers need, behind `web::Data`.
pub struct FileDesk {
    pub files: Files,
    pub membership: Arc<dyn Membership>,
    /// Address of the hub as clients see it; empty: links without a host.
    pub public_url: String,
    /// How long the next bytes of an upload may take to come.
    pub wait: Duration,
}

/// The only type of a file that there is.
const KIND: &str = "talk";

/// The routes of this file.
pub fn routes(config: &mut web::ServiceConfig) {
    let one = web::resource("/v1.0/service_agents/files/{id}");
    config
        .service(web::resource("/v1.0/service_agents/files").route(web::get().to(list)).route(web::post().to(upload)))
        .service(one.route(web::get().to(get)).route(web::delete().to(delete)))
        .service(web::resource("/v1.0/service_agents/files/{id}/file").route(web::get().to(download)));
}

/// The docs of this file.
#[derive(OpenApi)]
#[openapi(paths(list, upload, get, delete, download))]
pub struct Docs;

/// An uploaded file.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = File)]
pub struct FileBody {
    pub id: Uuid,
    pub customer_id: Uuid,
    /// `agent`.
    pub owner_type: String,
    /// The agent who uploaded it.
    pub owner_id: Uuid,
    /// `talk`.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it was called, without a path.
    pub name: String,
    /// Its media type as the client stated it.
    pub mime: String,
    /// Bytes of its content.
    pub size: u64,
    /// Where its content is.
    pub url: String,
    pub tm_create: String,
    pub tm_update: String,
    /// `""` until it is deleted.
    pub tm_delete: String,
}

/// What an upload is made of.
#[derive(ToSchema)]
#[allow(dead_code, reason = "only described, never made")]
pub struct UploadForm {
    /// The content, with its name and media type.
    #[schema(format = Binary, content_media_type = "application/octet-stream")]
    file: String,
    /// `talk`, which is also what is taken when it is absent.
    #[schema(rename = "type")]
    kind: Option<String>,
}

/// Where the content of a file is; `public_url` may be empty.
#[must_use]
pub fn link(public_url: &str, file: FileId) -> String {
    format!("{public_url}/v1.0/service_agents/files/{file}/file")
}

type Answer = Result<web::Json<FileBody>, ApiError>;

impl FileDesk {
    fn body(&self, file: &File) -> FileBody {
        FileBody {
            id: file.id.0,
            customer_id: file.customer.0,
            owner_type: "agent".to_owned(),
            owner_id: file.owner.0,
            kind: KIND.to_owned(),
            name: file.name.clone(),
            mime: file.mime.clone(),
            size: file.size,
            url: link(&self.public_url, file.id),
            tm_create: time::format(file.created),
            tm_update: time::format(file.updated),
            tm_delete: String::new(),
        }
    }

    /// The file as a media of a message that is about to be posted in this chat; `None` when it
    /// does not exist for the caller.
    ///
    /// # Errors
    /// It is in as many chats as a file may be, or the store does not answer.
    pub async fn attach(&self, caller: &Caller, chat: ChatId, id: FileId) -> Result<Option<Media>, ApiError> {
        let is_member = async |chat: ChatId| self.membership.is_member(caller, chat).await;
        let Some(file) = self.files.resolve(caller, id, is_member).await? else { return Ok(None) };
        self.files.attach(&file, chat).await?;
        Ok(Some(Media::File { file: file.id, name: file.name }))
    }

    /// The file, if the caller may see it.
    async fn find(&self, caller: &Caller, id: FileId) -> Result<File, ApiError> {
        let file = self.files.get(caller, id).await?;
        let file = file.ok_or_else(|| ApiError::new(Reason::FileNotFound, "no such file"))?;
        let is_member = async |chat: ChatId| self.membership.is_member(caller, chat).await;
        if self.files.visible(caller, &file, is_member).await? {
            Ok(file)
        } else {
            Err(ApiError::new(Reason::PermissionDenied, "the file is another agent's, and in no chat of yours"))
        }
    }
}

/// List the caller's files
///
/// Newest first.
#[utoipa::path(get, path = "/v1.0/service_agents/files", tag = "files", operation_id = "list_files",
    params(PageQuery), responses((status = 200, body = Listed<FileBody>), Refused))]
pub async fn list(
    desk: web::Data<FileDesk>,
    Authed(who, Paging(page)): Authed<Paging>,
) -> Result<web::Json<Listed<FileBody>>, ApiError> {
    let files = desk.files.list(&who.caller, who.caller.agent, page.around(), page.limit).await?;
    Ok(web::Json(listed(&files, |file| (file.created, file.id.0), |file| desk.body(file))))
}

/// One file, without its content
///
/// For its owner, and for members of a chat in which a message carries it.
#[utoipa::path(get, path = "/v1.0/service_agents/files/{id}", tag = "files", operation_id = "get_file",
    params(("id" = Uuid, Path)), responses((status = 200, body = FileBody), Refused, NotFound))]
pub async fn get(desk: web::Data<FileDesk>, Authed(who, Id(id)): Authed<Id<FileId>>) -> Answer {
    let file = desk.find(&who.caller, id).await?;
    Ok(web::Json(desk.body(&file)))
}

/// Remove a file
///
/// For its owner. Messages that carry it keep its name; nobody gets its content any more.
#[utoipa::path(delete, path = "/v1.0/service_agents/files/{id}", tag = "files", operation_id = "delete_file",
    params(("id" = Uuid, Path)), responses((status = 200, body = FileBody), Refused, NotFound))]
pub async fn delete(desk: web::Data<FileDesk>, Authed(who, Id(id)): Authed<Id<FileId>>) -> Answer {
    let file = desk.find(&who.caller, id).await?;
    if file.owner != who.caller.agent {
        return Err(ApiError::new(Reason::PermissionDenied, "only its owner may remove a file"));
    }
    let gone = || ApiError::new(Reason::FileNotFound, "no such file");
    let deleted = time::format(desk.files.delete(&file).await?.ok_or_else(gone)?);
    Ok(web::Json(FileBody { tm_update: deleted.clone(), tm_delete: deleted, ..desk.body(&file) }))
}

/// Upload a file
///
/// It is there once this is answered, and not at all if it is not.
#[utoipa::path(post, path = "/v1.0/service_agents/files", tag = "files", operation_id = "upload_file",
    request_body(content = UploadForm, content_type = "multipart/form-data"),
    responses((status = 200, body = FileBody), Refused))]
pub async fn upload(
    desk: web::Data<FileDesk>,
    request: HttpRequest,
    Authed(who, body): Authed<web::Payload>,
) -> Answer {
    let bytes_max = desk.files.bytes_max().saturating_add(DROPPED_BYTES_MAX);
    let mut form = Multipart::new(request.headers(), bounded(body, bytes_max));
    match read_form(&desk, &who.caller, &mut form).await {
        Ok(arrived) => {
            let file = desk.files.keep(&who.caller, arrived.upload, &arrived.name, &arrived.mime).await?;
            Ok(web::Json(desk.body(&file)))
        }
        Err(refused) => {
            if refused.form_goes_on {
                drop_rest(&mut form, desk.wait).await;
            }
            Err(refused.error)
        }
    }
}

/// Download a file
///
/// All of it, or one stretch (`Range: bytes=0-99`). For whom the record is for. It comes as an
/// attachment, of a type that browsers do not run.
#[utoipa::path(get, path = "/v1.0/service_agents/files/{id}/file", tag = "files", operation_id = "download_file",
    params(("id" = Uuid, Path), ("Range" = Option<String>, Header,
        description = "One stretch of bytes", example = "bytes=0-99")),
    responses((status = 200, description = "All of it", content_type = "application/octet-stream"),
        (status = 206, description = "The stretch", content_type = "application/octet-stream"),
        (status = 304, description = "What `If-None-Match` names is what there is"),
        (status = 416, description = "The stretch begins behind the end", body = ErrorEnvelope),
        Refused, NotFound))]
pub async fn download(
    request: HttpRequest,
    desk: web::Data<FileDesk>,
    Authed(who, Id(id)): Authed<Id<FileId>>,
) -> Result<HttpResponse, ApiError> {
    let file = desk.find(&who.caller, id).await?;
    let asked = |name: header::HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok());
    // The content of an id never changes.
    let tag = format!("\"{id}\"");
    if asked(header::IF_NONE_MATCH).is_some_and(|tags| tags.trim() == "*" || tags.contains(&tag)) {
        return Ok(HttpResponse::NotModified().insert_header((header::ETAG, tag)).finish());
    }
    let whole = asked(header::IF_RANGE).is_some_and(|known| known.trim() != tag);
    match ranges::wanted(asked(header::RANGE).filter(|_| !whole), file.size) {
        Wanted::Whole => {
            let content = desk.files.content(&file, None).await?;
            Ok(answer(&file, &tag, StatusCode::OK, content))
        }
        Wanted::Part(range) => {
            let content = desk.files.content(&file, Some(range)).await?;
            Ok(answer(&file, &tag, StatusCode::PARTIAL_CONTENT, content))
        }
        Wanted::Nothing => Ok(beyond_the_end(&request, file.size)),
    }
}

fn answer(file: &File, tag: &str, status: StatusCode, content: Content) -> HttpResponse {
    let name = ExtendedValue {
        charset: Charset::Ext(String::from("UTF-8")),
        language_tag: None,
        value: file.name.clone().into_bytes(),
    };
    // The plain form is for clients that do not know the other one.
    let plain: String = file.name.chars().map(|c| if matches!(c, ' '..='~') && c != '"' { c } else { '_' }).collect();
    let mut response = HttpResponse::build(status);
    response
        .insert_header(ContentDisposition {
            disposition: DispositionType::Attachment,
            parameters: vec![DispositionParam::Filename(plain), DispositionParam::FilenameExt(name)],
        })
        .insert_header((header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"))
        .insert_header((header::CACHE_CONTROL, "private, no-cache"))
        .insert_header((header::ACCEPT_RANGES, "bytes"))
        .insert_header((header::ETAG, tag))
        // Compressed, a stretch would not be the bytes that were asked for.
        .insert_header(ContentEncoding::Identity)
        .content_type(file.served_mime());
    if status == StatusCode::PARTIAL_CONTENT {
        let (first, last) = (content.range.start, content.range.end.saturating_sub(1));
        response.insert_header((header::CONTENT_RANGE, format!("bytes {first}-{last}/{}", file.size)));
    }
    let length = content.range.end - content.range.start;
    response.body(SizedStream::new(length, content.stream))
}

fn beyond_the_end(request: &HttpRequest, size: u64) -> HttpResponse {
    let error = ApiError::parameter(format!("Range begins behind the end; the file has {size} bytes"));
    let id = request.extensions().get::<RequestId>().map(|id| id.as_str().to_owned()).unwrap_or_default();
    let mut response = HttpResponse::RangeNotSatisfiable()
        .insert_header((header::CONTENT_RANGE, format!("bytes */{size}")))
        .json(error.envelope(&id));
    response.extensions_mut().insert(OwnBody);
    response
}
