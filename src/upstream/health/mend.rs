//! What an operator can do about a failure, as data. The log, `/v1/status` and the commands say the same.

use crate::types::{Failure, FailureClass};

/// What connections say that were not made, and what to do. The first row that fits counts.
const CONNECTING: [(&str, &str); 9] = [
    ("the proxy's host name", "check the host in its proxy, and this machine's DNS"),
    ("no TLS with it (", "write http:// in its proxy, or name a PEM file with the proxy's authority in SSL_CERT_FILE"),
    ("InvalidContentType", "no TLS is spoken there; write http:// in its baseUrl, or another port"),
    ("UnknownIssuer", "name a PEM file with its authority in SSL_CERT_FILE"),
    ("NotValidForName", "its certificate is for another name; check the host in its baseUrl"),
    ("Expired", "its certificate has expired; tell the provider, and check this machine's clock"),
    ("can't be resolved", "check the host in its baseUrl, and this machine's DNS"),
    ("has no address", "check the host in its baseUrl, and this machine's DNS"),
    ("by its proxy ", "check its proxy"),
];

/// Returns what an operator can do about a failure.
pub(crate) fn mend(failure: &Failure) -> &'static str {
    let row =
        CONNECTING.iter().find(|(says, _)| failure.class == FailureClass::Connect && failure.detail.contains(says));
    row.map_or_else(|| mend_of_class(failure.class), |(_, mend)| mend)
}

/// Returns what an operator can do about failures of a class.
pub(in crate::upstream) fn mend_of_class(class: FailureClass) -> &'static str {
    match class {
        FailureClass::RateLimited => "give its entry the limits that the account has",
        FailureClass::Unauthorized => "check its apiKey",
        FailureClass::Forbidden => "check what its apiKey may use",
        FailureClass::PaymentRequired => "top up its account",
        FailureClass::Overloaded | FailureClass::ServerError | FailureClass::EmptyResponse => {
            "see its provider's status page"
        }
        FailureClass::Timeout => "see its provider's status page, and its timeouts",
        FailureClass::Connect => "check its baseUrl and the network",
        FailureClass::Protocol => "check its baseUrl, and what stands between",
        FailureClass::ModelNotFound => "check its baseUrl and its models",
        FailureClass::LocalSocketLimit => "raise this process's limit of open files",
        FailureClass::StaleConnection
        | FailureClass::WrongForm
        | FailureClass::TooLarge
        | FailureClass::ObjectNotHere
        | FailureClass::Rejected => "nothing",
    }
}

/// Returns everything that operators are told to do.
pub(crate) fn mends() -> impl Iterator<Item = &'static str> {
    CONNECTING.iter().map(|(_, mend)| *mend).chain(FailureClass::ALL.map(mend_of_class))
}

/// Splits what is said of an account's last failure: the account's words, and what an operator can do.
pub(crate) fn split_mend(said: &str) -> (&str, Option<&'static str>) {
    let split = mends().find_map(|mend| Some((said.strip_suffix(mend)?.strip_suffix(": ")?, Some(mend))));
    split.unwrap_or((said, None))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::types::Phase;

    #[test]
    fn a_connection_that_is_not_made_has_its_own_mend() {
        for (class, detail, says) in [
            (FailureClass::Connect, "no connection (received corrupt message of type InvalidContentType)", "http://"),
            (FailureClass::Connect, "no connection (invalid peer certificate: UnknownIssuer)", "SSL_CERT_FILE"),
            (FailureClass::Connect, "its host name can't be resolved (x)", "DNS"),
            (FailureClass::Connect, "no connection (Connection refused (os error 111))", "check its baseUrl"),
            (FailureClass::Connect, "by its proxy http://p:1: no connection (… UnknownIssuer)", "its authority"),
            (
                FailureClass::Connect,
                "by its proxy https://p:1: no TLS with it (… UnknownIssuer)",
                "the proxy's authority",
            ),
            (
                FailureClass::Connect,
                "by its proxy http://p:1: the proxy's host name can't be resolved (x)",
                "its proxy, and",
            ),
            (FailureClass::Connect, "by its proxy http://p:1: it can't be reached (x)", "check its proxy"),
            (FailureClass::ServerError, "500 \"UnknownIssuer\"", "status page"),
        ] {
            let told = mend(&Failure::new(class, Phase::Connect, detail));
            assert!(told.contains(says), "{detail}: {told}");
        }
    }

    #[test]
    fn what_is_said_is_split_into_the_accounts_words_and_the_mend() {
        for mend in mends() {
            assert_eq!(split_mend(&format!("401 \"no: key\": {mend}")), ("401 \"no: key\"", Some(mend)));
        }
        assert_eq!(split_mend("401 check its apiKey"), ("401 check its apiKey", None));
    }
}
