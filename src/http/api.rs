//! The route table, whole, and the documents about it. A test holds the two together: every route
//! is in `/openapi.json`, and every call that is in there has a route.

use actix_web::{HttpResponse, web};
use utoipa::openapi::OpenApi as Document;
use utoipa::{Modify, OpenApi};

use crate::wire::error::{ErrorBody, ErrorEnvelope};

use super::docs::Conventions;
use super::{
    access_keys, agents, chats, customers, docs_page, events_doc, files, health, login, messages, participants,
    reactions, web as web_files, ws,
};

/// Every route of the hub.
pub fn routes(config: &mut web::ServiceConfig) {
    config
        .configure(health::routes)
        .configure(login::routes)
        .configure(customers::routes)
        .configure(agents::routes)
        .configure(access_keys::routes)
        .configure(chats::routes)
        .configure(participants::routes)
        .configure(messages::routes)
        .configure(reactions::routes)
        .configure(files::routes)
        .configure(ws::routes)
        .configure(docs_page::routes)
        .configure(web_files::routes)
        .service(web::resource("/openapi.json").route(web::get().to(openapi)))
        .service(web::resource("/asyncapi.json").route(web::get().to(asyncapi)));
}

/// The head of the document; each file of routes brings its own part.
#[derive(OpenApi)]
#[openapi(
    info(title = "Talk hub", description = include_str!("api.md")),
    servers((url = "/", description = "This hub")),
    tags(
        (name = "auth", description = "Signing in. A token or an access key then goes with every call."),
        (name = "chats", description = "Direct chats of two, groups by invitation, and public channels (`talk`) that \
            any agent of the customer may find and join."),
        (name = "participants", description = "Who is in a chat: listed, taken in, taken out, leaving."),
        (name = "messages", description = "What is said in chats, in threads of any depth, with attachments."),
        (name = "reactions", description = "Emoji on messages."),
        (name = "files", description = "Uploads, which messages then carry. Content streams both ways."),
        (name = "events", description = "What happens, as it happens, over a WebSocket; the frames are described in \
            `/asyncapi.json`."),
        (name = "me", description = "What an agent sees and changes of itself."),
        (name = "agents", description = "The people of a customer, looked after by its admins and managers."),
        (name = "accesskeys", description = "Credentials for programs, which act as the agent who made them."),
        (name = "customers", description = "Tenants. Nothing of one is ever visible to another."),
        (name = "health", description = "For load balancers and operators."),
        (name = "documents", description = "Descriptions of the hub, made from its code."),
    ),
    paths(openapi, asyncapi),
    components(schemas(ErrorEnvelope, ErrorBody)),
)]
struct Head;

/// The description of every call, made from the code.
#[must_use]
pub fn document() -> Document {
    let mut document = Head::openapi();
    for part in [
        health::Docs::openapi(),
        login::Docs::openapi(),
        customers::Docs::openapi(),
        agents::Docs::openapi(),
        access_keys::Docs::openapi(),
        chats::Docs::openapi(),
        participants::Docs::openapi(),
        messages::Docs::openapi(),
        reactions::Docs::openapi(),
        files::Docs::openapi(),
        ws::Docs::openapi(),
        docs_page::Docs::openapi(),
        web_files::Docs::openapi(),
    ] {
        document.merge(part);
    }
    Conventions.modify(&mut document);
    document
}

/// This description, as OpenAPI 3.1
#[utoipa::path(get, path = "/openapi.json", tag = "documents", operation_id = "openapi", security(()),
    responses((status = 200, description = "OpenAPI", body = Object)))]
async fn openapi(texts: web::Data<ApiText>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(texts.openapi.clone())
}

/// The frames of a WebSocket, as AsyncAPI 3.0
#[utoipa::path(get, path = "/asyncapi.json", tag = "documents", operation_id = "asyncapi", security(()),
    responses((status = 200, description = "AsyncAPI", body = Object)))]
async fn asyncapi(texts: web::Data<ApiText>) -> HttpResponse {
    HttpResponse::Ok().content_type("application/json").body(texts.asyncapi.clone())
}

/// The documents as they go out; made once.
pub struct ApiText {
    openapi: bytes::Bytes,
    asyncapi: bytes::Bytes,
}

impl ApiText {
    /// Writes the documents.
    ///
    /// # Errors
    /// A fault of ours: one cannot be written.
    pub fn write() -> Result<Self, serde_json::Error> {
        let openapi = serde_json::to_vec(&document())?.into();
        let asyncapi = serde_json::to_vec(&events_doc::document())?.into();
        Ok(Self { openapi, asyncapi })
    }
}

#[cfg(test)]
mod tests;
