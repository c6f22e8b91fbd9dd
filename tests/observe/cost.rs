//! What the record says of the price.

use super::*;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tower_bedrock::observe::{CaptureRequestLayer, Cost, Price, Prices};

const MILLION: &str = r#"{"usage":{"inputTokens":1000000,"outputTokens":1000000}}"#;

fn path(region: &str, model: &str) -> String {
    format!("/v1/acme/prod/aws-bedrock/bedrock-runtime/{region}/model/{model}/converse")
}

/// The record of a million tokens in and a million out, by a stack that knows the path.
fn record(layer: ObservabilityLayer, uri: &str, answer: &'static str) -> Arc<Record> {
    let ring = Ring::new(1);
    let inner = service_fn(move |_: Request<Empty<Bytes>>| async move {
        Ok::<_, Infallible>(json(Script::new([data(answer)])))
    });
    let layer = layer.with_sink(ring.clone());
    let service = layer.layer(BedrockPathRewriteLayer::new().layer(inner));
    let response = now(tower::ServiceExt::oneshot(service, post(uri))).unwrap();
    let _ = now(response.into_body().collect());
    only(&ring)
}

fn usd(layer: ObservabilityLayer, uri: &str) -> Option<f64> {
    record(layer, uri, MILLION).cost.map(Cost::as_usd)
}

#[test]
fn by_the_nearest_name() {
    for (region, model, expected) in [
        ("us-east-1", "amazon.nova-lite-v1%3A0", Some(0.3)),
        ("us-east-1", "us.amazon.nova-lite-v1%3A0", Some(0.3)),
        // Dearer under its own name.
        ("eu-west-1", "eu.amazon.nova-lite-v1%3A0", Some(0.39)),
        (
            "us-east-1",
            "us.anthropic.claude-haiku-4-5-20251001-v1%3A0",
            Some(6.6),
        ),
        (
            "us-east-1",
            "global.anthropic.claude-haiku-4-5-20251001-v1%3A0",
            Some(6.0),
        ),
        ("us-east-1", "amazon.nova-lite-v1%3A0%3A300k", Some(0.3)),
        ("us-gov-west-1", "openai.gpt-oss-120b-1%3A0", Some(0.9)),
        (
            "us-east-1",
            "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Ainference-profile%2Fus.amazon.nova-lite-v1%3A0",
            Some(0.3),
        ),
        (
            "us-east-1",
            "arn%3Aaws%3Abedrock%3Aus-east-1%3A1%3Aapplication-inference-profile%2Fnova",
            None,
        ),
        ("us-east-1", "amazon.nova-lite", None),
        // A place of which nothing is known.
        ("us-east-1", "xx.amazon.nova-lite-v1%3A0", None),
        (
            "us-east-1",
            "xx.anthropic.claude-haiku-4-5-20251001-v1%3A0",
            None,
        ),
        ("us-east-1", "vendor.unheard-of-v1%3A0", None),
        ("us-east-1", "amazon.rerank-v1%3A0", None),
    ] {
        let path = path(region, model);
        assert_eq!(
            usd(ObservabilityLayer::new(), &path),
            expected,
            "{region} {model}"
        );
    }
    let own = "https://bedrock-runtime.us-gov-west-1.amazonaws.com/model/openai.gpt-oss-120b-1%3A0/converse";
    let record = record_of(post(own), json(Script::new([data(MILLION)])));
    assert_eq!(record.cost.unwrap().as_usd(), 0.9);
}

#[test]
fn by_tier_and_length_and_cache() {
    for (model, usage, cost) in [
        (
            "amazon.nova-pro-v1%3A0",
            r#"{"serviceTier":{"type":"flex"},"usage":{"inputTokens":1000000,"outputTokens":0}}"#,
            "0.4",
        ),
        (
            "amazon.nova-pro-v1%3A0",
            r#"{"serviceTier":{"type":"priority"},"usage":{"inputTokens":1000000,"outputTokens":0}}"#,
            "1.4",
        ),
        (
            "anthropic.claude-sonnet-4-5-20250929-v1%3A0",
            r#"{"usage":{"inputTokens":100000,"outputTokens":0,"cacheReadInputTokens":100000}}"#,
            "0.33",
        ),
        (
            "anthropic.claude-sonnet-4-5-20250929-v1%3A0",
            r#"{"usage":{"inputTokens":100000,"outputTokens":0,"cacheReadInputTokens":100001}}"#,
            "0.6600006",
        ),
        (
            "anthropic.claude-sonnet-4-5-20250929-v1%3A0",
            r#"{"usage":{"inputTokens":0,"outputTokens":0,"cacheWriteInputTokens":100,"cacheDetails":[{"ttl":"1h","inputTokens":40}]}}"#,
            "0.000465",
        ),
    ] {
        let record = record(ObservabilityLayer::new(), &path("us-east-1", model), usage);
        assert_eq!(record.cost.unwrap().to_string(), cost, "{usage}");
    }
}

/// Latency-optimized inference has a price of its own, if any.
#[test]
fn by_how_fast_it_was() {
    let million = r#""usage":{"inputTokens":1000000,"outputTokens":0}"#;
    let standard = format!(r#"{{{million},"performanceConfig":{{"latency":"standard"}}}}"#);
    let optimized = format!(r#"{{"performanceConfig":{{"latency":"optimized"}},{million}}}"#);
    let flex = optimized.replacen('{', r#"{"serviceTier":{"type":"flex"},"#, 1);
    let price = |input| Price::per_million(input, 0.0).unwrap();
    let own = price(1.0).with_tier("optimized", price(1.5)).unwrap();
    let own = own.with_tier("flex", price(0.5)).unwrap();
    let own = Prices::bundled().with_price("amazon.nova-pro-v1:0", own);
    let event = |answer: &str| {
        let stop = eventstream::event("messageStop", br#"{"stopReason":"end_turn"}"#);
        let end = eventstream::event("metadata", answer.as_bytes());
        stream(Script::new([Step::Data([stop, end].concat().into())]))
    };
    let whole = |answer: String| json(Script::new([Step::Data(answer.into())]));
    for (answer, mode, bundled, priced) in [
        (&standard, "standard", Some(0.8), Some(1.0)),
        (&optimized, "optimized", None, Some(1.5)),
        // Nobody says what both together cost.
        (&flex, "optimized", None, None),
    ] {
        for (prices, expected) in [(Prices::bundled(), bundled), (own.clone(), priced)] {
            let observe = || ObservabilityLayer::new().with_prices(prices.clone());
            // In the head, where the operation is InvokeModel.
            let mut invoked = whole(answer.replace("performanceConfig", "x"));
            let name = "x-amzn-bedrock-performanceconfig-latency";
            invoked.headers_mut().insert(name, mode.parse().unwrap());
            for (operation, answer) in [
                ("converse", whole(answer.clone())),
                ("converse-stream", event(answer)),
                ("invoke", invoked),
            ] {
                let uri = format!("/model/amazon.nova-pro-v1%3A0/{operation}");
                let (response, ring) = ask_of(observe(), post(&uri), answer);
                let _ = now(response.into_body().collect());
                let record = only(&ring);
                let cost = record.cost.map(Cost::as_usd);
                assert_eq!(cost, expected, "{operation} {mode}");
                assert_eq!(record.latency_mode.as_deref(), Some(mode), "{operation}");
            }
        }
    }
}

/// Nova Sonic's tokens of speech cost more than those of text.
#[test]
fn by_what_is_said_aloud() {
    let details = r#""details":{"delta":{"input":{"speechTokens":1}},"total":{"input":{"speechTokens":1000000,"textTokens":500000},"output":{"speechTokens":100000,"textTokens":400000}}},"#;
    let total = r#""totalInputTokens":1500000,"totalOutputTokens":500000,"totalTokens":2000000"#;
    let earlier = r#""details":{"total":{"input":{"speechTokens":5,"textTokens":0}}},"totalInputTokens":5,"totalOutputTokens":0"#;
    let event = |usage: &str| {
        let json = format!(r#"{{"event":{{"usageEvent":{{{usage}}}}}}}"#);
        let json = format!(r#"{{"bytes":"{}"}}"#, STANDARD.encode(json));
        eventstream::event("chunk", json.as_bytes())
    };
    let plain = Price::per_million(1.0, 2.0).unwrap();
    let spoken = plain.clone().with_speech_input(10.0).unwrap();
    let spoken = spoken.with_speech_output(20.0).unwrap();
    let own = |price| Prices::bundled().with_price("amazon.nova-sonic-v1:0", price);
    for (model, prices, details, cost) in [
        // 0.5 · 0.33 + 1 · 3 + 0.4 · 2.75 + 0.1 · 12
        (
            "amazon.nova-2-sonic-v1",
            Prices::bundled(),
            details,
            Some("5.465"),
        ),
        ("amazon.nova-2-sonic-v1", Prices::bundled(), "", None),
        ("amazon.nova-sonic-v1", Prices::bundled(), details, None),
        (
            "amazon.nova-sonic-v1",
            own(plain.clone()),
            details,
            Some("2.5"),
        ),
        ("amazon.nova-sonic-v1", own(plain), "", Some("2.5")),
        ("amazon.nova-sonic-v1", own(spoken), details, Some("13.3")),
    ] {
        let frames = [event(earlier), event(&format!("{details}{total}"))].concat();
        // Whatever a model has said of speech before counts until it says something else.
        let frames = match details {
            "" => event(total).to_vec(),
            _ => frames,
        };
        let answer = stream(Script::new([Step::Data(frames.into())]));
        let uri = format!("/model/{model}%3A0/invoke-with-bidirectional-stream");
        let layer = ObservabilityLayer::new().with_prices(prices);
        let (response, ring) = ask_of(layer, post(&uri), answer);
        let _ = now(response.into_body().collect());
        let record = only(&ring);
        assert_eq!(record.tokens_in, Some(1_500_000));
        let found = record.cost.map(|cost| cost.to_string());
        assert_eq!(found.as_deref(), cost, "{model} {details}");
    }
}

#[test]
fn a_program_sets_prices_of_its_own() {
    let arn = "arn:aws:bedrock:us-east-1:1:application-inference-profile/nova";
    let at_arn = path("us-east-1", &arn.replace(':', "%3A").replace('/', "%2F"));
    let price = || Price::per_million(1.0, 2.0).unwrap();
    let own = |prices: Prices| ObservabilityLayer::new().with_prices(prices);
    let nova = path("us-east-1", "amazon.nova-lite-v1%3A0");

    let prices = Prices::bundled().with_price(arn, price()).with_price(
        "amazon.nova-lite-v1:0",
        Price::per_million(0.0, 0.0).unwrap(),
    );
    assert_eq!(usd(own(prices.clone()), &at_arn), Some(3.0));
    assert_eq!(usd(own(prices), &nova), Some(0.0));
    let prices = Prices::bundled().with_price_of(arn, "us.amazon.nova-pro-v1:0");
    assert_eq!(usd(own(prices), &at_arn), Some(4.0));
    assert_eq!(usd(own(Prices::none()), &nova), None);

    let table = "in 7 out 1 = amazon.nova-lite-v1:0\nin 9 out 1 = eu-west-1/amazon.nova-lite-v1:0";
    let prices = Prices::from_table(table).unwrap();
    assert_eq!(prices.len(), 2);
    assert_eq!(usd(own(prices.clone()), &nova), Some(8.0));
    let there = path("eu-west-1", "amazon.nova-lite-v1%3A0");
    assert_eq!(usd(own(prices), &there), Some(10.0));
    assert!(Prices::from_table("seven").is_err());
    assert!(Prices::bundled().len() > 300);

    // By the name that an answer of the OpenAI-compatible API tells.
    let answer = r#"{"model":"ours","usage":{"prompt_tokens":1000000,"completion_tokens":0}}"#;
    let compat = "/v1/acme/prod/compat/chat/completions";
    let prices = Prices::bundled().with_price("ours", price());
    let (response, ring) = ask_of(own(prices), post(compat), json(Script::new([data(answer)])));
    let _ = now(response.into_body().collect());
    let record = only(&ring);
    assert_eq!(record.cost.unwrap().as_usd(), 1.0);
    assert_eq!(record.model.as_deref(), Some("ours"));
}

#[test]
fn the_model_of_mantle_is_in_its_answer() {
    let answer =
        r#"{"model":"openai.gpt-oss-20b","usage":{"prompt_tokens":1000000,"completion_tokens":0}}"#;
    let uri = "/v1/acme/prod/aws-bedrock/bedrock-mantle/us-east-1/v1/chat/completions";
    let record = record(ObservabilityLayer::new(), uri, answer);
    assert_eq!(record.model.as_deref(), Some("openai.gpt-oss-20b"));
    assert!(record.cost.is_some());
    assert_eq!(record.operation, Some("ChatCompletions"));
}

/// A request with this body, through a stack that looks into it, or one that does not.
fn record_of_body(
    layer: ObservabilityLayer,
    (uri, body): (&str, &'static str),
    answer: Response<Script>,
    looks: bool,
) -> Arc<Record> {
    let ring = Ring::new(1);
    let layer = layer.with_sink(ring.clone());
    let request = Request::post(uri).body(Script::chunks(body.as_bytes(), 7));
    let request = request.unwrap();
    if looks {
        let inner = CaptureRequestLayer::new().layer(bedrock(answer));
        let response = now(layer.layer(inner).call(request)).unwrap();
        let _ = now(response.into_body().collect());
    } else {
        let response = now(layer.layer(bedrock(answer)).call(request)).unwrap();
        let _ = now(response.into_body().collect());
    }
    only(&ring)
}

/// Reads what it is sent, and answers.
fn bedrock<B: Body<Data = Bytes>>(
    answer: Response<Script>,
) -> impl Service<Request<B>, Response = Response<Script>, Error = Infallible> {
    let mut answer = Some(answer);
    service_fn(move |request: Request<B>| {
        let answer = answer.take().unwrap();
        async move {
            let _ = request.into_body().collect().await.is_ok();
            Ok(answer)
        }
    })
}

const MESSAGES: &str = "https://bedrock-mantle.us-east-1.api.aws/anthropic/v1/messages";
const HAIKU: &str = r#"{"max_tokens":9,"messages":[{"role":"user","content":"the \"model\":\"x\""}],"model":"anthropic.claude-haiku-4-5"}"#;
const HAIKU_SAYS: &str = r#"{"model":"claude-haiku-4-5-20251001","id":"msg_01","type":"message","role":"assistant","content":[{"type":"text","text":"OSS"}],"stop_reason":"end_turn","usage":{"input_tokens":1000000,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1000000,"service_tier":"standard"}}"#;

#[test]
fn claude_on_mantle() {
    let mine = || Price::per_million(10.0, 20.0).unwrap();
    for (prices, looks, model, cost) in [
        (
            Prices::bundled(),
            true,
            "anthropic.claude-haiku-4-5",
            Some(6.0),
        ),
        // Only the answer names it, by Anthropic's own name.
        (
            Prices::bundled(),
            false,
            "claude-haiku-4-5-20251001",
            Some(6.0),
        ),
        (
            Prices::none().with_price("anthropic.claude-haiku-4-5", mine()),
            true,
            "anthropic.claude-haiku-4-5",
            Some(30.0),
        ),
        // What the answer says is not what was asked for.
        (
            Prices::none().with_price("claude-haiku-4-5-20251001", mine()),
            true,
            "anthropic.claude-haiku-4-5",
            None,
        ),
        (
            Prices::none().with_price("claude-haiku-4-5-20251001", mine()),
            false,
            "claude-haiku-4-5-20251001",
            Some(30.0),
        ),
    ] {
        let layer = ObservabilityLayer::new().with_prices(prices);
        let answer = json(Script::new([data(HAIKU_SAYS)]));
        let record = record_of_body(layer, (MESSAGES, HAIKU), answer, looks);
        assert_eq!(record.operation, Some("Messages"));
        assert_eq!(record.model.as_deref(), Some(model));
        assert_eq!(record.cost.map(Cost::as_usd), cost, "{model}");
        assert_eq!(record.response_id.as_deref(), Some("msg_01"));
    }
    // As events.
    let wire = concat!(
        "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_02\",\"model\":\"claude-haiku-4-5-20251001\",\"usage\":{\"input_tokens\":1000000,\"output_tokens\":1}}}\n\n",
        "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":{\"output_tokens\":1000000}}\n\n",
        "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    );
    for looks in [true, false] {
        let answer = events(Script::chunks(wire.as_bytes(), 11));
        let record = record_of_body(ObservabilityLayer::new(), (MESSAGES, HAIKU), answer, looks);
        assert_eq!(record.cost.map(Cost::as_usd), Some(6.0));
        assert_eq!(record.response_id.as_deref(), Some("msg_02"));
        assert_eq!(record.outcome, Outcome::Complete);
    }
}

/// As in the recordings: the model is in the body, and the answer repeats it.
#[test]
fn openai_on_mantle() {
    for (path, body, answer, cost) in [
        (
            "/openai/v1/responses",
            r#"{"input":[{"content":"Reply","role":"user"}],"model":"openai.gpt-oss-120b","store":false}"#,
            r#"{"id":"resp_1","object":"response","model":"openai.gpt-oss-120b","service_tier":"default","status":"completed","usage":{"input_tokens":1000000,"output_tokens":1000000}}"#,
            Some(0.75),
        ),
        (
            "/v1/chat/completions",
            r#"{"messages":[{"content":"Reply","role":"user"}],"model":"openai.gpt-oss-safeguard-20b"}"#,
            r#"{"id":"chatcmpl-1","model":"another","service_tier":"default","usage":{"prompt_tokens":1000000,"completion_tokens":1000000}}"#,
            Some(0.27),
        ),
        (
            "/v1/chat/completions",
            r#"{"messages":[],"model":"openai.gpt-oss-safeguard-20b"}"#,
            r#"{"service_tier":"flex","usage":{"prompt_tokens":1000000,"completion_tokens":1000000}}"#,
            Some(0.13),
        ),
        (
            "/v1/chat/completions",
            r#"{"messages":[],"model":"openai.gpt-5.5"}"#,
            r#"{"service_tier":"flex","usage":{"prompt_tokens":1000000,"completion_tokens":1000000}}"#,
            None,
        ),
        (
            "/v1/chat/completions",
            r#"{"model":7}"#,
            HAIKU_SAYS,
            Some(6.0),
        ),
        ("/v1/chat/completions", "no JSON", HAIKU_SAYS, Some(6.0)),
        ("/v1/chat/completions", "", HAIKU_SAYS, Some(6.0)),
    ] {
        let uri = format!("https://bedrock-mantle.us-east-1.api.aws{path}");
        let answer = json(Script::new([data(answer)]));
        let record = record_of_body(ObservabilityLayer::new(), (&uri, body), answer, true);
        assert_eq!(record.cost.map(Cost::as_usd), cost, "{path} {body}");
    }
}

/// Whatever the answer says of its model.
#[test]
fn an_override_is_for_what_was_asked() {
    let own = Price::per_million(1.0, 2.0).unwrap();
    let prices = Prices::bundled().with_price("told", own);
    let says = r#"{"model":"told","usage":{"inputTokens":1000000,"outputTokens":1000000}}"#;
    let nova = path("us-east-1", "amazon.nova-lite-v1%3A0");
    let layer = ObservabilityLayer::new().with_prices(prices);
    let record = record(layer, &nova, says);
    assert_eq!(record.cost.unwrap().as_usd(), 0.3);
}

#[tokio::test]
async fn an_alias_has_a_price_of_its_own() {
    let nova = tower_bedrock::ModelAlias::new("us.amazon.nova-lite-v1:0").unwrap();
    let policy = tower_bedrock::Policy::new()
        .with_model_alias("ours", nova)
        .unwrap();
    let tokens = tower_bedrock::auth::GatewayTokens::new("acme", "prod").unwrap();
    let tokens = tokens.with_token("good").unwrap().with_policy(policy);
    let gateways = tower_bedrock::auth::Gateways::new()
        .with_gateway(tokens)
        .unwrap();
    let million = Price::per_million(1_000_000.0, 0.0).unwrap();
    let stack = support::stack_with(|builder| {
        let prices = Prices::bundled().with_price("ours", million);
        builder.authenticate(gateways).prices(prices)
    })
    .await;
    for (model, is_own) in [
        ("ours", true),
        ("aws-bedrock/ours", true),
        ("aws-bedrock/us.amazon.nova-lite-v1:0", false),
    ] {
        let body =
            format!(r#"{{"model":"{model}","messages":[{{"role":"user","content":"Hello"}}]}}"#);
        let request = support::post("/v1/acme/prod/compat/chat/completions");
        let request = request.body(Full::from(body)).unwrap();
        let (head, answer) = stack.send(request).await;
        assert_eq!(head.status, 200, "{answer:?}");
        let record = Arc::clone(&stack.records.snapshot()[0]);
        assert_eq!(record.model.as_deref(), Some("us.amazon.nova-lite-v1:0"));
        let tokens = record.tokens_in.unwrap() as f64;
        let cost = record.cost.unwrap().as_usd();
        assert_eq!(cost == tokens, is_own, "{model}: {cost} for {tokens}");
    }
}

/// A tier costs what it costs, not what others do.
#[test]
fn a_tier_without_a_price_has_no_cost() {
    for (model, tier, cost) in [
        ("amazon.nova-pro-v1%3A0", "default", Some("4")),
        ("amazon.nova-pro-v1%3A0", "priority", Some("7")),
        ("amazon.nova-pro-v1%3A0", "reserved", None),
        ("amazon.nova-pro-v1%3A0", "tomorrow", None),
        ("amazon.nova-lite-v1%3A0", "default", Some("0.3")),
        ("amazon.nova-lite-v1%3A0", "flex", None),
        ("amazon.nova-lite-v1%3A0", "priority", None),
    ] {
        let (mut head, body) = json(Script::new([data(MILLION)])).into_parts();
        let name = "x-amzn-bedrock-service-tier";
        head.headers.insert(name, tier.parse().unwrap());
        let url = format!("https://bedrock-runtime.us-east-1.amazonaws.com/model/{model}/converse");
        let record = record_of(post(&url), Response::from_parts(head, body));
        let found = record.cost.map(|cost| cost.to_string());
        assert_eq!(found.as_deref(), cost, "{model} {tier}");
        assert_eq!(record.service_tier.as_deref(), Some(tier));
    }
}

#[test]
fn a_price_of_the_clients_own() {
    let request = |json: &str| {
        let request = Request::post(
            "https://bedrock-runtime.us-east-1.amazonaws.com/model/amazon.nova-lite-v1%3A0/converse",
        );
        let request = request.header("cf-aig-custom-cost", json);
        request.body(Empty::<Bytes>::new()).unwrap()
    };
    for (json_text, cost, is_custom, ignored) in [
        (r#"{"total_cost":1.5}"#, "1.5", true, 0),
        (
            r#"{"per_token_in":0.000001,"per_token_out":0.000002}"#,
            "0.000016",
            true,
            0,
        ),
        (r#"{"total_cost":-1}"#, "0.00000144", false, 1),
        (r#"{"total_cost":NaN}"#, "0.00000144", false, 1),
        (r#"{"total_cost":1e300}"#, "0.00000144", false, 1),
        (r#"{"per_token_in":"1"}"#, "0.00000144", false, 2),
        ("free", "0.00000144", false, 1),
    ] {
        let answer = json(Script::new([data(
            r#"{"usage":{"inputTokens":8,"outputTokens":4}}"#,
        )]));
        let record = record_of(request(json_text), answer);
        assert_eq!(record.cost.unwrap().to_string(), cost, "{json_text}");
        assert_eq!(record.custom_cost, is_custom, "{json_text}");
        assert_eq!(
            record.ignored.len(),
            ignored,
            "{json_text}: {:?}",
            record.ignored
        );
    }
    // What Bedrock refuses costs nothing that is known.
    let refused = Response::builder()
        .status(400)
        .body(Script::new([]))
        .unwrap();
    let record = record_of(request(r#"{"total_cost":1.5}"#), refused);
    assert_eq!((record.cost, record.custom_cost), (None, false));
}

/// Every price of the file that the table was made from is found, and is that price.
#[test]
fn every_price_as_in_the_file() {
    let Some(folder) = support::shared() else {
        return;
    };
    let file = folder.join("prices/litellm-bedrock-prices.json");
    let json: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(file).unwrap()).unwrap();
    const THOUSAND: &str = r#"{"usage":{"inputTokens":1000,"outputTokens":1000}}"#;
    let (mut compared, mut unknown) = (0, 0);
    for (key, facts) in json["models"].as_object().unwrap() {
        let (region, model) = match key.strip_prefix("bedrock/").unwrap_or(key).split_once('/') {
            None => ("us-east-1", key.strip_prefix("bedrock/").unwrap_or(key)),
            Some((region, model)) if key.starts_with("bedrock/") => (region, model),
            Some(_) => continue,
        };
        // Capacity that is bought by the hour has the region `*` or a further part; Anthropic's own
        // platform is no region.
        let is_region = region.ends_with(|last: char| last.is_ascii_digit());
        if model.contains('/') || !is_region {
            continue;
        }
        let rate = |name: &str| facts[name].as_f64();
        let is_by_token = facts.as_object().unwrap().iter().all(|(name, price)| {
            !name.starts_with("input_cost_per_")
                || name.starts_with("input_cost_per_token")
                || price.as_f64() == Some(0.0)
                || price.as_f64() == rate("input_cost_per_token")
        });
        let rates = rate("input_cost_per_token").zip(rate("output_cost_per_token"));
        let expected = rates.filter(|(input, output)| is_by_token && input + output > 0.0);
        let uri = path(region, &model.replace(':', "%3A"));
        let record = record(ObservabilityLayer::new(), &uri, THOUSAND);
        let got = record.cost.map(|cost| cost.picodollars());
        let expected = expected.map(|(input, output)| ((input + output) * 1e15).round() as u64);
        if expected.is_some() {
            assert_eq!(got, expected, "{key}");
            compared += 1;
        } else {
            assert_eq!(got, None, "{key}");
            unknown += 1;
        }
    }
    println!("{compared} prices as in the file, {unknown} models without a price for tokens");
    assert!(compared > 400, "{compared}");
}
