//! What a run leaves behind: tables, JSON, figures and the page that shows them.
