//! OTLP over gRPC.

use std::{convert::Infallible, sync::Arc};

use http::{Request, Response};
use hyper::body::Incoming;
use opentelemetry_proto::tonic::collector::{
    logs::v1::{
        ExportLogsServiceRequest, ExportLogsServiceResponse,
        logs_service_server::{LogsService, LogsServiceServer},
    },
    metrics::v1::{
        ExportMetricsServiceRequest, ExportMetricsServiceResponse,
        metrics_service_server::{MetricsService, MetricsServiceServer},
    },
    trace::v1::{
        ExportTraceServiceRequest, ExportTraceServiceResponse,
        trace_service_server::{TraceService, TraceServiceServer},
    },
};
use tonic::{Code, Status, body::Body, codec::CompressionEncoding};
use tower_service::Service;

use super::{http::MAX_BODY, intake::Intake, peer::Peer};

/// The services of one connection.
#[derive(Debug)]
pub(super) struct Export {
    pub intake: Arc<Intake>,
    pub peer: Peer,
}

/// Answers one call.
pub(super) async fn answer(export: Arc<Export>, request: Request<Incoming>) -> Response<Body> {
    let intake = Arc::clone(&export.intake);
    let Ok(_turn) = intake.turns.acquire().await else {
        intake.counts.refused("ending");
        return Status::unavailable("the sensor ends").into_http();
    };
    let service = request.uri().path().rsplit_once('/').map(|(name, _)| name);
    let gzip = CompressionEncoding::Gzip;
    let answer: Result<_, Infallible> = match service {
        Some("/opentelemetry.proto.collector.trace.v1.TraceService") => {
            let server = TraceServiceServer::from_arc(export);
            let server = server.accept_compressed(gzip);
            server
                .max_decoding_message_size(MAX_BODY)
                .call(request)
                .await
        }
        Some("/opentelemetry.proto.collector.logs.v1.LogsService") => {
            let server = LogsServiceServer::from_arc(export);
            let server = server.accept_compressed(gzip);
            server
                .max_decoding_message_size(MAX_BODY)
                .call(request)
                .await
        }
        Some("/opentelemetry.proto.collector.metrics.v1.MetricsService") => {
            let server = MetricsServiceServer::from_arc(export);
            let server = server.accept_compressed(gzip);
            server
                .max_decoding_message_size(MAX_BODY)
                .call(request)
                .await
        }
        _ => Ok(Status::unimplemented("traces, logs and metrics are received").into_http()),
    };
    match answer {
        Ok(answer) => {
            if let Some(reason) = refused(&answer) {
                intake.counts.refused(reason);
            }
            answer
        }
        Err(never) => match never {},
    }
}

/// Why a call was refused; `None` where it was not. A refusal has its status
/// among the headers.
fn refused(answer: &Response<Body>) -> Option<&'static str> {
    let status = Status::from_header_map(answer.headers())?;
    match status.code() {
        Code::Ok => None,
        Code::Unimplemented => Some("path"),
        Code::OutOfRange | Code::ResourceExhausted => Some("size"),
        Code::Unavailable => Some("ending"),
        _ => Some("malformed"),
    }
}

#[tonic::async_trait]
impl TraceService for Export {
    async fn export(
        &self,
        request: tonic::Request<ExportTraceServiceRequest>,
    ) -> Result<tonic::Response<ExportTraceServiceResponse>, Status> {
        self.intake.spans(request.into_inner(), &self.peer).await;
        Ok(ExportTraceServiceResponse::default().into())
    }
}

#[tonic::async_trait]
impl LogsService for Export {
    async fn export(
        &self,
        request: tonic::Request<ExportLogsServiceRequest>,
    ) -> Result<tonic::Response<ExportLogsServiceResponse>, Status> {
        self.intake.logs(request.into_inner(), &self.peer).await;
        Ok(ExportLogsServiceResponse::default().into())
    }
}

/// Taken and thrown away, so that an application that sends them by default
/// does not complain.
#[tonic::async_trait]
impl MetricsService for Export {
    async fn export(
        &self,
        _: tonic::Request<ExportMetricsServiceRequest>,
    ) -> Result<tonic::Response<ExportMetricsServiceResponse>, Status> {
        self.intake.counts.accepted("metrics");
        Ok(ExportMetricsServiceResponse::default().into())
    }
}
