//! TLS in front of a scripted upstream, with a certificate of its own.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertifiedKey, generate_simple_self_signed};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

use super::Upstream;

/// Passes on what comes over TLS to a plain upstream.
pub struct Tls {
    port: u16,
    /// The certificate, as `SSL_CERT_FILE` takes it.
    pub certificate: PathBuf,
}

impl Tls {
    /// In front of `upstream`, for the name `localhost`.
    pub fn before(upstream: &Upstream, folder: &Path) -> Tls {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        let certificate = folder.join("ca.pem");
        std::fs::write(&certificate, cert.pem()).expect("writes");
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key))
            .expect("a configuration");
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let target = upstream.url().trim_start_matches("http://").to_owned();
        listener.set_nonblocking(true).expect("non-blocking");
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                while let Ok((socket, _)) = listener.accept().await {
                    let (acceptor, target) = (acceptor.clone(), target.clone());
                    tokio::spawn(async move {
                        // A client that does not trust the certificate ends here.
                        let Ok(mut session) = acceptor.accept(socket).await else { return };
                        let mut plain = TcpStream::connect(target).await.expect("connects");
                        let _ = tokio::io::copy_bidirectional(&mut session, &mut plain).await;
                    });
                }
            });
        });
        Tls { port, certificate }
    }

    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }
}
