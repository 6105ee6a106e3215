//! A proxy that speaks TLS before a hub, as in front of any hub that is not beside its users.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// Goes on until the runtime ends. Its address, and the file with the certificate of who vouches for it.
pub(crate) async fn proxy(to: SocketAddr, dir: &std::path::Path) -> (String, PathBuf) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let authority = dir.join("authority.pem");
    std::fs::write(&authority, made.cert.pem()).expect("written");
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).expect("a key");
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .expect("a configuration");
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that does not trust us ends here, and says so itself.
                let Ok(mut client) = acceptor.accept(client).await else { return };
                let mut hub = TcpStream::connect(to).await.expect("a hub");
                copy_bidirectional(&mut client, &mut hub).await.ok();
            });
        }
    });
    (format!("https://localhost:{port}"), authority)
}
