//! Where a request went: what its path tells of that.

use crate::context::Context;
use crate::route::{CompatEndpoint, MAX_PATH, Operation, Service, Surface, partition};

#[derive(Debug, Default)]
pub(super) struct Place<'a> {
    /// The beginning of the path as it arrived.
    pub(super) path: &'a str,
    pub(super) account: Option<&'a str>,
    pub(super) gateway: Option<&'a str>,
    pub(super) region: Option<&'a str>,
    pub(super) operation: Option<&'static str>,
    /// The model, as it stands in the path.
    pub(super) raw_model: Option<&'a str>,
    pub(super) is_mantle: bool,
}

impl<'a> Place<'a> {
    pub(super) fn of(context: &'a Context) -> Self {
        let Some(uri) = context.inbound() else {
            return Self::default();
        };
        let whole = uri.path();
        let path = whole
            .get(..whole.floor_char_boundary(MAX_PATH))
            .unwrap_or_default();
        let Some(route) = context.route() else {
            // No gateway: Bedrock's own URL.
            let (operation, model) = Operation::parse(whole.trim_start_matches('/'));
            let host = uri.host();
            let region = |host: &'a str| host.split('.').find(|label| partition(label).is_some());
            return Self {
                path,
                region: host.and_then(region),
                operation: known(operation),
                raw_model: model,
                is_mantle: host.is_some_and(|host| host.starts_with(Service::Mantle.as_str())),
                ..Self::default()
            };
        };
        let place = Self {
            path,
            account: Some(route.account()),
            gateway: Some(route.gateway()),
            raw_model: route.raw_model(),
            ..Self::default()
        };
        match route.surface() {
            Surface::Native {
                service,
                region,
                operation,
                ..
            } => Self {
                region: Some(region),
                operation: known(operation),
                is_mantle: service == Service::Mantle,
                ..place
            },
            Surface::Compat(CompatEndpoint::ChatCompletions) => Self {
                operation: Some(Operation::ChatCompletions.as_str()),
                ..place
            },
            Surface::Compat(CompatEndpoint::Models) => Self {
                operation: Some("Models"),
                ..place
            },
        }
    }
}

impl Place<'_> {
    /// Whether both sides speak as they like, so that an answer may end without a word: nobody
    /// may have been asked anything.
    pub(super) fn is_conversation(&self) -> bool {
        self.operation == Some(Operation::InvokeModelWithBidirectionalStream.as_str())
    }

    /// Whether a model is asked, so that a success is never empty.
    pub(super) fn is_inference(&self) -> bool {
        [
            Operation::Converse,
            Operation::ConverseStream,
            Operation::InvokeModel,
            Operation::InvokeModelWithResponseStream,
            Operation::ChatCompletions,
            Operation::Responses,
            Operation::Messages,
        ]
        .iter()
        .any(|operation| self.operation == Some(operation.as_str()))
    }
}

/// Whether a request with this path names its model in the body.
pub(super) fn has_model_in_body(path: &str) -> bool {
    let path = path.trim_end_matches('/');
    let operations = [
        "/chat/completions",
        "/responses",
        "/messages",
        "/completions",
    ];
    // Nearly all others end otherwise.
    path.ends_with('s')
        && operations.iter().any(|end| path.ends_with(end))
        && !path.contains("/compat/")
}

fn known(operation: Operation) -> Option<&'static str> {
    Some(operation.as_str()).filter(|_| operation != Operation::Other)
}
