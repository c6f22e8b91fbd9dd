//! Where a request went: what its path tells of that.

use std::borrow::Cow;

use super::record::Record;
use crate::context::Context;
use crate::route::{CompatEndpoint, MAX_PATH, Operation, Surface, decode, partition};

/// What the path tells.
pub(super) fn place(record: &mut Record, context: &Context) {
    let Some(uri) = context.inbound() else {
        return;
    };
    let path = uri.path();
    record.path = path
        .get(..path.floor_char_boundary(MAX_PATH))
        .unwrap_or_default()
        .to_owned();
    let Some(route) = context.route() else {
        // No gateway: Bedrock's own URL.
        let (operation, model) = Operation::parse(path.trim_start_matches('/'));
        record.operation = known(operation);
        record.model = model.map(|model| decode(model).into_owned());
        let mut labels = uri.host().unwrap_or_default().split('.');
        let region = labels.find(|label| partition(label).is_some());
        record.region = region.map(str::to_owned);
        return;
    };
    record.account_id = Some(route.account().to_owned());
    record.gateway_id = Some(route.gateway().to_owned());
    record.model = route.model().map(Cow::into_owned);
    match route.surface() {
        Surface::Native {
            region, operation, ..
        } => {
            record.region = Some(region.to_owned());
            record.operation = known(operation);
        }
        Surface::Compat(CompatEndpoint::ChatCompletions) => {
            record.operation = Some(Operation::ChatCompletions.as_str());
        }
        Surface::Compat(CompatEndpoint::Models) => record.operation = Some("Models"),
    }
}

fn known(operation: Operation) -> Option<&'static str> {
    Some(operation.as_str()).filter(|_| operation != Operation::Other)
}
