//! `cargo xtask codegen [--check]`: the committed Rust of `proto/*.proto`.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs, io,
    path::Path,
};

use lexopt::{Arg, Parser};

use crate::Stop;

/// Where the schemas live, from the workspace root.
const SCHEMA_DIR: &str = "proto";

/// Where the generated files live, from the workspace root. Nothing else does.
const OUT_DIR: &str = "crates/shiome-wire/src/generated";

pub(crate) fn run(root: &Path, mut args: Parser) -> Result<(), Stop> {
    let mut only_check = false;
    while let Some(arg) = args.next()? {
        match arg {
            Arg::Long("check") => only_check = true,
            other => return Err(other.unexpected().into()),
        }
    }
    let said = if only_check { check(root) } else { write(root) };
    println!("{}", said?);
    Ok(())
}

/// Compares the generated files with the schemas.
///
/// # Errors
///
/// What to tell when they differ, or when a schema is not valid.
pub(crate) fn check(root: &Path) -> Result<String, String> {
    let fresh = generate(root)?;
    let committed = committed(root)?;
    let names: BTreeSet<_> = fresh.keys().chain(committed.keys()).collect();
    let stale: Vec<_> = names
        .into_iter()
        .filter(|name| fresh.get(*name) != committed.get(*name))
        .map(|name| format!("{OUT_DIR}/{name}"))
        .collect();
    if stale.is_empty() {
        Ok(format!("codegen: {} files current", fresh.len()))
    } else {
        Err(format!(
            "codegen: out of date: {}; run `cargo xtask codegen`",
            stale.join(", ")
        ))
    }
}

fn write(root: &Path) -> Result<String, String> {
    let fresh = generate(root)?;
    let committed = committed(root)?;
    let out = root.join(OUT_DIR);
    let mut changed = Vec::new();
    for (name, code) in &fresh {
        // An unchanged file keeps its time stamp, so nothing is built again for it.
        if committed.get(name) != Some(code) {
            fs::write(out.join(name), code).map_err(|e| format!("{OUT_DIR}/{name}: {e}"))?;
            changed.push(name.as_str());
        }
    }
    for name in committed.keys().filter(|name| !fresh.contains_key(*name)) {
        fs::remove_file(out.join(name)).map_err(|e| format!("{OUT_DIR}/{name}: {e}"))?;
        changed.push(name);
    }
    Ok(match changed.len() {
        0 => format!("codegen: {} files current", fresh.len()),
        _ => format!("codegen: changed {}", changed.join(", ")),
    })
}

/// File names and content.
type Files = BTreeMap<String, String>;

fn committed(root: &Path) -> Result<Files, String> {
    read_dir(&root.join(OUT_DIR)).map_err(|e| format!("{OUT_DIR}: {e}"))
}

fn read_dir(dir: &Path) -> io::Result<Files> {
    fs::read_dir(dir)?
        .map(|entry| {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            Ok((name, fs::read_to_string(entry.path())?))
        })
        .collect()
}

/// Compiles the schemas, without `protoc`.
fn generate(root: &Path) -> Result<Files, String> {
    let proto = root.join(SCHEMA_DIR);
    let schemas = read_dir(&proto).map_err(|e| format!("{SCHEMA_DIR}: {e}"))?;
    let sources = schemas.keys().map(|name| proto.join(name));
    let descriptors = protox::compile(sources, [&proto]).map_err(|e| format!("codegen: {e:?}"))?;

    let mut config = prost_build::Config::new();
    config.bytes(["."]).format(true);
    let requests = descriptors
        .file
        .into_iter()
        .map(|file| {
            let module = prost_build::Module::from_protobuf_package_name(file.package());
            (module, file)
        })
        .collect();
    let modules = config
        .generate(requests)
        .map_err(|e| format!("codegen: {e}"))?;
    Ok(modules
        .into_iter()
        // Well-known types come from prost-types.
        .filter(|(module, _)| module.parts().next() != Some("google"))
        .map(|(module, code)| (module.to_file_name_or("_"), code))
        .collect())
}
