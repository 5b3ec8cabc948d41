//! Certificates of a test's own, in real handshakes.

use rcgen::{BasicConstraints, Certificate, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::{ClientConnection, ServerConfig, ServerConnection};

use super::*;
use crate::tls::verifying;

const CA: IsCa = IsCa::Ca(BasicConstraints::Unconstrained);

struct Identity {
    certificate: Certificate,
    key: KeyPair,
}

fn params(is_ca: IsCa) -> CertificateParams {
    let mut params = CertificateParams::new(vec!["upstream.example".to_owned()]).expect("parameters");
    params.is_ca = is_ca;
    params
}

fn self_signed(params: &CertificateParams) -> Identity {
    let key = KeyPair::generate().expect("a key");
    Identity { certificate: params.self_signed(&key).expect("a certificate"), key }
}

/// Returns a certificate signed by an unknown authority.
fn signed_by_an_unknown_authority() -> Identity {
    let authority = self_signed(&params(CA));
    let issuer = Issuer::new(params(CA), authority.key);
    let key = KeyPair::generate().expect("a key");
    Identity { certificate: params(IsCa::NoCa).signed_by(&key, &issuer).expect("a certificate"), key }
}

fn file(content: &str) -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let name = format!("transport-trust-{}-{}.pem", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    let path = std::env::temp_dir().join(name);
    std::fs::write(&path, content).expect("writes");
    path
}

fn reading(content: &str) -> Result<TrustedRoots, TrustError> {
    let path = file(content);
    let read = TrustedRoots::read(Some(&path));
    std::fs::remove_file(path).expect("removes");
    read
}

/// Shakes hands with an upstream of this identity.
fn handshake(roots: TrustedRoots, identity: &Identity, name: &str) -> Result<(), Error> {
    let key = PrivateKeyDer::try_from(identity.key.serialize_der()).expect("a key");
    let server = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .and_then(|builder| {
            builder.with_no_client_auth().with_single_cert(vec![identity.certificate.der().clone()], key)
        })
        .expect("a configuration");
    let mut server = ServerConnection::new(Arc::new(server)).expect("a session");
    let client = Arc::new(verifying(roots).expect("a configuration"));
    let mut client = ClientConnection::new(client, name.to_owned().try_into().expect("a name")).expect("a session");
    while client.is_handshaking() {
        let mut bytes = Vec::new();
        client.write_tls(&mut bytes).expect("writes");
        server.read_tls(&mut bytes.as_slice()).expect("reads");
        server.process_new_packets()?;
        let mut bytes = Vec::new();
        server.write_tls(&mut bytes).expect("writes");
        client.read_tls(&mut bytes.as_slice()).expect("reads");
        client.process_new_packets()?;
    }
    Ok(())
}

#[test]
fn an_upstream_with_a_trusted_certificate_passes_whoever_signed_it() {
    for identity in [self_signed(&params(CA)), self_signed(&params(IsCa::NoCa)), signed_by_an_unknown_authority()] {
        let roots = || reading(&identity.certificate.pem()).expect("sound");
        assert!(roots().problems().is_empty());
        assert_eq!(handshake(roots(), &identity, "upstream.example"), Ok(()));
        let other_name = handshake(roots(), &identity, "other.example").expect_err("another name");
        assert!(other_name.to_string().contains("not valid for name"), "{other_name}");
        let mozillas = TrustedRoots::read(None).expect("Mozilla's");
        assert!(handshake(mozillas, &identity, "upstream.example").is_err(), "nobody trusts it");
    }
}

#[test]
fn an_upstream_with_another_certificate_of_the_same_names_does_not_pass() {
    let trusted = self_signed(&params(CA));
    let another = self_signed(&params(CA));
    let roots = reading(&trusted.certificate.pem()).expect("sound");
    let refused = handshake(roots, &another, "upstream.example").expect_err("another key");
    assert!(refused.to_string().contains("CaUsedAsEndEntity"), "{refused}");
}

#[test]
fn an_upstream_passes_with_a_certificate_that_a_trusted_one_has_signed() {
    let authority = self_signed(&params(CA));
    let pem = authority.certificate.pem();
    let issuer = Issuer::new(params(CA), authority.key);
    let key = KeyPair::generate().expect("a key");
    let identity = Identity { certificate: params(IsCa::NoCa).signed_by(&key, &issuer).expect("a certificate"), key };
    assert_eq!(handshake(reading(&pem).expect("sound"), &identity, "upstream.example"), Ok(()));
}

#[test]
fn a_trusted_certificate_out_of_its_dates_is_a_problem_and_does_not_pass() {
    for is_ca in [CA, IsCa::NoCa] {
        for (from, to, problem) in [(2001, 2002, "expired"), (2901, 2902, "not valid yet")] {
            let mut params = params(is_ca);
            params.not_before = date_time_ymd(from, 1, 1);
            params.not_after = date_time_ymd(to, 1, 1);
            let identity = self_signed(&params);
            let roots = reading(&identity.certificate.pem()).expect("sound");
            assert!(roots.problems().iter().any(|line| line.contains(problem)), "{:?}", roots.problems());
            let refused = handshake(roots, &identity, "upstream.example").expect_err("out of its dates");
            assert!(refused.to_string().contains(problem), "{refused}");
        }
    }
}

#[test]
fn bad_certificates_in_the_file_are_one_problem_and_spoil_no_other() {
    let identity = self_signed(&params(CA));
    let pem = |body: &str| format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n");
    let content = [pem("sk-secret"), identity.certificate.pem(), pem("AAAA"), pem("not base64!")].concat();
    let roots = reading(&content).expect("one is sound");
    let [damaged, unreadable] = roots.problems() else { panic!("{:?}", roots.problems()) };
    assert!(damaged.ends_with(": certificate 1, 4: damaged"), "{damaged}");
    assert!(unreadable.contains(": certificate 3: "), "{unreadable}");
    assert!(!damaged.contains("secret"), "{damaged}");
    assert_eq!(handshake(roots, &identity, "upstream.example"), Ok(()));
}

#[test]
fn a_file_that_cannot_be_used_is_named() {
    let missing = TrustedRoots::read(Some(Path::new("/nowhere/ca.pem"))).expect_err("not there").to_string();
    assert!(missing.starts_with("SSL_CERT_FILE: /nowhere/ca.pem can't be read ("), "{missing}");
    let folder = TrustedRoots::read(Some(&std::env::temp_dir())).expect_err("a folder").to_string();
    assert!(folder.contains("can't be read"), "{folder}");
    let key = KeyPair::generate().expect("a key").serialize_pem();
    for content in ["", "no certificate", &key, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"] {
        let empty = reading(content).expect_err("no certificate").to_string();
        assert!(empty.ends_with("has no certificate that can be trusted"), "{empty}");
    }
}
