//! The server under the routes: accepts connections up to a bound, and gives each one deadlines and a worker.

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

/// How long a connection may take to close, and how much longer the error event behind a cut answer may take.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Where connections come from.
pub struct Listening {
    /// The listening sockets.
    pub listeners: Vec<TcpListener>,
    /// The dashboard's own listening sockets. Without any, the others have the dashboard, too.
    pub admin: Vec<TcpListener>,
    /// So many are served at the same time; others are answered with 503.
    pub max_connections: usize,
    /// Clients speak TLS, if there is one.
    pub certificate: Option<Arc<Certificate>>,
}

/// Starts serving. To be called in a running `System`.
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
        // actix-server has a limit for each worker. Connections above `most` are accepted only to be answered with 503; when
        // these slots are full as well, new ones wait in the listen backlog.
        .max_concurrent_connections((most + spare(most)).div_ceil(workers))
        .shutdown_timeout(grace.as_secs());
    let tls = listening.certificate.map(tls::acceptor).transpose()?;
    let has_own = !listening.admin.is_empty();
    let listeners = listening.listeners.into_iter().map(|listener| (listener, !has_own));
    for (listener, has_pages) in listeners.chain(listening.admin.into_iter().map(|listener| (listener, true))) {
        let address = listener.local_addr()?;
        let core = core.clone();
        let stop = builder.graceful_shutdown_signal();
        let (tls, concurrency, port) = (tls.clone(), core.concurrency.clone(), ListenerPort(address.port()));
        let context = ListenerContext { tls, concurrency, most, has_pages, port };
        builder =
            builder.listen(address.to_string(), listener, move || service(&core, context.clone(), stop.clone()))?;
    }
    Ok(builder.run())
}

/// Returns how many connections may be answered with 503 at the same time.
fn spare(most: usize) -> usize {
    (most / 8).clamp(4, 256)
}

/// What a new connection needs of the listener.
#[derive(Clone)]
struct ListenerContext {
    tls: Option<TlsAcceptor>,
    concurrency: Arc<Concurrency>,
    most: usize,
    /// The dashboard is served.
    has_pages: bool,
    port: ListenerPort,
}

/// The port at which a connection came in. Known of each connection.
#[derive(Debug, Clone, Copy)]
pub struct ListenerPort(pub u16);

fn service(
    core: &Core,
    context: ListenerContext,
    stop: GracefulShutdownSignal,
) -> impl ServiceFactory<TcpStream, Config = (), Response = (), Error = DispatchError, InitError = ()> + use<> {
    let (limits, port) = (&core.initial.server.limits, context.port);
    let timeouts = SocketTimeouts { head: limits.head_timeout, write: limits.write_timeout };
    let http = HttpService::build()
        .keep_alive(KEEP_ALIVE)
        .client_request_timeout(limits.head_timeout)
        .client_disconnect_timeout(CLOSE_WITHIN)
        // So a hang-up is noticed at once, and the upstream is stopped.
        .h1_allow_half_closed(false)
        // Idle connections close when the server stops.
        .graceful_shutdown_signal(move || {
            let stop = stop.clone();
            async move { stop.notified().await }
        })
        .on_connect_ext(move |socket: &Socket, known| {
            known.insert(socket.state.clone());
            known.insert(port);
        })
        .finish(map_config(routes(Worker::start(core), context.has_pages.then(|| core.more.clone())), |()| {
            AppConfig::default()
        }));
    fn_service(move |tcp: TcpStream| accept(tcp, context.clone(), timeouts)).and_then(http)
}

/// Makes a connection ready for the first request.
async fn accept(
    tcp: TcpStream,
    ListenerContext { tls, concurrency, most, .. }: ListenerContext,
    timeouts: SocketTimeouts,
) -> Result<(Socket, Protocol, Option<SocketAddr>), DispatchError> {
    let peer = tcp.peer_addr().ok();
    let slot = concurrency.connect(most);
    // Otherwise an event waits for the acknowledgement of the one before: 40 ms at the 99th percentile.
    tcp.set_nodelay(true)?;
    let stream = match tls {
        None => ClientStream::Plain(tcp),
        Some(tls) => {
            let session = timeout(timeouts.head, tls.accept(tcp)).await.map_err(|_| io::ErrorKind::TimedOut.into());
            let session = session.and_then(|session| session);
            ClientStream::Tls(Box::new(session.inspect_err(|e| log::debug!("{peer:?}: no TLS: {e}"))?))
        }
    };
    Ok((Socket::new(stream, timeouts, slot), Protocol::Http1, peer))
}
