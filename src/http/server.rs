//! The server under the routes: takes connections, up to a bound, and gives each to a worker with its deadlines.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::available_parallelism;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol};
use actix_server::{GracefulShutdownSignal, Server};
use actix_service::{ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::AppConfig;
use actix_web::rt::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::socket::{ClientStream, Socket, SocketTimeouts};
use super::{Certificate, Concurrency, Core, Worker, routes, tls};

/// How long a client's connection is kept idle.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long a connection may take to close, and how much longer than others an answer may take whose end was told.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Where connections come from.
pub struct Listening {
    /// They come here.
    pub listeners: Vec<TcpListener>,
    /// So many at the same time; others are told that they are too many.
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
    let most = listening.max_connections;
    let grace = config.server.limits.shutdown_timeout + CLOSE_WITHIN;
    let mut builder = Server::build()
        .disable_signals()
        .workers(workers)
        // Each worker's share. Where even those are many who are told that they are too many, others wait in the system's queue.
        .max_concurrent_connections((most + spare(most)).div_ceil(workers))
        .shutdown_timeout(grace.as_secs());
    let tls = listening.certificate.map(tls::acceptor).transpose()?;
    for listener in listening.listeners {
        let (name, core, stop) = (listener.local_addr()?.to_string(), core.clone(), builder.graceful_shutdown_signal());
        let door = ListenerContext { tls: tls.clone(), load: core.concurrency.clone(), most };
        builder = builder.listen(name, listener, move || service(&core, door.clone(), stop.clone()))?;
    }
    Ok(builder.run())
}

/// How many may be told at the same time that they are too many.
fn spare(most: usize) -> usize {
    (most / 8).clamp(4, 256)
}

/// What a connection passes before its first request.
#[derive(Clone)]
struct ListenerContext {
    tls: Option<TlsAcceptor>,
    load: Arc<Concurrency>,
    most: usize,
}

/// What becomes of a connection.
fn service(
    core: &Core,
    door: ListenerContext,
    stop: GracefulShutdownSignal,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()> + use<> {
    let limits = &core.initial.server.limits;
    let patience = SocketTimeouts { head: limits.head_timeout, write: limits.write_timeout };
    let http = HttpService::build()
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(limits.head_timeout)
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
    fn_service(move |tcp: TcpStream| accept(tcp, door.clone(), patience)).and_then(http)
}

/// A connection, ready for its first request.
async fn accept(
    tcp: TcpStream,
    ListenerContext { tls, load, most }: ListenerContext,
    patience: SocketTimeouts,
) -> Result<(Socket, Protocol, Option<SocketAddr>), DispatchError> {
    let (peer, place) = (tcp.peer_addr().ok(), load.connect(most));
    // Without it an event waits for the acknowledgement of the one before: 40 ms at the 99th percentile.
    tcp.set_nodelay(true)?;
    let wire = match tls {
        None => ClientStream::Plain(tcp),
        Some(tls) => {
            let session = timeout(patience.head, tls.accept(tcp)).await.map_err(|_| io::ErrorKind::TimedOut.into());
            let session = session.and_then(|session| session);
            ClientStream::Tls(Box::new(session.inspect_err(|e| log::debug!("{peer:?}: no TLS: {e}"))?))
        }
    };
    Ok((Socket::new(wire, patience, place), Protocol::Http1, peer))
}
