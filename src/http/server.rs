//! The server under the routes: takes connections, up to a bound, and gives each to a worker with its deadlines.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::thread::available_parallelism;
use std::time::Duration;

use actix_http::error::DispatchError;
use actix_http::{HttpService, Protocol};
use actix_server::{Server, ServerBuilder};
use actix_service::{ServiceFactory, ServiceFactoryExt, fn_service, map_config};
use actix_web::dev::AppConfig;
use actix_web::rt::net::TcpStream;

use super::socket::{Patience, Socket, Wire};
use super::{Core, Worker, routes};

/// How long a client's connection is kept idle.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long a connection may take to close, and how much longer than others an answer may take whose end was told.
const CLOSE_WITHIN: Duration = Duration::from_secs(2);

/// Begins to serve on these listeners. To be called in a running `System`.
///
/// # Errors
/// When the system refuses.
pub fn serve(core: &Core, listeners: Vec<TcpListener>, max_connections: usize) -> io::Result<Server> {
    let config = &core.initial;
    let workers = config.actors.workers.or_else(|| available_parallelism().ok().map(usize::from)).unwrap_or(1);
    let grace = config.server.edge.shutdown_timeout + CLOSE_WITHIN;
    let mut builder = Server::build()
        .disable_signals()
        .workers(workers)
        // Each worker's share.
        .max_concurrent_connections(max_connections.div_ceil(workers))
        .shutdown_timeout(grace.as_secs());
    for listener in listeners {
        builder = listen(builder, core.clone(), listener)?;
    }
    Ok(builder.run())
}

fn listen(builder: ServerBuilder, core: Core, listener: TcpListener) -> io::Result<ServerBuilder> {
    let address = listener.local_addr()?;
    let stop = builder.graceful_shutdown_signal();
    builder.listen(format!("http://{address}"), listener, move || service(&core, stop.clone()))
}

/// What becomes of a connection.
fn service(
    core: &Core,
    stop: actix_server::GracefulShutdownSignal,
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
    fn_service(move |tcp: TcpStream| welcome(tcp, patience)).and_then(http)
}

/// A connection, ready for its first request.
async fn welcome(tcp: TcpStream, patience: Patience) -> Result<(Socket, Protocol, Option<SocketAddr>), DispatchError> {
    let peer = tcp.peer_addr().ok();
    // Without it an event waits for the acknowledgement of the one before: 40 ms at the 99th percentile.
    tcp.set_nodelay(true)?;
    Ok((Socket::new(Wire::Plain(tcp), patience), Protocol::Http1, peer))
}
