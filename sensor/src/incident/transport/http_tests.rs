use std::{
    collections::VecDeque,
    convert::Infallible,
    path::Path,
    sync::{Mutex, mpsc},
};

use ::http::{Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;
use crate::{config::reader::Document, export::HostResource};

type Answer = (u16, Option<&'static str>);
type Seen = mpsc::Receiver<(HeaderMap, Bytes)>;

/// A server that answers with these statuses in turn.
async fn server(answers: &[Answer]) -> (String, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hook?a=b", listener.local_addr().unwrap());
    let (say, seen) = mpsc::channel();
    let answers = Arc::new(Mutex::new(answers.iter().copied().collect::<VecDeque<_>>()));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (say, answers) = (say.clone(), Arc::clone(&answers));
            let service = service_fn(move |request: Request<Incoming>| {
                let (say, answers) = (say.clone(), Arc::clone(&answers));
                async move {
                    assert_eq!(request.uri(), "/hook?a=b");
                    let headers = request.headers().clone();
                    let body = request.into_body().collect().await.unwrap().to_bytes();
                    say.send((headers, body)).unwrap();
                    let next = answers.lock().unwrap().pop_front();
                    let Some((status, after)) = next else {
                        // Never answers.
                        return std::future::pending().await;
                    };
                    let mut response = Response::new(Full::new(Bytes::from("ok")));
                    *response.status_mut() = StatusCode::from_u16(status).unwrap();
                    if let Some(after) = after {
                        let value = HeaderValue::from_static(after);
                        response.headers_mut().insert(header::RETRY_AFTER, value);
                    }
                    Ok::<_, Infallible>(response)
                }
            });
            tokio::spawn(http1::Builder::new().serve_connection(TokioIo::new(stream), service));
        }
    });
    (url, seen)
}

fn transport(text: &str) -> Box<dyn Transport> {
    let document = Document::parse(Path::new("f"), text);
    let settings = read(&mut document.root());
    let notes = document.into_notes();
    assert!(notes.problems.is_empty(), "{:?}", notes.problems);
    let surroundings = Surroundings {
        otlp: None,
        host: HostResource::detect(),
        shelf: None,
    };
    settings
        .build(&surroundings)
        .unwrap_or_else(|error| panic!("{error:?}"))
}

#[tokio::test]
async fn an_incident_is_posted_whole_and_statuses_are_judged() {
    let answers = [
        (204, None),
        (503, Some("7")),
        (500, None),
        (429, None),
        (400, None),
        (301, None),
    ];
    let (url, seen) = server(&answers).await;
    let mut transport = transport(&format!(
        "url = '{url}'\nheaders = {{ Authorization = 'Bearer x' }}"
    ));
    let incident = json!({"exception.type": "E", "sensor.incident.count": 1});
    let parcel = Parcel::of_json(&incident);
    let outcomes = [
        delivered(),
        Outcome::Retry {
            after: Some(Duration::from_secs(7)),
            reason: "HTTP status 503".to_owned(),
        },
        retry("HTTP status 500"),
        retry("HTTP status 429"),
        Outcome::Refused {
            reason: "HTTP status 400".to_owned(),
        },
        Outcome::Refused {
            reason: "HTTP status 301".to_owned(),
        },
    ];
    for expected in outcomes {
        assert_eq!(transport.send(&parcel).await, expected);
        let (headers, body) = seen.try_recv().unwrap();
        assert_eq!(headers[header::CONTENT_TYPE], "application/json");
        assert_eq!(headers[header::AUTHORIZATION], "Bearer x");
        assert_eq!(serde_json::from_slice::<Value>(&body).unwrap(), incident);
    }
    assert!(!transport.target().contains("hook"));
}

#[tokio::test]
async fn a_template_makes_the_body_and_headers_may_be_replaced() {
    let (url, seen) = server(&[(200, None), (200, None)]).await;
    let template = r#"{"text": "{{exception.type}}\\n{{exception.message}}"}"#;
    let mut hook = transport(&format!("url = '{url}'\ntemplate = '{template}'"));
    let parcel = Parcel::of_json(&json!({"exception.type": "E\"", "exception.message": "a\nb"}));
    assert_eq!(hook.send(&parcel).await, delivered());
    let (_, body) = seen.try_recv().unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body, json!({"text": "E\"\\na\nb"}));

    let mut hook = transport(&format!(
        "url = '{url}'\ntemplate = '{{{{exception.type}}}}'\nheaders = {{ content-type = 'x/y' }}"
    ));
    assert_eq!(hook.send(&parcel).await, delivered());
    assert_eq!(seen.try_recv().unwrap().0[header::CONTENT_TYPE], "x/y");
}

#[tokio::test]
async fn nobody_there_is_a_reason_to_try_again() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    drop(listener);
    let mut hook = transport(&format!("url = '{url}'\ntimeout = '250ms'"));
    let parcel = Parcel::of_json(&json!({}));
    assert_eq!(hook.send(&parcel).await, retry("connection refused"));
    assert_eq!(hook.limit(), Duration::from_millis(250));
}

#[test]
fn a_url_is_shown_without_its_secret() {
    for (url, shown) in [
        ("https://a/b/c", "https://a/(hidden)"),
        ("https://a:1?token=x", "https://a:1/(hidden)"),
        ("http://a/", "http://a/"),
        ("http://[::1]:5", "http://[::1]:5"),
    ] {
        assert_eq!(without_path(url), shown);
    }
}
