//! Composable Tower layers that put Amazon Bedrock behind a gateway of your own.
#![cfg_attr(docsrs, feature(doc_cfg))]

pub mod error;

pub mod route;

pub mod context;

pub mod body;

pub mod reject;

#[cfg(feature = "auth")]
pub mod auth;

#[cfg(feature = "rewrite")]
pub mod rewrite;

#[cfg(feature = "upstream")]
pub mod upstream;

#[doc(inline)]
pub use self::{
    body::BoxError,
    context::{ClientCredentials, Context, Policy, Principal, Timeouts},
    error::ConfigError,
    reject::{Dialect, Rejection, RejectionKind},
    route::RouteConfig,
};
