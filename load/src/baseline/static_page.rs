//! The ceiling for reading: actix-web, on which the hub stands too, answering every request with the same bytes.
//!
//! No token is checked, no chat looked up, nothing is turned into JSON: what a page of history costs above this is the
//! hub's own. Two workers, as the hub has on the machine of the goals.

use std::io;
use std::net::Ipv4Addr;

use actix_web::{App, HttpResponse, HttpServer, web};

/// The same number as the hub has by itself on two cores.
pub const WORKERS: usize = 2;

/// Serves `bytes` bytes under every path on a loopback port until the process is killed.
pub fn serve(port: u16, bytes: usize, workers: usize) -> io::Result<()> {
    let page = web::Bytes::from(vec![b'x'; bytes]);
    actix_web::rt::System::new().block_on(async move {
        HttpServer::new(move || {
            let page = page.clone();
            App::new().default_service(web::to(move || {
                let answer = HttpResponse::Ok().content_type("application/json").body(page.clone());
                async move { answer }
            }))
        })
        .workers(workers)
        .bind((Ipv4Addr::LOCALHOST, port))?
        .run()
        .await
    })
}
