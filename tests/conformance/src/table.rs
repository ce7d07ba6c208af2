//! Which behaviour holds over which path.

use std::panic::{AssertUnwindSafe, catch_unwind};

use shiome_bus::BusOptions;

use crate::{
    bad_input, behaviours, rooms,
    stage::{BoxFuture, STAGES, Stage, World, run},
};

/// A behaviour: what it is called, and a program that panics where it does not hold.
pub(crate) type Behaviour = (&'static str, for<'a> fn(&'a dyn World) -> BoxFuture<'a, ()>);

/// Makes a test of each behaviour, and the list of all.
macro_rules! each {
    ($($(#[$doc:meta])* async fn $name:ident($world:ident) $body:block)*) => {
        $(
            $(#[$doc])*
            fn $name($world: &dyn crate::stage::World) -> crate::stage::BoxFuture<'_, ()> {
                Box::pin(async move { $body })
            }
        )*

        pub(crate) const ALL: &[crate::table::Behaviour] = &[$((stringify!($name), $name)),*];

        mod tests {
            $(#[test]
            fn $name() {
                crate::table::everywhere(super::$name);
            })*
        }
    };
}
pub(crate) use each;

/// Options that make limits small enough to reach.
pub(crate) fn options() -> BusOptions {
    BusOptions::default().max_payload_len(64 * 1024)
}

pub(crate) fn everywhere(program: for<'a> fn(&'a dyn World) -> BoxFuture<'a, ()>) {
    for stage in STAGES {
        run(stage, options(), program);
    }
}

fn holds(stage: &dyn Stage, (_, program): Behaviour) -> bool {
    catch_unwind(AssertUnwindSafe(|| run(stage, options(), program))).is_ok()
}

#[test]
fn table() {
    let all = || {
        let input = bad_input::ALL.iter().chain(rooms::ALL);
        behaviours::ALL.iter().chain(input).copied()
    };
    let width = all().map(|(name, _)| name.len()).max().unwrap_or(0);
    let head: Vec<_> = STAGES.iter().map(|stage| stage.name()).collect();
    println!("\n{:width$}  {}", "behaviour", head.join("  "));
    let mut failed = Vec::new();
    for behaviour in all() {
        let (name, _) = behaviour;
        let mut cells = String::new();
        for stage in STAGES {
            let holds = holds(stage, behaviour);
            if !holds {
                failed.push(format!("{name} over {}", stage.name()));
            }
            let cell = if holds { "holds" } else { "FAILS" };
            cells.push_str(&format!("  {cell:columns$}", columns = stage.name().len()));
        }
        println!("{:width$}{}", name.replace('_', " "), cells.trim_end());
    }
    assert!(failed.is_empty(), "{failed:#?}");
}
