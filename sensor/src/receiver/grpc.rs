//! OTLP over gRPC.

use std::{
    pin::Pin,
    sync::{Arc, OnceLock},
};

use bytes::{Buf, Bytes};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body;
use tokio::sync::SemaphorePermit;
use tonic::{
    Code, Status,
    body::Body,
    codec::{Codec, CompressionEncoding, DecodeBuf, Decoder, EncodeBuf, Encoder},
    server::{Grpc, UnaryService},
};

use super::{
    decode::{self, Form, MAX_BODY},
    intake::{Export, Signal},
    refusal::Refusal,
};

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
    let mut server = Grpc::new(Raw)
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
struct Call<'a> {
    export: &'a Export,
    signal: Signal,
    /// The body's, as long as its message is there.
    room: Option<SemaphorePermit<'a>>,
    /// Why it was refused, which a status does not say.
    refusal: &'a OnceLock<Refusal>,
}

impl<'a> UnaryService<Bytes> for Call<'a> {
    type Response = ();
    type Future = Pin<Box<dyn Future<Output = Result<tonic::Response<()>, Status>> + Send + 'a>>;

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
            taken.map(tonic::Response::new).map_err(|why| {
                let status = Status::new(why.codes().1, "");
                let _ = refusal.set(why);
                status
            })
        })
    }
}
