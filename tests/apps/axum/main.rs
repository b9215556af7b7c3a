//! A shop that fails in the ways that a shop does. It reports over OTLP/gRPC,
//! and its resource has no pid: the Rust SDK knows none.

use std::{env, net::Ipv4Addr, time::Duration};

use axum::{
    Router,
    extract::{MatchedPath, Path, Query, Request},
    http::StatusCode,
    middleware::{self, Next},
    response::Response,
    routing::{get, post},
};
use opentelemetry::trace::TracerProvider;
use opentelemetry_otlp::SpanExporter;
use opentelemetry_sdk::trace::SdkTracerProvider;
use tokio::{
    net::TcpListener,
    signal::unix::{SignalKind, signal},
};
use tracing::{Instrument, field};
use tracing_subscriber::layer::SubscriberExt;

#[derive(Debug)]
struct Fault(String);

impl std::fmt::Display for Fault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Fault {}

fn price(item: &str) -> Result<&'static str, Fault> {
    match item {
        "cup" => Ok("7"),
        other => Err(Fault(format!("unknown item {other:?}"))),
    }
}

fn failed(error: &Fault) -> StatusCode {
    let error: &dyn std::error::Error = error;
    tracing::error!(error, "no price");
    StatusCode::INTERNAL_SERVER_ERROR
}

async fn show(Path(item): Path<String>) -> Result<&'static str, StatusCode> {
    price(&item).map_err(|error| failed(&error))
}

async fn order(Query(query): Query<Vec<(String, String)>>) -> StatusCode {
    let password = query.first().map_or("", |(_, value)| value);
    failed(&Fault(format!("password={password}")))
}

async fn slow() -> &'static str {
    tokio::time::sleep(Duration::from_secs(1)).await;
    "late"
}

async fn health() -> StatusCode {
    failed(&Fault("not ready".to_owned()))
}

async fn busy() -> StatusCode {
    StatusCode::SERVICE_UNAVAILABLE
}

/// A span of each request, by the semantic conventions.
async fn traced(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>();
    let span = tracing::info_span!(
        "request",
        otel.kind = "server",
        http.request.method = %request.method(),
        url.path = request.uri().path(),
        http.route = route.map(MatchedPath::as_str),
        http.response.status_code = field::Empty,
    );
    let response = next.run(request).instrument(span.clone()).await;
    span.record("http.response.status_code", response.status().as_u16());
    response
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let exporter = SpanExporter::builder().with_tonic().build()?;
    let provider = SdkTracerProvider::builder()
        .with_batch_exporter(exporter)
        .build();
    let layer = tracing_opentelemetry::layer().with_tracer(provider.tracer("shop"));
    tracing::subscriber::set_global_default(tracing_subscriber::registry().with(layer))?;

    let app = Router::new()
        .route("/items/{item}", get(show))
        .route("/missing", get(async || StatusCode::NOT_FOUND))
        .route("/slow", get(slow))
        .route("/health", get(health))
        .route("/orders", post(order))
        .route("/busy", get(busy))
        .layer(middleware::from_fn(traced));
    let port = env::var("PORT")?.parse()?;
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
    let mut asked = signal(SignalKind::terminate())?;
    axum::serve(listener, app)
        .with_graceful_shutdown(async move {
            asked.recv().await;
        })
        .await?;
    tokio::task::spawn_blocking(move || provider.shutdown()).await??;
    Ok(())
}
