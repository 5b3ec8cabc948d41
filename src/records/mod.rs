//! What is recorded of every request: one [`RequestRecord`], sent once when the request ends.
//!
//! [`request_record`] is the value, [`recorder`] the actor that receives all of them. Readers of the records: [`access_log`]
//! writes the line of each request, [`request_cells`] counts for `/metrics`, [`usage`] sums up who used what, the recorder
//! itself keeps the last ones. Nothing else counts
//! requests.

mod access_log;
mod parts;
mod record_bounds;
mod recorder;
mod request_cells;
mod request_end;
mod request_record;
mod sums;
mod usage;

pub use access_log::{LogFormat, REQUESTS};
pub use parts::PartRecords;
pub use recorder::{
    FindRecent, FlushRecords, GetRecent, GetRequestCells, KEPT_REQUESTS, RecentFilter, RecentRequest, RecentRequests,
    RecordReaders, Recorder, RecorderActor, RecorderHandle,
};
pub use request_cells::{
    AttemptCells, MOST_CELLS, RequestCell, RequestCells, RequestTimes, StatusLabel, TokenCell, TokenCounts,
};
pub use request_end::RequestEnd;
pub use request_record::{AttemptRecord, AttemptResult, AttemptStart, OpenRecord, RequestRecord};
pub use usage::{AskUsage, UsageAnswer, UsageError, UsageRecorder, restore_usage};
