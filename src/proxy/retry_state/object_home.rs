//! The home of the objects that a request names.
//!
//! 1. A request that names an object goes to the object's home, and nowhere else. Objects of two homes are an error. Of pieces of earlier
//!    answers with other homes, the last one decides.
//! 2. An unknown home is found by asking: an account without the object says so, and the next account is asked. Such an answer is held
//!    against nobody, and costs neither the retry budget nor `retry.maxAttempts`. At most [`MAX_ASKED`] accounts are asked.
//! 3. The account that serves the request is remembered as the home of all objects that the request names.
//! 4. A home that does not know the object is none: the others are asked.
//! 5. Files that the pool keeps may go beyond their home (`server.replicateFiles`): then there is a list of targets, and the next one is
//!    asked for when nobody of the present one can serve.

use std::collections::VecDeque;

use crate::dialect::NamedObjects;
use crate::homes::Homes;
use crate::proxy::client_request::ClientRequest;
use crate::proxy::pool::Upstreams;
use crate::proxy::replicate::{FilePlan, plan};
use crate::scheduler::AdmissionError;
use crate::types::{ApiId, RequestTarget};

/// How many accounts one request may ask for an object. A client that makes ids up must not cost a call at each of a thousand.
const MAX_ASKED: usize = 32;

/// How many accounts one request may ask to take its files. Each is sent all of their bytes.
const MAX_ASKED_TO_COPY: usize = 4;

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
    /// Where files may go besides, in order.
    others: VecDeque<RequestTarget>,
    /// Accounts without the object.
    asked: usize,
    most_asked: usize,
}

impl ObjectHome {
    /// Begins a request: any upstream may serve.
    pub(in crate::proxy) fn unknown() -> Self {
        ObjectHome { target: RequestTarget::Any, others: VecDeque::new(), asked: 0, most_asked: MAX_ASKED }
    }

    /// Finds the home of a request's objects, or where kept files may go.
    ///
    /// # Errors
    /// When two of the objects that must live together don't.
    pub(in crate::proxy) async fn find_for(
        &mut self,
        upstreams: &impl Upstreams,
        request: &mut ClientRequest,
    ) -> Result<(), TwoHomes> {
        let NamedObjects { objects, firm } = &request.objects;
        let found = upstreams.homes().find(objects, *firm).await;
        let copies = upstreams.copies().filter(|_| request.replicates);
        if let Some(FilePlan { files, mut targets }) = copies.and_then(|copies| plan(copies, request, &found)) {
            self.target = targets.pop_front().unwrap_or(RequestTarget::Any);
            (self.others, self.most_asked) = (targets, MAX_ASKED_TO_COPY);
            request.files = Some(Box::new(files));
            return Ok(());
        }
        self.choose(found, *firm)
    }

    /// Finds the home of a request's objects.
    ///
    /// # Errors
    /// When two of the objects that must live together don't.
    pub(in crate::proxy) async fn find(&mut self, homes: &Homes, named: &NamedObjects) -> Result<(), TwoHomes> {
        let NamedObjects { objects, firm } = named;
        let found = homes.find(objects, *firm).await;
        self.choose(found, *firm)
    }

    fn choose(&mut self, found: Vec<Option<ApiId>>, firm: usize) -> Result<(), TwoHomes> {
        let mut known = found.iter().take(firm).flatten();
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

    /// Returns whether files may go to more places than the present one.
    pub(in crate::proxy) fn has_other_targets(&self) -> bool {
        !self.others.is_empty()
    }

    /// Goes on to the next place of files after a refusal. Returns whether there is one.
    pub(in crate::proxy) fn go_on_after(&mut self, refused: &AdmissionError) -> bool {
        let is_about_the_place = match refused {
            AdmissionError::NoneAvailable { .. } | AdmissionError::ClosedToKey(_) => true,
            AdmissionError::ModelNotFound(_)
            | AdmissionError::OtherFormat { .. }
            | AdmissionError::NotInTime
            | AdmissionError::Overloaded
            | AdmissionError::Stopping => false,
        };
        let Some(next) = self.others.pop_front_if(|_| is_about_the_place) else { return false };
        self.target = next;
        true
    }

    /// Returns whether another account may be asked for the object, after one without.
    pub(in crate::proxy) fn may_ask_another(&self) -> bool {
        self.asked + 1 < self.most_asked
    }

    /// Records that an account does not know the object. An account without a copy of a file says nothing about the file's home.
    pub(in crate::proxy) fn is_not_here(&mut self, request: &ClientRequest, api: &ApiId) {
        self.asked += 1;
        if request.files.as_ref().is_none_or(|files| files.live_at(api)) {
            self.target = RequestTarget::Any;
            self.others.clear();
        }
    }

    /// Remembers the account that served the request, if that is news. The account of a copy is none.
    pub(in crate::proxy) fn served_by(&self, api: &ApiId, homes: &Homes, request: &ClientRequest) {
        let named = &request.objects;
        if !named.objects.is_empty() && self.target == RequestTarget::Any && request.files.is_none() {
            homes.remember(named.objects.clone(), api);
        }
    }
}
