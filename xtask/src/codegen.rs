//! `cargo xtask codegen [--check]`: the committed Rust of `proto/*.proto`.

use std::{fs, io, path::Path};

/// Schemas in `proto/`, one generated file each.
const SCHEMAS: [&str; 4] = ["auth", "control", "node", "meta"];

/// Where the generated files live, from the workspace root.
const OUT_DIR: &str = "crates/shiome-wire/src/generated";

/// Writes the generated files below `root`, or with `check` only compares them with what is there.
pub(crate) fn run(root: &Path, check: bool) -> Result<String, String> {
    let out = root.join(OUT_DIR);
    let mut stale = Vec::new();
    for (name, fresh) in generate(root)? {
        let path = out.join(&name);
        if check {
            let committed = fs::read_to_string(&path).unwrap_or_default();
            if committed != fresh {
                stale.push(name);
            }
        } else {
            write_if_changed(&path, &fresh).map_err(|e| format!("{}: {e}", path.display()))?;
        }
    }
    if stale.is_empty() {
        Ok(format!("codegen: {} files current", SCHEMAS.len()))
    } else {
        Err(format!(
            "codegen: out of date: {}; run `cargo xtask codegen`",
            stale.join(", ")
        ))
    }
}

fn generate(root: &Path) -> Result<Vec<(String, String)>, String> {
    let proto = root.join("proto");
    let sources = SCHEMAS.map(|name| proto.join(format!("{name}.proto")));
    let descriptors =
        protox::compile(&sources, [&proto]).map_err(|e| format!("codegen: {e:?}"))?;

    let mut config = prost_build::Config::new();
    config.bytes(["."]).format(true);
    let requests = descriptors
        .file
        .into_iter()
        .map(|file| (prost_build::Module::from_protobuf_package_name(file.package()), file))
        .collect();
    let modules = config.generate(requests).map_err(|e| format!("codegen: {e}"))?;
    let mut files: Vec<_> = modules
        .into_iter()
        // Well-known types come from prost-types.
        .filter(|(module, _)| module.parts().next() != Some("google"))
        .map(|(module, code)| (module.to_file_name_or("_"), code))
        .collect();
    files.sort();
    Ok(files)
}

fn write_if_changed(path: &Path, content: &str) -> io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    fs::create_dir_all(path.parent().unwrap_or(Path::new(".")))?;
    fs::write(path, content)
}
