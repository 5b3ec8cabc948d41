//! From typed keys to meant ones: the keys of clients, and of people who operate the pool.

mod expiry;
#[cfg(test)]
mod tests;
mod validate;

pub(super) use validate::Served;
