//! TLS in front of upstreams, with a certificate of a test's own, and an upstream that handles its connections itself.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::server::Acceptor;
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

use super::Upstream;

/// Who answers to the name `localhost`.
#[derive(Clone)]
pub struct Identity {
    config: Arc<ServerConfig>,
    /// The certificate, as `SSL_CERT_FILE` takes it.
    pub certificate: PathBuf,
}

impl Identity {
    pub fn new(folder: &Path) -> Identity {
        Identity::speaking(folder, &[])
    }

    /// One that offers these protocols by ALPN.
    pub fn speaking(folder: &Path, protocols: &[&str]) -> Identity {
        Identity::of(IsCa::NoCa, folder, protocols)
    }

    /// One whose certificate may sign others, as `openssl req -x509` makes it.
    pub fn signing(folder: &Path, protocols: &[&str]) -> Identity {
        Identity::of(IsCa::Ca(BasicConstraints::Unconstrained), folder, protocols)
    }

    fn of(is_ca: IsCa, folder: &Path, protocols: &[&str]) -> Identity {
        let mut params = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
        params.is_ca = is_ca;
        let signing_key = KeyPair::generate().expect("a key");
        let cert = params.self_signed(&signing_key).expect("a certificate");
        let certificate = folder.join("ca.pem");
        std::fs::write(&certificate, cert.pem()).expect("writes");
        let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .and_then(|builder| builder.with_no_client_auth().with_single_cert(vec![cert.der().clone()], key))
            .expect("a configuration");
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Identity { config: Arc::new(config), certificate }
    }

    pub fn config(&self) -> Arc<ServerConfig> {
        self.config.clone()
    }
}

/// Passes on what comes over TLS to a plain upstream.
pub struct Tls {
    port: u16,
    config: Arc<Mutex<Arc<ServerConfig>>>,
    offers: Arc<Mutex<Vec<Vec<String>>>>,
    /// The certificate, as `SSL_CERT_FILE` takes it.
    pub certificate: PathBuf,
}

impl Tls {
    /// In front of `upstream`, for the name `localhost`.
    pub fn before(upstream: &Upstream, folder: &Path) -> Tls {
        Tls::speaking(upstream, &Identity::new(folder))
    }

    /// The same, with this certificate and the protocols that it offers.
    pub fn speaking(upstream: &Upstream, identity: &Identity) -> Tls {
        Tls::at(&upstream.url(), identity)
    }

    /// The same in front of a plain address.
    pub fn at(url: &str, identity: &Identity) -> Tls {
        let config = Arc::new(Mutex::new(identity.config()));
        let current = config.clone();
        let offers = Arc::<Mutex<Vec<Vec<String>>>>::default();
        let told = offers.clone();
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let target = url.trim_start_matches("http://").to_owned();
        listener.set_nonblocking(true).expect("non-blocking");
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener).expect("a listener");
                while let Ok((socket, _)) = listener.accept().await {
                    let (config, target, told) = (current.lock().expect("whole").clone(), target.clone(), told.clone());
                    tokio::spawn(async move {
                        let Ok(hello) = LazyConfigAcceptor::new(Acceptor::default(), socket).await else { return };
                        let names = hello.client_hello().alpn().into_iter().flatten();
                        let names = names.map(|name| String::from_utf8_lossy(name).into_owned()).collect();
                        told.lock().expect("whole").push(names);
                        // A client that does not trust the certificate ends here.
                        let Ok(mut session) = hello.into_stream(config).await else { return };
                        let mut plain = tokio::net::TcpStream::connect(target).await.expect("connects");
                        let _ = tokio::io::copy_bidirectional(&mut session, &mut plain).await;
                    });
                }
            });
        });
        Tls { port, config, offers, certificate: identity.certificate.clone() }
    }

    /// From now on it offers these protocols.
    pub fn speak(&self, protocols: &[&str]) {
        let mut config = self.config.lock().expect("whole");
        Arc::make_mut(&mut config).alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
    }

    /// What each connection so far offered to speak.
    pub fn offers(&self) -> Vec<Vec<String>> {
        self.offers.lock().expect("whole").clone()
    }

    pub fn url(&self) -> String {
        format!("https://localhost:{}", self.port)
    }
}

/// A connection as a wild upstream has it. Dropping it with something unread resets it.
pub enum Connection {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Connection {
    pub fn socket(&self) -> &TcpStream {
        match self {
            Connection::Plain(socket) => socket,
            Connection::Tls(session) => &session.sock,
        }
    }

    /// Says that nothing more will be written; what comes can still be read.
    pub fn half_close(&mut self) {
        if let Connection::Tls(session) = self {
            session.conn.send_close_notify();
            let _ = session.flush();
        }
        let _ = self.socket().shutdown(Shutdown::Write);
    }
}

impl Read for Connection {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        match self {
            Connection::Plain(socket) => socket.read(buf),
            Connection::Tls(session) => session.read(buf),
        }
    }
}

impl Write for Connection {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        match self {
            Connection::Plain(socket) => socket.write(buf),
            Connection::Tls(session) => session.write(buf),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Connection::Plain(socket) => socket.flush(),
            Connection::Tls(session) => session.flush(),
        }
    }
}

/// An upstream that reads and writes when it likes, plain or over TLS: a thread runs `handle` for each connection.
pub struct Wild {
    port: u16,
    tls: bool,
}

impl Wild {
    /// `handle` is told how many connections there were before.
    pub fn start(
        identity: Option<&Identity>,
        handle: impl Fn(&mut Connection, usize) -> io::Result<()> + Send + Sync + 'static,
    ) -> Wild {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("bound").port();
        let (config, handle) = (identity.map(Identity::config), Arc::new(handle));
        std::thread::spawn(move || {
            for (nth, socket) in listener.incoming().map_while(Result::ok).enumerate() {
                let (config, handle) = (config.clone(), handle.clone());
                std::thread::spawn(move || {
                    let _ = socket.set_nodelay(true);
                    let mut connection = match config {
                        None => Connection::Plain(socket),
                        Some(config) => {
                            let session = ServerConnection::new(config).expect("a session");
                            Connection::Tls(Box::new(StreamOwned::new(session, socket)))
                        }
                    };
                    // A client that leaves early is what tests are about.
                    let _ = handle(&mut connection, nth);
                });
            }
        });
        Wild { port, tls: identity.is_some() }
    }

    pub fn url(&self) -> String {
        if self.tls { format!("https://localhost:{}", self.port) } else { format!("http://127.0.0.1:{}", self.port) }
    }
}
