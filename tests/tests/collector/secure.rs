//! TLS in front of a real collector, and what is wrong with it.

use sensor::export::otlp::ConfigError;
use sensor_tests::{
    collector::Collector,
    tls::{Authority, Identity, Terminator},
};

use super::*;

fn ports(collector: &Collector) -> [(Protocol, u16); 2] {
    [
        (Protocol::Grpc, collector.ports().grpc),
        (Protocol::HttpProtobuf, collector.ports().http),
    ]
}

fn trusting(authority: &Authority, endpoint: String, protocol: Protocol) -> OtlpConfig {
    OtlpConfig {
        tls: TlsConfig {
            ca: Some(authority.ca()),
            ..TlsConfig::default()
        },
        ..config(endpoint, protocol)
    }
}

fn with_identity(mut config: OtlpConfig, identity: Identity) -> OtlpConfig {
    config.tls.certificate = Some(identity.certificate);
    config.tls.key = Some(identity.key);
    config
}

#[test]
fn a_server_is_believed_by_its_ca_and_its_name() {
    let collector = Collector::start();
    let (authority, stranger) = (Authority::new(), Authority::new());
    let untrusted = "the server's certificate is not signed by a trusted CA; \
                     set export.otlp.tls.ca to the CA that signed it";
    for (protocol, upstream) in ports(&collector) {
        let service = format!("secure-{protocol:?}");
        let server = Terminator::start(&authority, "localhost", None, upstream);
        let endpoint = server.endpoint("localhost");
        assert_eq!(
            send_metrics(&trusting(&authority, endpoint.clone(), protocol), &service),
            delivered()
        );
        collector.wait_for(&format!("Str({service})"), SOON);
        for (config, expected) in [
            (trusting(&stranger, endpoint.clone(), protocol), untrusted),
            (config(endpoint, protocol), untrusted),
            (
                trusting(&authority, server.endpoint("127.0.0.1"), protocol),
                "the server's certificate is for another host name",
            ),
        ] {
            let outcome = send_metrics(&config, "refused");
            assert_eq!(retry_reason(outcome), expected, "{protocol:?}");
        }
    }
    assert!(!collector.output().contains("Str(refused)"));
}

#[test]
fn a_server_that_asks_for_a_client_certificate_gets_it() {
    let collector = Collector::start();
    let (authority, clients) = (Authority::new(), Authority::new());
    for (protocol, upstream) in ports(&collector) {
        let service = format!("mutual-{protocol:?}");
        let server = Terminator::start(&authority, "localhost", Some(&clients), upstream);
        let plain = trusting(&authority, server.endpoint("localhost"), protocol);
        let good = with_identity(plain.clone(), clients.identity("sensor"));
        assert_eq!(send_metrics(&good, &service), delivered());
        collector.wait_for(&format!("Str({service})"), SOON);
        let wrong = with_identity(plain.clone(), authority.identity("sensor"));
        for config in [plain, wrong] {
            let reason = retry_reason(send_metrics(&config, "refused"));
            assert!(reason.contains("client certificate"), "{reason}");
        }
    }
    assert!(!collector.output().contains("Str(refused)"));
}

#[test]
fn tls_and_plain_text_do_not_mix() {
    let collector = Collector::start();
    let authority = Authority::new();
    for (protocol, upstream) in ports(&collector) {
        let secure = trusting(
            &authority,
            format!("https://localhost:{upstream}"),
            protocol,
        );
        assert_eq!(
            retry_reason(send_metrics(&secure, "refused")),
            "the answer is not TLS; is it a port for http://?"
        );
        let server = Terminator::start(&authority, "localhost", None, upstream);
        let plain = config(format!("http://localhost:{}", server.port()), protocol);
        let reason = retry_reason(send_metrics(&plain, "refused"));
        assert!(
            reason.contains("closed") || reason.contains("the answer is not"),
            "{reason}"
        );
    }
}

#[test]
fn files_that_do_not_fit_are_found_before_anything_is_sent() {
    let (authority, stranger) = (Authority::new(), Authority::new());
    let base = trusting(
        &authority,
        "https://localhost:4317".to_owned(),
        Protocol::Grpc,
    );
    let problem = |config: &OtlpConfig| {
        let mut problems = config.check().unwrap_err();
        assert_eq!(problems.len(), 1, "{problems:?}");
        problems.remove(0)
    };

    let mut mixed = with_identity(base.clone(), authority.identity("sensor"));
    mixed.tls.key = Some(stranger.identity("sensor").key);
    assert!(matches!(problem(&mixed), ConfigError::Identity { .. }));

    let mut half = with_identity(base.clone(), authority.identity("sensor"));
    half.tls.key = None;
    assert_eq!(
        problem(&half).to_string(),
        "export.otlp.tls.certificate is set without export.otlp.tls.key; \
         set both for a client certificate, or neither"
    );

    let mut absent = base.clone();
    absent.tls.ca = Some("/nonexistent/ca.pem".into());
    assert_eq!(
        problem(&absent).to_string(),
        "cannot read `/nonexistent/ca.pem`; set export.otlp.tls.ca to a readable PEM file"
    );

    let mut swapped = base;
    swapped.tls.ca = Some(authority.identity("sensor").key);
    assert!(matches!(problem(&swapped), ConfigError::NotPem { .. }));
}
