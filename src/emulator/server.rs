//! The listener, its connections, and the way of one request: read, verify, answer.

use std::collections::HashMap;
use std::convert::Infallible;
use std::future::pending;
use std::io;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_LENGTH, DATE};
use http::{HeaderMap, HeaderValue, Request, Response, request};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use serde_json::Value;
use time::OffsetDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use super::answer::{Answer, Content};
use super::builder::Settings;
use super::converse::Memory;
use super::duplex::{self, Duplex};
use super::faults::{self, Fault};
use super::log::{self, Log, Verdict};
use super::operations::{Operation, Target};
use super::refusal::Refusal;
use super::replay::{self, Recording, Replay};
use super::script::{Departure, Script, Step};
use super::verify::{Arrived, Payload, verify};

const BODY_LIMIT: u64 = 64 * 1024 * 1024;
const GRACE: Duration = Duration::from_millis(500);
const HTTP_DATE: &[BorrowedFormatItem<'_>] = format_description!(
    "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
);

/// What all connections share.
#[derive(Debug)]
pub(super) struct State {
    settings: Settings,
    pub(super) log: Log,
    pub(super) aborted: Arc<AtomicU64>,
    /// Calls so far, by the model id of the `throttle` fault.
    calls: Mutex<HashMap<String, u64>>,
    memory: Memory,
}

impl State {
    pub(super) fn new(settings: Settings) -> Self {
        Self {
            settings,
            log: Log::default(),
            aborted: Arc::default(),
            calls: Mutex::default(),
            memory: Memory::new(),
        }
    }
}

/// Accepts connections until `stop` says so (or its sender is gone), then lets them finish for a moment.
pub(super) async fn serve(
    listener: TcpListener,
    state: Arc<State>,
    mut stop: watch::Receiver<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            _ = stop.changed() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, Arc::clone(&state), stop.clone()));
                }
                // Out of file descriptors, most likely: wait for some to close.
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    let finished = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(GRACE, finished).await.is_err() {
        connections.shutdown().await;
    }
}

async fn connection(stream: TcpStream, state: Arc<State>, mut stop: watch::Receiver<bool>) {
    // Frames have to travel when they are sent.
    let _ = stream.set_nodelay(true);
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .auto_date_header(false);
    builder
        .http2()
        .timer(TokioTimer::new())
        .auto_date_header(false)
        .max_header_list_size(64 * 1024);
    let service = service_fn(|request| {
        let state = Arc::clone(&state);
        async move { Ok::<_, Infallible>(exchange(&state, request).await) }
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // A broken connection shows in the counter; its error says nothing more.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stop.changed() => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

async fn exchange(state: &State, request: Request<Incoming>) -> Response<Script> {
    let departure = Departure::watch(&state.aborted);
    let (head, body) = request.into_parts();
    let mut entry = state.log.open(&head);
    let target = Target::of(&head.method, head.uri.path());
    if let Target::Model(id, Operation::Bidirectional) = &target
        && state.settings.replay.is_none()
    {
        return match duplex(state, id, &head, body, entry).await {
            Ok(source) => begin(state, source, departure),
            Err(answer) => send(state, *answer, None, departure),
        };
    }
    let body = match read(body, &mut entry).await {
        Ok(body) => body,
        Err(Broken) => {
            // Written to the log as incomplete; nobody is there to read the answer.
            drop(entry);
            let answer = Refusal::validation("The request body broke off.").into();
            return send(state, answer, None, departure.happened());
        }
    };
    let verdict = match &body {
        None => Err(Refusal::too_large()),
        Some(body) if state.settings.verify => {
            let arrived = Arrived::of(&head, Payload::Whole(body));
            verify(&arrived, &state.settings.keys, state.settings.now())
        }
        Some(_) => Ok(()),
    };
    let body = body.unwrap_or_default();
    let answer = match verdict {
        Err(refusal) => {
            entry.close(&body, Verdict::Refused(refusal.name));
            return send(state, refusal.into(), None, departure);
        }
        Ok(()) => {
            entry.close(&body, Verdict::Accepted);
            if let Some(replay) = &state.settings.replay {
                return replayed(state, replay, &head, &body, departure);
            }
            answer(state, &target, &body).await
        }
    };
    match answer {
        Ok((answer, fault)) => send(state, answer, fault, departure),
        Err(refusal) => send(state, refusal.into(), None, departure),
    }
}

struct Broken;

/// The whole body, or `None` when it is over the limit (what comes after is read and dropped).
async fn read(mut body: Incoming, entry: &mut log::Entry) -> Result<Option<Bytes>, Broken> {
    let mut collected = BytesMut::new();
    let mut length = 0;
    loop {
        let frame = std::future::poll_fn(|cx| std::pin::Pin::new(&mut body).poll_frame(cx)).await;
        let Some(frame) = frame else { break };
        if let Ok(data) = frame.map_err(|_| Broken)?.into_data() {
            length += data.len() as u64;
            entry.arrived(length);
            if length <= BODY_LIMIT {
                collected.extend_from_slice(&data);
            } else if length > 2 * BODY_LIMIT {
                return Ok(None);
            }
        }
    }
    Ok((length <= BODY_LIMIT).then(|| collected.freeze()))
}

async fn answer(
    state: &State,
    target: &Target,
    body: &Bytes,
) -> Result<(Answer, Option<Fault>), Refusal> {
    let json: Value = match target {
        Target::Native(_) => serde_json::from_slice(body).unwrap_or_default(),
        _ => Value::Null,
    };
    let model = target.model(&json);
    let fault = Fault::of(model)?;
    let Some(fault) = fault else {
        return target
            .answer(&state.memory, body, None)
            .map(|answer| (answer, None));
    };
    let streaming = matches!(
        target,
        Target::Model(_, Operation::ConverseStream | Operation::InvokeStream)
    ) || json["stream"] == true;
    if let Some(answer) = before(state, model, fault, streaming).await {
        return Ok((answer, None));
    }
    let large = match fault {
        Fault::Large(bytes) => Some(bytes),
        _ => None,
    };
    Ok((target.answer(&state.memory, body, large)?, Some(fault)))
}

/// Waits as the fault of this model says; the answer with which it spares the operation, if it has one.
async fn before(state: &State, model: &str, fault: Fault, streaming: bool) -> Option<Answer> {
    let calls = {
        let mut calls = state.calls.lock().unwrap_or_else(PoisonError::into_inner);
        let count = calls.entry(model.to_owned()).or_insert(0);
        *count += 1;
        *count
    };
    match fault {
        Fault::Never => pending().await,
        Fault::SlowFirstByte(time) => tokio::time::sleep(time).await,
        _ => {}
    }
    fault.instead(calls, streaming)
}

/// The answer to a bidirectional stream whose head is in order.
async fn duplex(
    state: &State,
    id: &str,
    head: &request::Parts,
    body: Incoming,
    entry: log::Entry,
) -> Result<Duplex, Box<Answer>> {
    let opened = duplex::open(&state.settings, id, head);
    let opening = match opened {
        Ok(opening) => opening,
        Err(refusal) => {
            entry.close(&Bytes::new(), Verdict::Refused(refusal.name));
            return Err(Box::new(refusal.into()));
        }
    };
    if let Some(fault) = opening.fault()
        && let Some(answer) = before(state, id, fault, true).await
    {
        entry.close(&Bytes::new(), Verdict::Accepted);
        return Err(Box::new(answer));
    }
    Ok(opening.begin(body, entry))
}

fn begin(state: &State, source: Duplex, departure: Departure) -> Response<Script> {
    let answer = Answer::events(Content::Frames {
        frames: Vec::new(),
        closing: 0,
        binary: true,
    });
    let answer = answer.with("x-amzn-requestid", Uuid::new_v4());
    let mut response = Response::new(Script::of(source, departure));
    *response.headers_mut() = answer.headers;
    date(state, response.headers_mut());
    response
}

fn replayed(
    state: &State,
    replay: &Replay,
    head: &request::Parts,
    body: &Bytes,
    departure: Departure,
) -> Response<Script> {
    let target = log::target(head);
    let asked = head.headers.get("x-replay-id");
    let found = match asked {
        Some(id) => replay.by_id(id.to_str().unwrap_or_default()),
        None => replay.by_request(&head.method, target, body),
    };
    let Some(recording) = found else {
        let text = match asked {
            Some(id) => format!("No recording has the id {id:?}."),
            None => replay::no_match(&head.method, target, body),
        };
        let refusal = Refusal::service(404, "ResourceNotFoundException", &text);
        return send(state, refusal.into(), None, departure);
    };
    let Recording {
        status,
        headers,
        body,
        sized,
    } = recording.clone();
    let length = sized.then_some(body.len() as u64);
    let steps = match state.settings.chunk {
        Some(size) => faults::flushed(body.chunks(size).map(|chunk| body.slice_ref(chunk))),
        None if body.is_empty() => Vec::new(),
        None => vec![Step::Data(body)],
    };
    let mut response = Response::new(Script::new(steps, length, departure));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

fn send(
    state: &State,
    answer: Answer,
    fault: Option<Fault>,
    departure: Departure,
) -> Response<Script> {
    let answer = answer.with("x-amzn-requestid", Uuid::new_v4());
    let length = match &answer.content {
        Content::Whole(bytes) => Some(bytes.len() as u64),
        Content::Frames { .. } => None,
    };
    let steps = match (fault, answer.content) {
        (Some(fault), content) => fault.steps(content),
        (None, Content::Whole(bytes)) => vec![Step::Data(bytes)],
        (None, Content::Frames { frames, .. }) => faults::flushed(frames),
    };
    let mut response = Response::new(Script::new(steps, length, departure));
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    if let Some(length) = length {
        response.headers_mut().insert(CONTENT_LENGTH, length.into());
    }
    date(state, response.headers_mut());
    response
}

fn date(state: &State, headers: &mut HeaderMap) {
    let date = OffsetDateTime::from(state.settings.now()).format(HTTP_DATE);
    if let Ok(date) = date
        .map_err(drop)
        .and_then(|date| HeaderValue::try_from(date).map_err(drop))
    {
        headers.insert(DATE, date);
    }
}

/// Binds the address and serves it in a task of its own.
pub(super) async fn start(
    address: std::net::SocketAddr,
    state: Arc<State>,
    stop: watch::Receiver<bool>,
) -> io::Result<(std::net::SocketAddr, tokio::task::JoinHandle<()>)> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    Ok((address, tokio::spawn(serve(listener, state, stop))))
}
