//! Every configuration that the gateway example must refuse, with the line and key it must name.

#[allow(dead_code)]
#[path = "../examples/gateway/bodies.rs"]
mod bodies;
#[allow(dead_code)]
#[path = "../examples/gateway/config.rs"]
mod config;
#[path = "../examples/gateway/file.rs"]
mod file;
#[allow(dead_code)]
#[path = "../examples/gateway/records.rs"]
mod records;

use std::fs;
use std::path::{Path, PathBuf};

use http::Request;
use tower_bedrock::Policy;
use tower_bedrock::auth::Authenticate;
use tower_bedrock::observe::Prices;

use self::config::Config;

/// Lines 1 to 5 of most files here.
const GATEWAY: &str = "\
[[gateway]]
account_id = \"acme\"
gateway_id = \"prod\"
tokens = [\"token\"]
";

const KEY: &str = "\
[[gateway.provider_key]]
alias = \"default\"
accessKeyId = \"AKIAIOSFODNN7EXAMPLE\"
secretAccessKey = \"wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\"
region = \"us-east-1\"
";

fn parse(text: &str) -> Result<Config, String> {
    Config::parse(Path::new("g.toml"), text)
}

/// `text` must be refused at `line`, in words that contain all of `words`.
#[track_caller]
fn refused(text: &str, line: usize, words: &[&str]) {
    let error = parse(text).err().expect("must be refused");
    assert!(
        error.starts_with(&format!("g.toml:{line}: ")),
        "{error}\n{text}"
    );
    for word in words {
        assert!(error.contains(word), "no {word} in: {error}");
    }
    assert!(!error.contains('\n'), "{error}");
}

#[test]
fn accepted() {
    parse(GATEWAY).ok().unwrap();
    parse(&format!("{GATEWAY}{KEY}")).ok().unwrap();
    Config::demo().ok().unwrap();
    let documented = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/gateway.toml");
    Config::read(&documented).map(drop).unwrap();
    // What the documented file shows in comments works as well.
    let everything: String = fs::read_to_string(documented)
        .unwrap()
        .lines()
        .map(|line| match line.strip_prefix("# ") {
            Some(rest) if is_setting(rest) => format!("{rest}\n"),
            _ => format!("{line}\n"),
        })
        .filter(|line| !line.contains("{ env =") && !line.contains("{ file ="))
        .map(|line| match line.contains("alias = \"api-key\"") {
            true => format!("{line}apiKey = \"key\"\n"),
            false => line,
        })
        .collect();
    assert!(everything.contains("\nregions = ["), "{everything}");
    parse(&everything).map(drop).unwrap();
}

fn is_setting(line: &str) -> bool {
    line.starts_with("[[")
        || line
            .split_once(" = ")
            .is_some_and(|(key, _)| !key.contains(' '))
}

#[test]
fn several_gateways_and_keys() {
    let second = GATEWAY.replace("prod", "test");
    let alias = KEY.replace("default", "other");
    let temporary = format!("{alias}sessionToken = \"session\"\n");
    let api_key =
        "[[gateway.provider_key]]\nalias = \"bearer\"\napiKey = \"k\"\nregion = \"eu-west-1\"\n";
    parse(&format!("{GATEWAY}{KEY}{temporary}{api_key}{second}{KEY}"))
        .map(drop)
        .unwrap();
}

#[test]
fn unknown_keys() {
    refused(&format!("{GATEWAY}color = 1\n"), 5, &["color"]);
    refused(&format!("color = 1\n{GATEWAY}"), 1, &["color"]);
    refused(
        &format!("{GATEWAY}{KEY}secret_access_key = \"x\"\n"),
        10,
        &["secret_access_key"],
    );
    refused(
        &format!("{GATEWAY}{KEY}account_id = \"x\"\n"),
        10,
        &["account_id"],
    );
    refused(&format!("[gatway]\n{GATEWAY}"), 1, &["gatway"]);
}

#[test]
fn syntax_and_types() {
    refused(&format!("{GATEWAY}tokens = [\"b\"]\n"), 5, &["tokens"]);
    refused("[[gateway]]\naccount_id = \"acme\n", 2, &["account_id"]);
    let broken = KEY.replace("KEY\"", "KEY\n\"");
    refused(&format!("{GATEWAY}{broken}"), 8, &["secretAccessKey"]);
    refused("[[gateway\n", 1, &["TOML"]);
    refused("\u{e9} = 1\n", 1, &["TOML"]);
    refused(&GATEWAY.replace("\"prod\"", "7"), 3, &["gateway_id"]);
    refused(
        &GATEWAY.replace("gateway_id = \"prod\"\n", ""),
        1,
        &["gateway_id"],
    );
    refused(
        &format!("{GATEWAY}client_credentials = \"maybe\"\n"),
        5,
        &["client_credentials", "refuse"],
    );
    refused(
        &format!("{GATEWAY}connect_timeout_ms = 0\n"),
        5,
        &["connect_timeout_ms"],
    );
    refused(
        &format!("{GATEWAY}connect_timeout_ms = -1\n"),
        5,
        &["connect_timeout_ms"],
    );
    refused(
        &format!("{GATEWAY}authentication = \"no\"\n"),
        5,
        &["authentication"],
    );
}

#[test]
fn no_gateway() {
    refused("", 1, &["gateway"]);
    refused("# nothing\n", 1, &["gateway"]);
    assert!(
        Config::read(Path::new("/nowhere/g.toml"))
            .err()
            .unwrap()
            .contains("/nowhere/g.toml")
    );
}

#[test]
fn names() {
    for bad in ["", "a/b", "a b", "..", "a?b"] {
        refused(&GATEWAY.replace("acme", bad), 2, &["account_id"]);
        refused(&GATEWAY.replace("prod", bad), 3, &["gateway_id"]);
    }
    refused(&format!("prefix = \"ai\"\n{GATEWAY}"), 1, &["prefix"]);
    let domain = "custom_domain = { account_id = \"\", gateway_id = \"prod\" }\n";
    refused(&format!("{domain}{GATEWAY}"), 1, &["account_id"]);
}

#[test]
fn tokens() {
    let with = |tokens: &str| GATEWAY.replace("[\"token\"]", tokens);
    refused(&with("[\"\"]"), 4, &["tokens", "empty"]);
    refused(&with("[\"a\",\n\"\"]"), 5, &["tokens", "empty"]);
    refused(&with("[\"a\\n\"]"), 4, &["tokens", "newline"]);
    refused(&with("[\" a\"]"), 4, &["tokens"]);
    refused(&with("[\"é\"]"), 4, &["token"]);
    refused(&with("[]"), 1, &["tokens"]);
    refused(
        &GATEWAY.replace("tokens = [\"token\"]\n", ""),
        1,
        &["tokens"],
    );
    let hashed = |hash: &str| format!("{GATEWAY}tokens_sha256 = [\"{hash}\"]\n");
    refused(&hashed("abc"), 5, &["tokens_sha256"]);
    refused(&hashed(&"g".repeat(64)), 5, &["tokens_sha256"]);
    refused(&hashed(&"é".repeat(32)), 5, &["tokens_sha256"]);
    parse(&hashed(&"aB".repeat(32))).map(drop).unwrap();
}

#[test]
fn duplicates() {
    refused(&format!("{GATEWAY}{GATEWAY}"), 5, &["gateway", "acme/prod"]);
    refused(&format!("{GATEWAY}{KEY}{KEY}"), 10, &["alias", "default"]);
    let without_alias = KEY.replace("alias = \"default\"\n", "");
    refused(
        &format!("{GATEWAY}{without_alias}{KEY}"),
        9,
        &["alias", "default"],
    );
}

#[test]
fn allow_lists() {
    refused(
        &format!("{GATEWAY}regions = [\"us-east-1\", \"mars-1\"]\n"),
        5,
        &["regions", "mars-1"],
    );
    refused(
        &format!("{GATEWAY}operations = [\"converse\"]\n"),
        5,
        &["operations", "converse"],
    );
}

#[test]
fn models() {
    let model =
        |name: &str, id: &str| format!("[[gateway.model]]\nname = \"{name}\"\nid = \"{id}\"\n");
    let good = model("gpt-4o", "us.amazon.nova-lite-v1:0");
    let profile = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc";
    let opaque = format!(
        "{}family = \"anthropic.claude-haiku-4-5\"\n",
        model("a b", profile)
    );
    parse(&format!(
        "{GATEWAY}strict_parameters = true\n{good}{opaque}{KEY}"
    ))
    .map(drop)
    .unwrap();
    // Each gateway has its own names.
    let second = GATEWAY.replace("prod", "test");
    parse(&format!("{GATEWAY}{good}{second}{good}"))
        .map(drop)
        .unwrap();

    let with = |model: &str| format!("{GATEWAY}{model}");
    refused(
        &with(&format!("{good}{good}")),
        9,
        &["gateway.model.name", "twice"],
    );
    refused(&with(&model("", "a.b")), 6, &["gateway.model.name"]);
    refused(&with(&model("a\\n", "a.b")), 6, &["gateway.model.name"]);
    refused(
        &with(&model(&"n".repeat(257), "a.b")),
        6,
        &["gateway.model.name"],
    );
    for id in ["", "a b", "..", "a/b", "a?b", "é"] {
        refused(&with(&model("x", id)), 7, &["gateway.model.id", "model id"]);
    }
    for family in ["", "claude haiku"] {
        refused(
            &with(&format!("{good}family = \"{family}\"\n")),
            8,
            &["gateway.model.family"],
        );
    }
    refused(&with(&format!("{good}region = \"x\"\n")), 8, &["region"]);
    refused(&with("[[gateway.model]]\nname = \"x\"\n"), 5, &["id"]);
    refused(&with("[[gateway.model]]\nid = \"a.b\"\n"), 5, &["name"]);
    refused(&with(&good.replace("\"gpt-4o\"", "7")), 6, &["name"]);
    refused(&with("strict_parameters = 1\n"), 5, &["strict_parameters"]);
    refused(
        &format!("strict_parameters = true\n{GATEWAY}"),
        1,
        &["strict_parameters"],
    );
}

/// The policy of whoever shows `token` on this gateway's path.
fn policy(config: &Config, gateway: &str, token: &str) -> Policy {
    let path = format!("/v1/{gateway}/compat/chat/completions");
    let request = Request::post(path).header("authorization", format!("Bearer {token}"));
    let (head, ()) = request.body(()).unwrap().into_parts();
    let principal = config.gateways.authenticate_now(&head).unwrap().unwrap();
    principal.policy().unwrap().clone()
}

#[test]
fn models_reach_the_policy() {
    let demo = policy(&Config::demo().ok().unwrap(), "demo/demo", "demo-token");
    let id = |name: &str| demo.model_alias(name).map(|alias| alias.model().to_owned());
    let haiku = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
    assert_eq!(id("gpt-4o-mini").as_deref(), Some(haiku));
    assert_eq!(id("gpt-4o").as_deref(), Some("us.amazon.nova-lite-v1:0"));
    assert_eq!(id("gpt-4"), None);
    assert!(!demo.strict_parameters());

    let model = "[[gateway.model]]\nname = \"x\"\nid = \"a.b\"\nfamily = \"amazon.nova-2\"\n";
    let strict = format!("{GATEWAY}strict_parameters = true\n{model}");
    let strict = policy(&parse(&strict).ok().unwrap(), "acme/prod", "token");
    assert!(strict.strict_parameters());
    let family = strict.model_alias("x").and_then(|alias| alias.family());
    assert_eq!(family, Some("amazon.nova-2"));
}

#[test]
fn authentication_off() {
    let open = GATEWAY.replace("tokens = [\"token\"]", "authentication = false");
    parse(&open).map(drop).unwrap();
    refused(
        &format!("{open}{KEY}"),
        4,
        &["authentication", "allow_unauthenticated_spend"],
    );
    let allowed = format!("{open}allow_unauthenticated_spend = true\n{KEY}");
    parse(&allowed).map(drop).unwrap();
    let denied = format!("{open}allow_unauthenticated_spend = false\n{KEY}");
    refused(&denied, 4, &["allow_unauthenticated_spend"]);
}

#[test]
fn keys() {
    let key = |from: &str, to: &str| format!("{GATEWAY}{}", KEY.replace(from, to));
    let secret = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    refused(&key("region = \"us-east-1\"\n", ""), 5, &["region"]);
    refused(&key("us-east-1", "us-east-1.evil.com"), 9, &["region"]);
    refused(&key("us-east-1", ""), 9, &["region"]);
    refused(
        &key(secret, &format!("{secret}\\n")),
        8,
        &["secretAccessKey", "newline"],
    );
    refused(&key(secret, &format!(" {secret}")), 8, &["secretAccessKey"]);
    refused(&key(secret, ""), 8, &["secretAccessKey", "empty"]);
    refused(&key("AKIAIOSFODNN7EXAMPLE", "AKIA\\t"), 7, &["accessKeyId"]);
    refused(
        &key("accessKeyId = \"AKIAIOSFODNN7EXAMPLE\"\n", ""),
        5,
        &["accessKeyId"],
    );
    refused(
        &key(&format!("secretAccessKey = \"{secret}\"\n"), ""),
        5,
        &["secretAccessKey"],
    );
    refused(&key("alias = \"default\"", "alias = \"\""), 5, &["alias"]);
    let both = format!("{GATEWAY}{KEY}apiKey = \"k\"\n");
    refused(&both, 10, &["apiKey"]);
    let session = format!("{GATEWAY}{KEY}sessionToken = \"a b\"\n");
    refused(&session, 10, &["sessionToken"]);
    let api_key = "[[gateway.provider_key]]\napiKey = \"k\\n\"\nregion = \"us-east-1\"\n";
    refused(&format!("{GATEWAY}{api_key}"), 6, &["apiKey", "newline"]);
    let region = api_key.replace("\\n", "").replace("us-east-1", "nowhere");
    refused(&format!("{GATEWAY}{region}"), 7, &["region"]);
}

#[test]
fn secrets_from_elsewhere() {
    let token = |source: &str| GATEWAY.replace("\"token\"", source);
    refused(
        &token("{ env = \"TOWER_BEDROCK_UNSET\" }"),
        4,
        &["tokens", "TOWER_BEDROCK_UNSET"],
    );
    refused(
        &token("{ file = \"/nowhere/token\" }"),
        4,
        &["tokens", "/nowhere/token"],
    );
    refused(
        &token("{ file = \"a\", env = \"b\" }"),
        4,
        &["tokens", "{ env ="],
    );
    refused(&token("{ path = \"a\" }"), 4, &["tokens"]);
    refused(&token("7"), 4, &["tokens", "{ file ="]);
    parse(&token("{ env = \"CARGO_MANIFEST_DIR\" }"))
        .map(drop)
        .unwrap();

    let folder = Folder::new("secrets");
    for (content, fits) in [
        ("token", true),
        ("token\n", true),
        ("token\r\n", true),
        ("token\n\n", false),
        ("token \n", false),
        ("\n", false),
        ("", false),
    ] {
        fs::write(folder.0.join("token"), content).unwrap();
        let parsed = Config::parse(&folder.0.join("g.toml"), &token("{ file = \"token\" }"));
        assert_eq!(parsed.is_ok(), fits, "{content:?}");
    }
}

/// No message repeats what may be a secret.
#[test]
fn silence() {
    for text in [
        GATEWAY.replace("[\"token\"]", "\"hush-hush\""),
        GATEWAY.replace("[\"token\"]", "[\"hush-hush\""),
        GATEWAY.replace("\"token\"", "\"hush-hush \""),
        GATEWAY.replace("\"token\"", "\"hush-hush\\n\""),
        format!("{GATEWAY}tokens_sha256 = [\"hush-hush\"]\n"),
        format!("{GATEWAY}{}", KEY.replace("\"wJal", "\"hush-hush\" \"")),
        format!("{GATEWAY}{}", KEY.replace("\"wJal", "hush-hush \"")),
        format!("{GATEWAY}{}", KEY.replace("\"wJal", "\"hush-hush é")),
        format!("{GATEWAY}{KEY}sessionToken = [\"hush-hush\"]\n"),
        format!("{GATEWAY}connect_timeout_ms = \"hush-hush\"\n"),
        format!("{GATEWAY}{KEY}apiKey = \"hush-hush\"\n"),
    ] {
        let error = parse(&text).err().expect("must be refused");
        assert!(!error.contains("hush"), "{error}");
    }
}

struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn how_long_bodies_may_be() {
    for good in [
        "body_limit = 1\nmessage_limit = 1\n",
        "message_limit = 25165824\n",
    ] {
        parse(&format!("{good}{GATEWAY}")).map(drop).unwrap();
    }
    for (text, words) in [
        ("body_limit = 0", &["body_limit"][..]),
        ("body_limit = -1", &["body_limit"]),
        ("body_limit = \"32M\"", &["body_limit"]),
        ("message_limit = 0", &["message_limit"]),
        ("message_limit = 1.5", &["message_limit"]),
        ("message_limit = 25165825", &["message_limit", "25165824"]),
    ] {
        refused(&format!("{text}\n{GATEWAY}"), 1, words);
    }
}

const PRICE: &str = "[[price]]\nmodel = \"ours\"\ninput = 0.5\noutput = 2\n";

#[test]
fn records_and_prices() {
    let accepted = |text: &str| parse(&format!("{text}{GATEWAY}")).ok().unwrap();
    let config = accepted(PRICE);
    assert_eq!(config.records.prices.len(), Prices::bundled().len() + 1);
    assert!(config.records.drain.is_none() && config.records.payloads.is_none());
    let all = "drain = { ms = 1, bytes = 1 }\npayloads = { response = 9 }\nusage_headers = 9\n";
    let config = accepted(&format!(
        "{all}{PRICE}flex = {{ input = 0, output = 1e6 }}\n"
    ));
    assert!(config.records.drain.is_some());
    assert_eq!(config.records.usage_headers.unwrap().get(), 9);
    let payloads = config.records.payloads.unwrap();
    assert_eq!((payloads.request, payloads.response), (0, 9));

    let same = "[[price]]\nmodel = \"ours\"\nsame_as = \"amazon.nova-lite-v1:0\"\n";
    accepted(same);
    let with = |from: &str, to: &str| format!("{}{GATEWAY}", PRICE.replace(from, to));
    for (text, line, words) in [
        ("drain = 5\n".to_owned(), 1, &["drain"][..]),
        ("drain = { ms = 5 }\n".to_owned(), 1, &["drain", "bytes"]),
        ("drain = { ms = 0, bytes = 5 }\n".to_owned(), 1, &["drain"]),
        ("drain = { ms = 5, bytes = -5 }\n".to_owned(), 1, &["drain"]),
        ("payloads = { request = -1 }\n".to_owned(), 1, &["payloads"]),
        (
            "payloads = { both = 1 }\n".to_owned(),
            1,
            &["payloads", "both"],
        ),
        ("payloads = 9\n".to_owned(), 1, &["payloads"]),
        ("usage_headers = 0\n".to_owned(), 1, &["usage_headers"]),
        ("usage_headers = true\n".to_owned(), 1, &["usage_headers"]),
        (with("0.5", "-0.5"), 3, &["price.input"]),
        (with("0.5", "nan"), 3, &["price.input"]),
        (with("0.5", "inf"), 3, &["price.input"]),
        (with("0.5", "\"0.5\""), 3, &["input"]),
        (with("output = 2", "output = 1000001"), 4, &["price.output"]),
        (with("input = 0.5\n", ""), 1, &["price.input", "missing"]),
        (with("output = 2\n", ""), 1, &["price.output", "missing"]),
        (with("model = \"ours\"\n", ""), 1, &["model"]),
        (with("ours", ""), 2, &["price.model"]),
        (format!("{PRICE}{PRICE}"), 6, &["price.model"]),
        (
            format!("{PRICE}cache_read = -1\n"),
            5,
            &["price.cache_read"],
        ),
        (
            format!("{PRICE}cache_write = -1\n"),
            5,
            &["price.cache_write"],
        ),
        (
            format!("{PRICE}cache_write_1h = -1\n"),
            5,
            &["price.cache_write_1h"],
        ),
        (
            format!("{PRICE}speech_output = -1\n"),
            5,
            &["price.speech_output"],
        ),
        (
            format!("{same}speech_input = 1\n"),
            4,
            &["price.same_as", "all rates"],
        ),
        (
            format!("{PRICE}flex = {{ input = 1 }}\n"),
            5,
            &["flex", "output"],
        ),
        (
            format!("{PRICE}priority = {{ input = -1, output = 1 }}\n"),
            5,
            &["price.input"],
        ),
        (
            format!("{PRICE}batch = {{ input = 1, output = 1 }}\n"),
            5,
            &["batch"],
        ),
        (format!("{same}input = 1\n"), 4, &["price.same_as"]),
        (
            format!("{same}optimized = {{ input = 1, output = 1 }}\n"),
            4,
            &["price.same_as", "all rates"],
        ),
        (
            format!("{same}flex = {{ input = 1, output = 1 }}\n"),
            4,
            &["price.same_as"],
        ),
    ] {
        refused(&format!("{text}{GATEWAY}"), line, words);
    }
}
