//! What `/logs` is asked: which records, in which order, which page of them.
//!
//! ```text
//! page=1&per_page=20               a page; per_page is 100 at most
//! order_by=FIELD&direction=asc     the latest to end first, unless said otherwise
//! FIELD=TEXT                       records whose FIELD is TEXT
//! FIELD[OPERATOR]=TEXT             eq, neq, contains, lt or gt
//! min_FIELD=N&max_FIELD=N          both inclusive
//! start_date=TIME&end_date=TIME    both inclusive; RFC 3339, or a date alone for its midnight in UTC
//! search=TEXT                      records that have TEXT anywhere
//! filters=JSON                     [{"key":FIELD,"operator":OPERATOR,"value":[TEXT,…]},…]
//! ```
//!
//! All that is said must hold. Of several values of one filter one is enough (for `neq`: none may
//! be equal). FIELD is a field of the record, `tokens` (in and out), `metadata.key`,
//! `metadata.value`, or `metadata.NAME`. `contains` and `search` take upper and lower case for the
//! same. What is not known is neither equal to anything, nor less, nor greater.

use std::cmp::Ordering;

use serde::Deserialize;
use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tower_bedrock::observe::Record;

/// Fields that are numbers, and fields that are true or false; all others are texts.
const NUMBERS: &str = "\
    duration time_to_first_byte time_to_first_token time_between_tokens upstream_latency \
    bedrock_latency status_code grpc_status bytes_unread tokens tokens_in tokens_input \
    tokens_cache_read tokens_cache_write tokens_out tokens_reasoning cost request_size \
    response_size attempts step total_tokens";
const BOOLS: &str = "success cached is_stream custom_cost";
const TEXTS: &str = "\
    id created_at provider model path outcome account_id gateway_id principal region \
    operation stop_reason guardrail_action service_tier latency_mode upstream_request_id response_id trace_id \
    parent_span_id event_id credentials_id alias error ignored metadata.key \
    metadata.value";

#[derive(Debug)]
pub(crate) struct Query {
    page: usize,
    per_page: usize,
    /// In the order in which they ended, if there is none.
    order_by: Option<String>,
    ascending: bool,
    filters: Vec<Filter>,
    search: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Filter {
    key: String,
    #[serde(default)]
    operator: Operator,
    value: OneOrMany,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    Many(Vec<Value>),
    One(Value),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Operator {
    #[default]
    Eq,
    Neq,
    Contains,
    Lt,
    Gt,
    // Of min_ and max_, and of no filter.
    #[serde(skip)]
    Least,
    #[serde(skip)]
    Most,
}

impl Query {
    /// Reads a query string; what is wrong with it is said in words.
    pub(crate) fn parse(query: &str) -> Result<Self, String> {
        let mut this = Self {
            page: 1,
            per_page: 20,
            order_by: None,
            ascending: false,
            filters: Vec::new(),
            search: None,
        };
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            this.take(&decode(name)?, decode(value)?)?;
        }
        for filter in &this.filters {
            filter.check()?;
        }
        if let Some(key) = this.order_by.as_ref().filter(|key| !is_field(key)) {
            return Err(format!("order_by: there is no field {key:?}"));
        }
        Ok(this)
    }

    fn take(&mut self, name: &str, value: String) -> Result<(), String> {
        let number = |most| {
            let digits = value.bytes().all(|byte| byte.is_ascii_digit());
            let number = value.parse().ok().filter(|number| digits && *number >= 1);
            number.filter(|number| *number <= most).ok_or_else(|| {
                "page must be a number from 1, per_page a number from 1 to 100".to_owned()
            })
        };
        let mut filter = |key: &str, operator, value| {
            self.filters.push(Filter {
                key: key.to_owned(),
                operator,
                value: OneOrMany::One(Value::String(value)),
            });
        };
        match name {
            "page" => self.page = number(usize::MAX)?,
            "per_page" => self.per_page = number(100)?,
            "order_by" => self.order_by = Some(value),
            "direction" | "order_by_direction" => {
                self.ascending = match &*value {
                    "asc" => true,
                    "desc" => false,
                    _ => return Err(format!("{name} must be asc or desc")),
                }
            }
            "search" => self.search = Some(value.to_lowercase()),
            "start_date" => filter("created_at", Operator::Least, value),
            "end_date" => filter("created_at", Operator::Most, value),
            "filters" => {
                let filters: Vec<Filter> = serde_json::from_str(&value)
                    .map_err(|error| format!("filters is not as it should be: {error}"))?;
                self.filters.extend(filters);
            }
            _ => match (name.strip_prefix("min_"), name.strip_prefix("max_")) {
                (Some(key), _) => filter(key, Operator::Least, value),
                (_, Some(key)) => filter(key, Operator::Most, value),
                _ => match name.strip_suffix(']').and_then(|name| name.split_once('[')) {
                    Some((key, operator)) => {
                        let operator = Operator::deserialize(json!(operator))
                            .map_err(|_| format!("{name}: there is no operator {operator:?}"))?;
                        filter(key, operator, value);
                    }
                    None => filter(name, Operator::Eq, value),
                },
            },
        }
        Ok(())
    }

    /// The page of `records`, which are given newest first.
    pub(crate) fn answer<'a>(&self, records: impl Iterator<Item = &'a Record>) -> Value {
        let mut found: Vec<Map<String, Value>> = records
            .filter_map(|record| match serde_json::to_value(record) {
                Ok(Value::Object(fields)) => Some(fields),
                _ => None,
            })
            .filter(|fields| self.filters.iter().all(|filter| filter.holds(fields)))
            .filter(|fields| {
                let has = |text: &String| json!(fields).to_string().to_lowercase().contains(text);
                self.search.as_ref().is_none_or(has)
            })
            .collect();
        match (self.order_by.as_deref(), self.ascending) {
            (None, true) => found.reverse(),
            (None, false) => {}
            (Some(key), ascending) => found.sort_by(|a, b| {
                let order = |order: Ordering| if ascending { order } else { order.reverse() };
                match (field(a, key), field(b, key)) {
                    (Value::Null, Value::Null) => Ordering::Equal,
                    // Last in any direction.
                    (Value::Null, _) => Ordering::Greater,
                    (_, Value::Null) => Ordering::Less,
                    (a, b) => order(compare(&a, &b)),
                }
            }),
        }
        let total = found.len();
        let skipped = self.per_page.saturating_mul(self.page - 1);
        let mut shown: Vec<_> = found
            .into_iter()
            .skip(skipped)
            .take(self.per_page)
            .collect();
        for record in &mut shown {
            // Bodies are in `/logs/{id}` alone.
            record.retain(|name, _| name != "request_body" && name != "response_body");
        }
        json!({
            "result_info": {
                "page": self.page,
                "per_page": self.per_page,
                "count": shown.len(),
                "total_count": total,
            },
            "result": shown,
        })
    }
}

impl Filter {
    /// Whether it makes sense.
    fn check(&self) -> Result<(), String> {
        let Self { key, operator, .. } = self;
        if !is_field(key) {
            return Err(format!("there is no field and no parameter {key:?}"));
        }
        let is_bound = matches!(operator, Operator::Least | Operator::Most);
        let is_number = is_one_of(NUMBERS, key);
        if is_bound && !is_number && key != "created_at" {
            return Err(format!("{key} is not a number"));
        }
        if *operator == Operator::Contains {
            return Ok(());
        }
        for value in self.values() {
            let text = text(value);
            if is_number && !text.parse().is_ok_and(f64::is_finite) {
                return Err(format!("{key} is a number, and {text:?} is none"));
            }
            if is_one_of(BOOLS, key) && !["true", "false"].contains(&&*text) {
                return Err(format!("{key} is true or false, and not {text:?}"));
            }
            if key == "created_at" && time(&text).is_none() {
                return Err(format!(
                    "{text:?} is not a time such as 2026-01-02T03:04:05Z or 2026-01-02T03:04:05+01:00"
                ));
            }
        }
        Ok(())
    }

    fn values(&self) -> &[Value] {
        match &self.value {
            OneOrMany::Many(values) => values,
            OneOrMany::One(value) => std::slice::from_ref(value),
        }
    }

    fn holds(&self, record: &Map<String, Value>) -> bool {
        let found = match field(record, &self.key) {
            Value::Array(found) => found,
            found => vec![found],
        };
        let one_is = |test: &dyn Fn(&Value, &Value) -> bool| {
            let mut found = found.iter().filter(|found| !found.is_null());
            found.any(|found| self.values().iter().any(|value| test(found, value)))
        };
        let ordered = |allowed: &[Ordering]| {
            one_is(&|found, value| match &*self.key {
                "created_at" => {
                    let times = time(&text(found)).zip(time(&text(value)));
                    times.is_some_and(|(found, value)| allowed.contains(&found.cmp(&value)))
                }
                _ => allowed.contains(&compare(found, &like(found, value))),
            })
        };
        match self.operator {
            Operator::Eq => ordered(&[Ordering::Equal]),
            Operator::Neq => !ordered(&[Ordering::Equal]),
            Operator::Lt => ordered(&[Ordering::Less]),
            Operator::Gt => ordered(&[Ordering::Greater]),
            Operator::Least => ordered(&[Ordering::Greater, Ordering::Equal]),
            Operator::Most => ordered(&[Ordering::Less, Ordering::Equal]),
            Operator::Contains => one_is(&|found, value| {
                text(found)
                    .to_lowercase()
                    .contains(&text(value).to_lowercase())
            }),
        }
    }
}

fn is_field(key: &str) -> bool {
    [NUMBERS, BOOLS, TEXTS]
        .iter()
        .any(|names| is_one_of(names, key))
        || key
            .strip_prefix("metadata.")
            .is_some_and(|name| !name.is_empty())
}

fn is_one_of(names: &str, key: &str) -> bool {
    names.split_ascii_whitespace().any(|name| name == key)
}

/// A field of a record, or what is made of several; null if there is none.
fn field(record: &Map<String, Value>, key: &str) -> Value {
    let metadata = || record.get("metadata").and_then(Value::as_object);
    match key {
        "tokens" | "total_tokens" => {
            let of = |name: &str| record.get(name).and_then(Value::as_u64);
            match (of("tokens_in"), of("tokens_out")) {
                (None, None) => Value::Null,
                (a, b) => json!(a.unwrap_or(0).saturating_add(b.unwrap_or(0))),
            }
        }
        "metadata.key" => metadata()
            .map(|m| m.keys().cloned().collect())
            .unwrap_or_default(),
        "metadata.value" => metadata()
            .map(|m| m.values().cloned().collect())
            .unwrap_or_default(),
        _ => match key.strip_prefix("metadata.") {
            Some(name) => metadata().and_then(|m| m.get(name)).cloned(),
            None => record.get(key).cloned(),
        }
        .unwrap_or_default(),
    }
}

/// The wanted value, as the kind of value that was found.
fn like(found: &Value, wanted: &Value) -> Value {
    let wanted = text(wanted);
    match found {
        Value::Number(_) => wanted
            .parse::<f64>()
            .map_or(Value::Null, |number| json!(number)),
        Value::Bool(_) => wanted.parse::<bool>().map_or(Value::Null, Value::Bool),
        _ => Value::String(wanted),
    }
}

/// Of the same kind: by value; else by kind.
fn compare(a: &Value, b: &Value) -> Ordering {
    let kind = |value: &Value| match value {
        Value::Null => 0,
        Value::Bool(_) => 1,
        Value::Number(_) => 2,
        Value::String(_) => 3,
        Value::Array(_) => 4,
        Value::Object(_) => 5,
    };
    match (a, b) {
        (Value::Number(_), Value::Number(_)) => {
            let number = |value: &Value| value.as_f64().unwrap_or_default();
            number(a).total_cmp(&number(b))
        }
        (Value::Bool(a), Value::Bool(b)) => a.cmp(b),
        (Value::String(a), Value::String(b)) => a.cmp(b),
        _ => kind(a).cmp(&kind(b)),
    }
}

/// RFC 3339, also with a space where a form has undone the plus of an offset; or a date alone.
fn time(text: &str) -> Option<OffsetDateTime> {
    let is_date = text.len() == "2026-01-02".len();
    let mut full = text.to_owned() + if is_date { "T00:00:00Z" } else { "" };
    let offset = full.len().checked_sub("+01:00".len())?;
    if full.get(offset..=offset) == Some(" ") {
        full.replace_range(offset..=offset, "+");
    }
    OffsetDateTime::parse(&full, &Rfc3339).ok()
}

fn text(value: &Value) -> String {
    value
        .as_str()
        .map_or_else(|| value.to_string(), str::to_owned)
}

/// Undoes the encoding of a form.
fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        bytes.push(match byte {
            b'+' => b' ',
            b'%' => {
                let mut digit = || char::from(rest.next()?).to_digit(16);
                let pair = digit().zip(digit());
                let byte = pair.and_then(|(high, low)| u8::try_from(high * 16 + low).ok());
                byte.ok_or("a % in the query is not followed by two hexadecimal digits")?
            }
            byte => byte,
        });
    }
    String::from_utf8(bytes).map_err(|_| "the query is not UTF-8".to_owned())
}
