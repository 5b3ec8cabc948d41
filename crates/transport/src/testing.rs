//! For tests: a resolver that knows one name.

use std::net::SocketAddr;

use actix_tls::connect::{Resolve, Resolver, ResolverService};
use futures_util::future::LocalBoxFuture;

/// The addresses of `upstream.example`.
#[derive(Clone)]
struct Addresses(Vec<SocketAddr>);

impl Resolve for Addresses {
    fn lookup<'a>(
        &'a self,
        host: &'a str,
        _port: u16,
    ) -> LocalBoxFuture<'a, Result<Vec<SocketAddr>, Box<dyn std::error::Error>>> {
        assert_eq!(host, "upstream.example", "only this name is to be resolved here");
        Box::pin(async { Ok(self.0.clone()) })
    }
}

/// Returns a resolver by which `upstream.example` has these addresses, and no other name is asked for.
pub(crate) fn resolver(addresses: &[SocketAddr]) -> ResolverService {
    Resolver::custom(Addresses(addresses.to_vec())).service()
}
