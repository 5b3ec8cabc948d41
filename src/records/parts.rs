//! The records of a request that is asked in parts: one for each account. What they tried is told with the request's own record.

use std::cell::RefCell;
use std::rc::Rc;

use super::Recorder;
use super::request_record::{OpenRecord, RequestRecord};

/// Takes the records of all parts.
pub struct PartRecords {
    recorder: Recorder,
    like: RequestRecord,
    ended: Rc<RefCell<Vec<RequestRecord>>>,
}

impl PartRecords {
    /// Opens the record of one part.
    pub fn open(&self) -> OpenRecord {
        let RequestRecord { id, method, path, .. } = self.like.clone();
        let mut record = OpenRecord::new(self.recorder.clone(), id, method, path);
        record.with(|record| record.route = self.like.route);
        record
    }
}

impl OpenRecord {
    /// Begins the parts of the request.
    pub fn parts(&mut self) -> Option<PartRecords> {
        let ended: Rc<RefCell<Vec<RequestRecord>>> = Rc::default();
        let recorder = self.recorder().keeping_parts(ended.clone());
        let mut like = None;
        self.with(|record| like = Some(record.clone()));
        Some(PartRecords { recorder, like: like?, ended })
    }

    /// Adds what the parts tried.
    pub fn add_parts(&mut self, parts: PartRecords) {
        let ended = parts.ended.take();
        self.with(|record| record.attempts.extend(ended.into_iter().flat_map(|part| part.attempts)));
    }
}
