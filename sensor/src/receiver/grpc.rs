//! OTLP over gRPC.

use std::{pin::Pin, sync::Arc};

use bytes::{Buf, Bytes};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body;
use tonic::{
    Code, Status,
    body::Body,
    codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder},
    server::{Grpc, UnaryService},
};

use super::{
    decode::{self, MAX_BODY},
    intake::Intake,
    peer::Peer,
    refusal::Refusal,
};

/// Where requests of one connection go.
#[derive(Debug)]
pub(super) struct Export {
    pub intake: Arc<Intake>,
    pub peer: Peer,
}

/// What is exported.
#[derive(Debug, Clone, Copy)]
enum Signal {
    Traces,
    Logs,
    Metrics,
}

/// Answers one call.
pub(super) async fn answer<B>(export: Arc<Export>, request: Request<B>) -> Response<Body>
where
    B: body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let intake = Arc::clone(&export.intake);
    let (answer, reason) = match receive(export, request).await {
        Ok(answer) => {
            let reason = refused(&answer);
            (answer, reason)
        }
        Err(refusal) => {
            let reason = refusal.reason();
            (Status::from(refusal).into_http(), Some(reason))
        }
    };
    if let Some(reason) = reason {
        intake.counts.refused(reason);
    }
    answer
}

async fn receive<B>(export: Arc<Export>, request: Request<B>) -> Result<Response<Body>, Refusal>
where
    B: body::Body,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let signal = match request.uri().path() {
        "/opentelemetry.proto.collector.trace.v1.TraceService/Export" => Signal::Traces,
        "/opentelemetry.proto.collector.logs.v1.LogsService/Export" => Signal::Logs,
        "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export" => Signal::Metrics,
        _ => {
            let all = "traces, logs and metrics are received";
            return Ok(Status::unimplemented(all).into_http());
        }
    };
    let intake = Arc::clone(&export.intake);
    let (head, body) = request.into_parts();
    let body = decode::read(body, &intake.bodies).await?;
    // Who sends slowly waits without a turn.
    let _turn = intake.turn().await?;
    let body = Full::new(body.bytes);
    let mut server = Grpc::new(Raw)
        .accept_compressed(CompressionEncoding::Gzip)
        .max_decoding_message_size(MAX_BODY);
    let call = Call { export, signal };
    Ok(server.unary(call, Request::from_parts(head, body)).await)
}

/// Why a call was refused; `None` where it was not. A refusal has its status
/// among the headers.
fn refused(answer: &Response<Body>) -> Option<&'static str> {
    let status = Status::from_header_map(answer.headers())?;
    match status.code() {
        Code::Ok => None,
        Code::Unimplemented => Some("path"),
        Code::OutOfRange | Code::ResourceExhausted => Some("size"),
        _ => Some("malformed"),
    }
}

/// Messages as they come: what is in one is weighed before it is decoded.
/// Every answer is empty: nothing was rejected.
#[derive(Debug, Clone, Copy)]
struct Raw;

impl Codec for Raw {
    type Encode = ();
    type Decode = Bytes;
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Raw {
    type Item = ();
    type Error = Status;

    fn encode(&mut self, (): (), _: &mut EncodeBuf<'_>) -> Result<(), Status> {
        Ok(())
    }
}

impl Decoder for Raw {
    type Item = Bytes;
    type Error = Status;

    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<Bytes>, Status> {
        Ok(Some(message.copy_to_bytes(message.remaining())))
    }
}

/// One call.
struct Call {
    export: Arc<Export>,
    signal: Signal,
}

impl UnaryService<Bytes> for Call {
    type Response = ();
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<()>, Status>> + Send>>;

    fn call(&mut self, request: tonic::Request<Bytes>) -> Self::Future {
        let taken = take(Arc::clone(&self.export), self.signal, request.into_inner());
        Box::pin(async { Ok(taken.await.map(tonic::Response::new)?) })
    }
}

async fn take(export: Arc<Export>, signal: Signal, message: Bytes) -> Result<(), Refusal> {
    let Export { intake, peer } = &*export;
    match signal {
        Signal::Traces => {
            let request = decode::protobuf(&message)?;
            drop(message);
            intake.spans(request, peer).await;
        }
        Signal::Logs => {
            let request = decode::protobuf(&message)?;
            drop(message);
            intake.logs(request, peer).await;
        }
        // Taken and thrown away, so that an application that sends them by
        // default does not complain.
        Signal::Metrics => intake.counts.accepted("metrics"),
    }
    Ok(())
}
