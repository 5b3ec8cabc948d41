//! `server.passthrough`: the account of all unknown paths.

use super::model::{ApiConfig, ServerConfig};
use super::validator::Validator;
use crate::types::WireFormat;

impl Validator<'_> {
    /// Judges the account of unknown paths.
    pub(super) fn passthrough(&mut self, server: &ServerConfig, apis: &[ApiConfig]) {
        let Some(id) = &server.passthrough else { return };
        match apis.iter().find(|api| api.id == *id) {
            // An entry with a mistake is told already.
            None if self.is_known_as_wrong("apis") => {}
            None => self.problem("server.passthrough", "must be the id of an entry of apis"),
            Some(api) if !api.offers(WireFormat::OpenAi) => {
                self.problem("server.passthrough", format!("needs an entry of apis with baseUrl, and {id} has none"));
            }
            Some(_) => {}
        }
    }
}
