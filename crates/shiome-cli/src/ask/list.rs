//! Lists, for people and for programs.

use serde::{Serialize, de::DeserializeOwned};
use shiome::inspect::Paged;

use super::{
    AskFailure, At, AtOrJoin, Told,
    client::Client,
    source::Source,
    table::{self, Table},
};

/// Of which things, and of which node.
#[derive(Debug, clap::Args)]
pub(super) struct Listed {
    /// List so many at most: 1 to 1000000.
    #[arg(long, value_name = "N", default_value_t = 1000, value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    limit: u32,

    #[command(flatten)]
    at: AtOrJoin,
}

impl Listed {
    /// What `ask` finds, up to the limit that it is given.
    pub(super) async fn show<T: Serialize, const COLUMNS: usize>(
        self,
        ask: impl AsyncFnOnce(&mut Source, usize) -> Result<Paged<T>, AskFailure>,
        head: [&str; COLUMNS],
        cells: impl Fn(T) -> [String; COLUMNS],
    ) -> Result<(), AskFailure> {
        let mut source = Source::of(&self.at).await?;
        let limit = usize::try_from(self.limit).unwrap_or(usize::MAX);
        let found = ask(&mut source, limit).await;
        source.close().await;
        let found = found?;
        if self.at.at.told.json {
            return table::print_json(&found);
        }
        let (shown, total) = (found.items.len(), found.total);
        print(head, found.items.into_iter().map(cells))?;
        if shown < total {
            table::print(&format!("{shown} of {total}"))?;
        }
        Ok(())
    }
}

/// All that the admin endpoint tells at `path`; the text `none` when it is nothing.
pub(super) async fn show_all<T: Serialize + DeserializeOwned, const COLUMNS: usize>(
    at: &At,
    path: &str,
    none: &str,
    head: [&str; COLUMNS],
    cells: impl Fn(T) -> [String; COLUMNS],
) -> Result<(), AskFailure> {
    let mut client = Client::open(at).await?;
    let all: Vec<T> = client.get(path).await?;
    match at.told {
        Told { json: true, .. } => table::print_json(&all),
        _ if all.is_empty() => table::print(none),
        _ => print(head, all.into_iter().map(cells)),
    }
}

fn print<const COLUMNS: usize>(
    head: [&str; COLUMNS],
    rows: impl Iterator<Item = [String; COLUMNS]>,
) -> Result<(), AskFailure> {
    let mut table = Table::new(&head);
    rows.for_each(|cells| table.row(cells));
    table.print()
}
