//! OTLP over gRPC.

use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body;
use tokio::sync::SemaphorePermit;
use tonic::{
    Code, Status,
    body::Body,
    codec::CompressionEncoding,
    server::{Grpc, UnaryService},
};

use super::{
    decode::{self, Form, MAX_BODY},
    intake::{Export, Signal},
    refusal::Refusal,
};
use crate::export::otlp::codec::Encoded;

/// A message as it comes out of tonic.
const PROTOBUF: Form = Form {
    is_json: false,
    is_packed: false,
};

/// Answers one call.
pub(super) async fn answer<B>(export: Arc<Export>, request: Request<B>) -> Response<Body>
where
    B: body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    receive(&export, request).await.unwrap_or_else(|refusal| {
        export.intake.counts.refused(refusal.reason());
        Status::from(refusal).into_http()
    })
}

async fn receive<B>(export: &Export, request: Request<B>) -> Result<Response<Body>, Refusal>
where
    B: body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let Export { intake, .. } = export;
    let signal = match request.uri().path() {
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => Signal::Traces,
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => Signal::Logs,
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => Signal::Metrics,
        _ => {
            intake.counts.refused(Refusal::Path.reason());
            let all = "traces, logs and metrics are received";
            return Ok(Status::unimplemented(all).into_http());
        }
    };
    let (head, body) = request.into_parts();
    let body = decode::read(body, &intake.bodies).await?;
    // Who sends slowly waits without a turn.
    let _turn = intake.turn().await?;
    let mut server = Grpc::new(Encoded)
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(MAX_BODY);
    let refusal = OnceLock::new();
    let call = Call {
        export,
        signal,
        room: body.room,
        refusal: &refusal,
    };
    let request = Request::from_parts(head, Full::new(body.bytes));
    let answer = server.unary(call, request).await;
    if let Some(refusal) = refusal.into_inner() {
        return Err(refusal);
    }
    // What tonic refuses; the status is among the headers.
    let status = Status::from_header_map(answer.headers());
    match status.map_or(Code::Ok, |status| status.code()) {
        Code::Ok => Ok(answer),
        // The answer says which encodings there are.
        Code::Unimplemented => {
            intake.counts.refused(Refusal::Encoding.reason());
            Ok(answer)
        }
        Code::OutOfRange | Code::ResourceExhausted => Err(Refusal::TooLarge),
        _ => Err(Refusal::Cut),
    }
}

/// One call.
struct Call<'a> {
    export: &'a Export,
    signal: Signal,
    /// The body's, as long as its message is there.
    room: Option<SemaphorePermit<'a>>,
    /// Why it was refused, which a status does not say.
    refusal: &'a OnceLock<Refusal>,
}

impl<'a> UnaryService<Bytes> for Call<'a> {
    type Response = Bytes;
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<Bytes>, Status>> + Send + 'a>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let Self {
            export,
            signal,
            refusal,
            ..
        } = *self;
        let body = decode::Body {
            bytes: request.into_inner(),
            room: self.room.take(),
        };
        Box::pin(async move {
            let taken = export.take(signal, body, PROTOBUF).await;
            // Nothing was rejected: an empty message.
            let answer = taken.map(|()| tonic::Response::new(Bytes::new()));
            answer.map_err(|why| {
                let status = Status::new(why.codes().1, "");
                let _ = refusal.set(why);
                status
            })
        })
    }
}
