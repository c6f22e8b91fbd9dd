//! Requests of OpenAI, as Converse takes them.
