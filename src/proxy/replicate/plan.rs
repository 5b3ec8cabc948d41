//! Where a request with files may go.
//!
//! 1. A file may be copied if the pool keeps the form or an account has a copy, and each id in the body can be replaced.
//! 2. What else the request names lives on one account: the request goes there, and the files are copied there.
//! 3. Without such an object the homes of the files come first, then the accounts with copies of all, then any account.
//! 4. The client's key must be open to the homes of all files: a copy gives nobody a file of an account that is closed.
//! 5. Where these rules give no account, the request goes as if nothing were kept.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::dialect::{IdPlace, MAX_NAMED, Naming, id_places};
use crate::proxy::client_request::{ClientRequest, NamedFile, NamedFiles};
use crate::proxy::file_copies::{FileCopies, FileRecord};
use crate::types::{ApiId, ObjectKey, RequestTarget};

/// Where a request with files goes.
#[derive(Debug)]
pub(in crate::proxy) struct FilePlan {
    pub(in crate::proxy) files: NamedFiles,
    /// In the order in which they are asked for.
    pub(in crate::proxy) targets: VecDeque<RequestTarget>,
}

/// A file, and what is kept of it.
struct KeptFile {
    named: NamedFile,
    record: Arc<FileRecord>,
    has_bytes: bool,
}

impl KeptFile {
    fn is_at(&self, api: &ApiId) -> bool {
        self.named.home.as_ref() == Some(api) || self.record.copies.contains_key(api)
    }
}

/// Returns where a request may go that names files. `found`: the homes of all that the request names, as far as known.
pub(in crate::proxy) fn plan(
    copies: &FileCopies,
    request: &ClientRequest,
    found: &[Option<ApiId>],
) -> Option<FilePlan> {
    let objects = &request.objects.objects;
    if !matches!(request.route.objects.names, Naming::WhereFound(_)) || objects.len() >= MAX_NAMED {
        return None;
    }
    let places = id_places(request.route.dialect, request.json());
    let mut files = Vec::new();
    let mut bound: Option<ApiId> = None;
    for (nth, object) in objects.iter().enumerate() {
        let home = found.get(nth).cloned().flatten();
        if let Some(file) = kept_file(copies, (*object, home.clone()), &places) {
            files.push(file);
        } else if nth < request.objects.firm {
            let home = home?;
            if bound.get_or_insert_with(|| home.clone()) != &home {
                return None;
            }
        } else if bound.is_none() {
            bound = home;
        }
    }
    let is_open = |file: &KeptFile| file.named.home.as_ref().is_none_or(|home| request.profile.may_use(home));
    if files.is_empty() || !files.iter().all(is_open) {
        return None;
    }
    let targets = match bound {
        Some(bound) => VecDeque::from([RequestTarget::Home(bound)]),
        None => targets_of(&files),
    };
    (!targets.is_empty())
        .then(|| FilePlan { files: NamedFiles(files.into_iter().map(|file| file.named).collect()), targets })
}

fn kept_file(copies: &FileCopies, (object, home): (ObjectKey, Option<ApiId>), places: &[IdPlace]) -> Option<KeptFile> {
    let own = places.iter().filter(|place| place.object == object);
    let at = own.map(|place| place.at.clone()).collect::<Option<Vec<_>>>().filter(|at| !at.is_empty())?;
    let (record, has_bytes) = copies.find(&object)?;
    Some(KeptFile { named: NamedFile { object, home, at }, record, has_bytes })
}

fn targets_of(files: &[KeptFile]) -> VecDeque<RequestTarget> {
    let may_have_all = |api: &ApiId| files.iter().all(|file| file.has_bytes || file.is_at(api));
    let has_all = |api: &ApiId| files.iter().all(|file| file.is_at(api));
    let homes = files.iter().filter_map(|file| file.named.home.as_ref()).filter(|api| may_have_all(api));
    let of_copies = files.iter().flat_map(|file| file.record.copies.keys()).filter(|api| has_all(api));
    let mut targets: VecDeque<RequestTarget> = VecDeque::new();
    for api in homes.chain(of_copies) {
        let target = RequestTarget::Home(api.clone());
        if !targets.contains(&target) {
            targets.push_back(target);
        }
    }
    if files.iter().all(|file| file.has_bytes) {
        targets.push_back(RequestTarget::Any);
    }
    targets
}
