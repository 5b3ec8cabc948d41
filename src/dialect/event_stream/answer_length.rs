//! The length of an answer, for an estimate of its tokens.

use crate::dialect::event_meaning::ContentLength;
use crate::types::tokens_of_text;

/// The length of an answer by the lengths of events. The first events are measured; of the others, all bytes
/// beyond the frame count as text.
#[derive(Debug, Default)]
pub(super) struct AnswerLength {
    events: u64,
    bytes: usize,
    /// The shortest frame around a text so far.
    frame: usize,
    measured: u8,
}

/// So many events are measured.
const MEASURED: u8 = 4;

impl AnswerLength {
    pub(super) fn is_measured(&self) -> bool {
        self.measured >= MEASURED
    }

    pub(super) fn add(&mut self, event: usize, length: ContentLength) {
        let text = match length {
            ContentLength::LikeBefore => {
                self.events += 1;
                self.bytes += event;
                return;
            }
            ContentLength::MayRepeat(_) if self.events > 0 => return,
            ContentLength::Bytes(text) | ContentLength::MayRepeat(text) => text,
        };
        let frame = event.saturating_sub(text);
        self.frame = if self.events == 0 { frame } else { self.frame.min(frame) };
        self.measured = self.measured.saturating_add(1);
        self.events += 1;
        self.bytes += event;
    }

    /// Estimates the tokens: one for each event, as most upstreams send one; more if the texts are long.
    pub(super) fn tokens(&self) -> u64 {
        let frames = usize::try_from(self.events).unwrap_or(usize::MAX).saturating_mul(self.frame);
        self.events.max(tokens_of_text(self.bytes.saturating_sub(frames)))
    }
}
