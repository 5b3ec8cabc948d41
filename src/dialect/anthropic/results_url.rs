//! The address of a batch's results: the account's own is of no use to a client, who has no key there.

use actix_web::web::Bytes;
use memchr::memmem;

/// The member with the address.
const MEMBER: &[u8] = b"\"results_url\"";

/// The path of all results. What stands in front is the account's, or the pool's.
const PATH: &[u8] = b"/v1/messages/batches/";

/// Returns an answer whose addresses begin with this base (`https://pool.example`), if the answer has any. All else stays as it is.
pub(in crate::dialect) fn at_base(answer: &[u8], base: &str) -> Option<Bytes> {
    let mut written: Vec<u8> = Vec::new();
    let mut from = 0;
    for at in memmem::find_iter(answer, MEMBER) {
        let Some((begin, end)) = prefix_behind(answer, at + MEMBER.len()).filter(|(begin, _)| *begin >= from) else {
            continue;
        };
        written.extend_from_slice(answer.get(from..begin)?);
        written.extend_from_slice(base.as_bytes());
        from = end;
    }
    if from == 0 {
        return None;
    }
    written.extend_from_slice(answer.get(from..)?);
    Some(written.into())
}

/// Returns where the part of an address in front of the path stands.
fn prefix_behind(answer: &[u8], at: usize) -> Option<(usize, usize)> {
    let rest = answer.get(at..)?;
    let value = rest.trim_ascii_start().strip_prefix(b":")?.trim_ascii_start().strip_prefix(b"\"")?;
    let begin = answer.len() - value.len();
    let text = value.get(..memchr::memchr(b'"', value)?)?;
    Some((begin, begin + memmem::find(text, PATH)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_addresses_of_results_become_the_pools_and_all_else_stays() {
        let own = "http://pool:3001";
        for (answer, wanted) in [
            (
                r#"{"id":"m", "results_url" : "https://api.anthropic.com/v1/messages/batches/m/results","b":1.0}"#,
                Some(r#"{"id":"m", "results_url" : "http://pool:3001/v1/messages/batches/m/results","b":1.0}"#),
            ),
            (
                r#"{"data":[{"results_url":"https://a/x/v1/messages/batches/1/results"},{"results_url":null},{"results_url":"http://b/v1/messages/batches/2/results"}]}"#,
                Some(
                    r#"{"data":[{"results_url":"http://pool:3001/v1/messages/batches/1/results"},{"results_url":null},{"results_url":"http://pool:3001/v1/messages/batches/2/results"}]}"#,
                ),
            ),
            (r#"{"results_url":null,"url":"https://a/v1/messages/batches/m/results"}"#, None),
            (r#"{"results_url":"https://elsewhere/x"}"#, None),
            (r#"{"results_url":"https://a/v1/messages/batches/"#, None),
            ("{}", None),
        ] {
            let written = at_base(answer.as_bytes(), own);
            assert_eq!(written.as_deref(), wanted.map(str::as_bytes), "{answer}");
        }
    }
}
