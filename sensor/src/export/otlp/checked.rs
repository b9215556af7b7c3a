//! Answers over gRPC without what tonic would panic on: details of a status
//! that are no base64 (`Status::from_header_map`).

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use base64::{
    Engine, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use http::{HeaderMap, Request, Response};
use http_body_util::BodyExt;
use tonic::{
    body::Body,
    transport::{Channel, Error},
};
use tower_service::Service;

const DETAILS: &str = "grpc-status-details-bin";
/// As tonic reads it.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// A channel whose answers can be read.
pub(super) struct Checked(pub Channel);

impl Service<Request<Body>> for Checked {
    type Response = Response<Body>;
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        let answer = self.0.call(request);
        Box::pin(async move {
            let mut answer = answer.await?;
            check(answer.headers_mut());
            Ok(answer.map(|body| {
                Body::new(body.map_frame(|mut frame| {
                    if let Some(trailers) = frame.trailers_mut() {
                        check(trailers);
                    }
                    frame
                }))
            }))
        })
    }
}

/// Drops the details of a status that cannot be read; code and message stay.
pub(super) fn check(headers: &mut HeaderMap) {
    let unreadable = |details: &http::HeaderValue| BASE64.decode(details).is_err();
    if headers.get(DETAILS).is_some_and(unreadable) {
        headers.remove(DETAILS);
    }
}

#[cfg(test)]
mod tests {
    use std::{net::Ipv4Addr, time::Duration};

    use bytes::Bytes;
    use tokio::net::TcpListener;

    use crate::{
        config::Protocol,
        export::otlp::{OtlpConfig, Outcome, Sender, Signal},
    };

    /// Answers two requests with a status whose details are no base64: in the
    /// head, and in the trailers.
    async fn serve(listener: TcpListener) {
        let (stream, _) = listener.accept().await.unwrap();
        let mut connection = h2::server::handshake(stream).await.unwrap();
        let mut in_head = true;
        while let Some(request) = connection.accept().await {
            let Ok((_, mut respond)) = request else {
                return;
            };
            let status = [
                ("grpc-status", "8"),
                ("grpc-message", "full%0Aup"),
                (super::DETAILS, "CAgSBGZ1b"),
            ];
            let mut head = http::Response::builder().header("content-type", "application/grpc");
            if in_head {
                for (name, value) in status {
                    head = head.header(name, value);
                }
            }
            let mut body = respond
                .send_response(head.body(()).unwrap(), in_head)
                .unwrap();
            if !in_head {
                let trailers = status.map(|(name, value)| {
                    (name.parse().unwrap(), http::HeaderValue::from_static(value))
                });
                body.send_trailers(trailers.into_iter().collect()).unwrap();
            }
            in_head = false;
        }
    }

    #[tokio::test]
    async fn details_that_cannot_be_read_are_no_panic() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let config = OtlpConfig {
            endpoint: Some(format!("http://{}", listener.local_addr().unwrap())),
            protocol: Protocol::Grpc,
            timeout: Duration::from_secs(30),
            ..OtlpConfig::default()
        };
        let server = tokio::spawn(serve(listener));
        let mut sender = Sender::new(&config.check().unwrap(), Signal::Logs).unwrap();
        for _ in 0..2 {
            assert_eq!(
                sender.send(Bytes::new()).await,
                Outcome::Refused {
                    reason: "gRPC status RESOURCE_EXHAUSTED: full up".to_owned()
                }
            );
        }
        server.abort();
    }
}
