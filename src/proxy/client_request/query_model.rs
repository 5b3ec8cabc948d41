//! The model in a query, as realtime sessions name theirs, and the call that a session joins.
//!
//! 1. `model`, or `deployment` as Azure's clients write. Two different names are refused: two readers could take either.
//! 2. An upstream gets its own name for the model in the place of the client's, as the parameter that the upstream knows. Every other byte
//!    stays.

use std::borrow::Cow;

use url::form_urlencoded;

use super::{ClientRequest, InvalidRequest, checked_model};
use crate::dialect::ModelPlace;
use crate::types::ObjectKey;
use crate::upstream::{Endpoint, Reach};

/// The parameters with a model: OpenAI's, and Azure's.
const MODEL: [&str; 2] = ["model", "deployment"];

/// The parameter with a call that lives on one account.
const CALL: &str = "call_id";

impl ClientRequest {
    /// Reads the model, and the call, out of the query.
    ///
    /// # Errors
    /// When the name is none, or there are two.
    pub(super) fn read_model_of_query(&mut self) -> Result<(), InvalidRequest> {
        let mut named = self.query.split('&').filter_map(|part| value_of(part, &MODEL));
        let model = named.next();
        if named.any(|other| Some(&other) != model.as_ref()) {
            let message = "the query names two models".to_owned();
            return Err(InvalidRequest { message, param: Some("model") });
        }
        let is_absent = model.is_none();
        self.profile.model = checked_model(self.route, model.map(Into::into), is_absent)?;
        let calls = self.query.split('&').filter_map(|part| value_of(part, &[CALL]));
        let calls: Vec<ObjectKey> = calls.filter(|id| !id.is_empty()).map(|id| ObjectKey::of_id(&id)).collect();
        let at = self.objects.firm;
        self.objects.firm += calls.len();
        self.objects.objects.splice(at..at, calls);
        Ok(())
    }

    /// Returns the query for an upstream.
    pub(in crate::proxy) fn query_for(&self, endpoint: &Endpoint) -> Cow<'_, str> {
        if self.route.model != ModelPlace::QueryOrNowhere || self.profile.model.is_empty() {
            return Cow::Borrowed(&self.query);
        }
        let own = self.sent_model(endpoint);
        let [usual, classic] = MODEL;
        let name = if endpoint.reach(self.route.id.format()).is_some_and(Reach::is_classic) { classic } else { usual };
        let is_as_wanted = |part: &str| value_of(part, &[if name == usual { classic } else { usual }]).is_none();
        if own.is_none() && self.query.split('&').all(is_as_wanted) {
            return Cow::Borrowed(&self.query);
        }
        let own: String = form_urlencoded::byte_serialize(own.unwrap_or(&self.profile.model).as_bytes()).collect();
        let part_for = |part: &str| match value_of(part, &MODEL) {
            Some(_) if value_of(part, &[name]).is_some() => {
                let typed = part.split('=').next().unwrap_or_default();
                format!("{typed}={own}")
            }
            Some(_) => format!("{name}={own}"),
            None => part.to_owned(),
        };
        Cow::Owned(self.query.split('&').map(part_for).collect::<Vec<_>>().join("&"))
    }
}

/// Returns the value of a part of a query, if the part has one of these names.
fn value_of(part: &str, names: &[&str]) -> Option<String> {
    let (name, value) = form_urlencoded::parse(part.as_bytes()).next()?;
    names.contains(&&*name).then(|| value.into_owned())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::HeaderMap;
    use actix_web::web::Bytes;
    use serde_json::json;

    use super::*;
    use crate::dialect::{CalledRoute, routes_at};
    use crate::testing;
    use crate::types::{Verb, WireFormat};

    fn asked(query: &str) -> Result<ClientRequest, InvalidRequest> {
        let mut rows = routes_at("realtime", WireFormat::OpenAi);
        let row = rows.find(|row| row.id.verb() == Verb::Get).expect("a row");
        let mut request = ClientRequest::parse_called(CalledRoute::of_row(row), &HeaderMap::new(), Bytes::new())?;
        request.set_query(query).map(|()| request)
    }

    #[test]
    fn a_model_in_the_query_is_read_and_its_name_alone_is_changed() {
        let api = testing::api("a", &json!({ "models": ["m", "x/y z"], "modelMapping": { "m": "its/own & name" } }));
        let endpoint = Endpoint::new(&testing::config(&json!({ "apis": [api] })).apis[0]);
        for (query, model, sent) in [
            ("model=m", "m", "model=its%2Fown+%26+name"),
            ("a=b%20c&mod%65l=m&key=secret&z=%2f", "m", "a=b%20c&mod%65l=its%2Fown+%26+name&z=%2f"),
            ("api-version=1&deployment=m", "m", "api-version=1&model=its%2Fown+%26+name"),
            ("deployment=x%2Fy+z", "x/y z", "model=x%2Fy+z"),
            ("model=x%2Fy+z&model=x/y%20z", "x/y z", "model=x%2Fy+z&model=x/y%20z"),
            ("intent=transcription", "", "intent=transcription"),
            ("", "", ""),
        ] {
            let request = asked(query).expect("sound");
            assert_eq!((&*request.profile.model, &*request.query_for(&endpoint)), (model, sent), "{query}");
        }
        for query in ["model=a&model=b", "model=a&deployment=b", "model=", &format!("model={}", "x".repeat(300))] {
            assert!(asked(query).is_err(), "{query}");
        }
        assert_eq!(asked("call_id=rtc_1").expect("sound").objects.objects, [ObjectKey::of_id("rtc_1")]);
    }
}
