//! The command line, by hand: eight options need no parser of their own.

use std::ffi::OsString;
use std::net::SocketAddr;
use std::path::PathBuf;

pub(crate) const USAGE: &str = "\
usage: gateway [OPTIONS]

  --listen ADDR       where clients connect (default 127.0.0.1:8787; port 0 takes a free one)
  --admin ADDR        /health, /metrics and /logs (default 127.0.0.1:8788; off loopback it needs
                      admin_token)
  --config FILE       gateways, tokens and keys, as in examples/gateway.toml
  --endpoint URL      send upstream traffic there instead of to AWS
  --log-file FILE     append one JSON record per request; opened anew on SIGHUP
  --tls-cert FILE     serve TLS with this certificate chain (PEM)
  --tls-key FILE      and this private key (PEM)
  --help

Without --config it is a demo: account, gateway and token are demo, demo and demo-token, and an
emulated Bedrock stands in for AWS unless --endpoint names another.

/logs takes page and per_page (to 100), order_by=FIELD and direction=asc|desc, and of what to show
FIELD=TEXT, FIELD[eq|neq|contains|lt|gt]=TEXT, min_FIELD=N, max_FIELD=N, start_date=TIME,
end_date=TIME, search=TEXT and filters=[{\"key\":…,\"operator\":…,\"value\":[…]}]. FIELD is one of the
record's, tokens, metadata.key, metadata.value or metadata.NAME.

RUST_LOG chooses what is logged to stderr.";

const DEFAULT_LISTEN: ([u8; 4], u16) = ([127, 0, 0, 1], 8787);

#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) listen: SocketAddr,
    /// `None`: the default address, if it is free.
    pub(crate) admin: Option<SocketAddr>,
    pub(crate) config: Option<PathBuf>,
    pub(crate) endpoint: Option<String>,
    pub(crate) log_file: Option<PathBuf>,
    /// Certificate chain and private key.
    pub(crate) tls: Option<(PathBuf, PathBuf)>,
}

/// Reads the arguments after the program's name; `None` asks for the usage.
pub(crate) fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Option<Options>, String> {
    let mut options = Options {
        listen: DEFAULT_LISTEN.into(),
        admin: None,
        config: None,
        endpoint: None,
        log_file: None,
        tls: None,
    };
    let (mut cert, mut key) = (None, None);
    let mut args = args.into_iter();
    while let Some(arg) = args.next() {
        let arg = text(arg)?;
        let (name, inline) = match arg.split_once('=') {
            Some((name, value)) => (name, Some(value.to_owned())),
            None => (&*arg, None),
        };
        let mut value = || match inline.clone() {
            Some(value) => Ok(value),
            None => text(args.next().ok_or(format!("{name} needs a value"))?),
        };
        match name {
            "--help" | "-h" => return Ok(None),
            "--listen" => options.listen = address(name, &value()?)?,
            "--admin" => options.admin = Some(address(name, &value()?)?),
            "--config" => options.config = Some(value()?.into()),
            "--endpoint" => options.endpoint = Some(value()?),
            "--log-file" => options.log_file = Some(value()?.into()),
            "--tls-cert" => cert = Some(value()?.into()),
            "--tls-key" => key = Some(value()?.into()),
            _ => return Err(format!("unknown option {name}")),
        }
    }
    options.tls = match (cert, key) {
        (Some(cert), Some(key)) => Some((cert, key)),
        (None, None) => None,
        _ => return Err("--tls-cert and --tls-key need each other".to_owned()),
    };
    Ok(Some(options))
}

fn text(arg: OsString) -> Result<String, String> {
    arg.into_string()
        .map_err(|arg| format!("{} is not UTF-8", arg.display()))
}

fn address(name: &str, value: &str) -> Result<SocketAddr, String> {
    let full = match value.strip_prefix(':') {
        Some(port) => format!("127.0.0.1:{port}"),
        None => value.to_owned(),
    };
    full.parse()
        .map_err(|_| format!("{name}: \"{value}\" is not an address such as 127.0.0.1:8787"))
}
