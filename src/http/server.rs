//! The server under the routes: takes connections, up to a bound, and gives each to a worker with its deadlines.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol};
use actix_server::{GracefulShutdownSignal, Server, ServerBuilder};
use actix_service::{ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::AppConfig;
use actix_web::rt::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::socket::{Patience, Socket, Wire};
use super::{Certificate, Core, Worker, routes, tls};

/// How long a client's connection is kept idle.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long a connection may take to close, and how much longer than others an answer may take whose end was told.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Where connections come from.
pub struct Listening {
    /// They come here.
    pub listeners: Vec<TcpListener>,
    /// So many at the same time; others wait.
    pub max_connections: usize,
    /// They speak TLS, with this.
    pub certificate: Option<Arc<Certificate>>,
}

/// Begins to serve. To be called in a running `System`.
///
/// # Errors
/// When the system refuses.
pub fn serve(core: &Core, listening: Listening) -> io::Result<Server> {
    let config = &core.initial;
    let workers = config.actors.workers.or_else(|| available_parallelism().ok().map(usize::from)).unwrap_or(1);
    let grace = config.server.edge.shutdown_timeout + CLOSE_WITHIN;
    let mut builder = Server::build()
        .disable_signals()
        .workers(workers)
        // Each worker's share.
        .max_concurrent_connections(listening.max_connections.div_ceil(workers))
        .shutdown_timeout(grace.as_secs());
    let tls = listening.certificate.map(tls::acceptor).transpose()?;
    for listener in listening.listeners {
        builder = listen(builder, core.clone(), tls.clone(), listener)?;
    }
    Ok(builder.run())
}

fn listen(
    builder: ServerBuilder,
    core: Core,
    tls: Option<TlsAcceptor>,
    listener: TcpListener,
) -> io::Result<ServerBuilder> {
    let name = listener.local_addr()?.to_string();
    let stop = builder.graceful_shutdown_signal();
    builder.listen(name, listener, move || service(&core, tls.clone(), stop.clone()))
}

/// What becomes of a connection.
fn service(
    core: &Core,
    tls: Option<TlsAcceptor>,
    stop: GracefulShutdownSignal,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()> + use<> {
    let edge = &core.initial.server.edge;
    let patience = Patience { head: edge.head_timeout, write: edge.write_timeout };
    let http = HttpService::build()
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(edge.head_timeout)
        .client_disconnect_timeout(CLOSE_WITHIN)
        // A client that hangs up is noticed at once, and its upstream is stopped.
        .h1_allow_half_closed(false)
        // Idle connections close when the server stops.
        .graceful_shutdown_signal(move || {
            let stop = stop.clone();
            async move { stop.notified().await }
        })
        .on_connect_ext(|socket: &Socket, known| {
            known.insert(socket.requests.clone());
        })
        .finish(map_config(routes(Worker::start(core)), |()| AppConfig::default()));
    fn_service(move |tcp: TcpStream| welcome(tcp, tls.clone(), patience)).and_then(http)
}

/// A connection, ready for its first request.
async fn welcome(
    tcp: TcpStream,
    tls: Option<TlsAcceptor>,
    patience: Patience,
) -> Result<(Socket, Protocol, Option<SocketAddr>), DispatchError> {
    let peer = tcp.peer_addr().ok();
    // Without it an event waits for the acknowledgement of the one before: 40 ms at the 99th percentile.
    tcp.set_nodelay(true)?;
    let wire = match tls {
        None => Wire::Plain(tcp),
        Some(tls) => {
            let session = timeout(patience.head, tls.accept(tcp)).await.map_err(|_| io::ErrorKind::TimedOut.into());
            let session = session.and_then(|session| session);
            Wire::Tls(Box::new(session.inspect_err(|e| log::debug!("{peer:?}: no TLS: {e}"))?))
        }
    };
    Ok((Socket::new(wire, patience), Protocol::Http1, peer))
}
