//! The home of the objects that a request names.
//!
//! 1. A request that names an object goes to the object's home, and nowhere else. Objects of two homes are an error. Of pieces of earlier
//!    answers with other homes, the last one decides.
//! 2. An unknown home is found by asking: an account without the object says so, and the next account is asked. Such an answer is held
//!    against nobody, and costs neither the retry budget nor `retry.maxAttempts`. At most [`MAX_ASKED`] accounts are asked.
//! 3. The account that serves the request is remembered as the home of all objects that the request names.
//! 4. A home that does not know the object is none: the others are asked.

use crate::dialect::NamedObjects;
use crate::homes::Homes;
use crate::types::{ApiId, RequestTarget};

/// How many accounts one request may ask for an object. A client that makes ids up must not cost a call at each of a thousand.
const MAX_ASKED: usize = 32;

/// The homes of two objects that one request names.
#[derive(Debug)]
pub(in crate::proxy) struct TwoHomes {
    pub(in crate::proxy) one: ApiId,
    pub(in crate::proxy) other: ApiId,
}

/// What one request knows of the home of its objects.
pub(in crate::proxy) struct ObjectHome {
    /// The home, as far as known.
    pub(in crate::proxy) target: RequestTarget,
    /// Accounts without the object.
    asked: usize,
}

impl ObjectHome {
    /// Begins a request: any upstream may serve.
    pub(in crate::proxy) fn unknown() -> Self {
        ObjectHome { target: RequestTarget::Any, asked: 0 }
    }

    /// Finds the home of a request's objects.
    ///
    /// # Errors
    /// When two of the objects that must live together don't.
    pub(in crate::proxy) async fn find(&mut self, homes: &Homes, named: &NamedObjects) -> Result<(), TwoHomes> {
        let NamedObjects { objects, firm } = named;
        let found = homes.find(objects, *firm).await;
        let mut known = found.iter().take(*firm).flatten();
        if let Some(one) = known.next()
            && let Some(other) = known.find(|other| *other != one)
        {
            return Err(TwoHomes { one: one.clone(), other: other.clone() });
        }
        if let Some(home) = found.into_iter().flatten().next() {
            self.target = RequestTarget::Home(home);
        }
        Ok(())
    }

    /// Returns whether another account may be asked for the object, after one without.
    pub(in crate::proxy) fn may_ask_another(&self) -> bool {
        self.asked + 1 < MAX_ASKED
    }

    /// Records that an account does not know the object.
    pub(in crate::proxy) fn is_not_here(&mut self) {
        self.asked += 1;
        self.target = RequestTarget::Any;
    }

    /// Remembers the account that served the request, if that is news.
    pub(in crate::proxy) fn served_by(&self, api: &ApiId, homes: &Homes, named: &NamedObjects) {
        if !named.objects.is_empty() && self.target == RequestTarget::Any {
            homes.remember(named.objects.clone(), api);
        }
    }
}
