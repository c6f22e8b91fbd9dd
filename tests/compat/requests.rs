//! Requests of OpenAI, as Converse takes them.

mod bad_input;
mod generate;
mod generated;
mod golden;
mod json;
mod rules;
