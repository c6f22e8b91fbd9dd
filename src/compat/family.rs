//! What each family of models takes.
