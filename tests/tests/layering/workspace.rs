//! What Cargo knows of the workspace.

use std::{
    env,
    path::{Path, PathBuf},
    process::Command,
};

use serde::Deserialize;

/// The workspace, as its manifests declare it.
#[derive(Deserialize)]
pub(crate) struct Workspace {
    pub(crate) packages: Vec<Package>,
    #[serde(rename = "workspace_root")]
    pub(crate) root: PathBuf,
}

#[derive(Deserialize)]
#[serde(from = "Declared")]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) manifest: PathBuf,
    /// Names of the packages that normal code and build scripts depend on, for any platform and feature. Tests may use
    /// what they like.
    pub(crate) dependencies: Vec<String>,
}

#[derive(Deserialize)]
struct Declared {
    name: String,
    manifest_path: PathBuf,
    dependencies: Vec<Dependency>,
}

#[derive(Deserialize)]
struct Dependency {
    /// Name of the package, whatever name it has in the code.
    name: String,
    /// `dev`, `build`, or null for normal code.
    kind: Option<String>,
}

impl From<Declared> for Package {
    fn from(declared: Declared) -> Self {
        Self {
            name: declared.name,
            manifest: declared.manifest_path,
            dependencies: declared
                .dependencies
                .into_iter()
                .filter(|dependency| dependency.kind.as_deref() != Some("dev"))
                .map(|dependency| dependency.name)
                .collect(),
        }
    }
}

impl Workspace {
    pub(crate) fn load() -> Self {
        let metadata = cargo(&["metadata", "--format-version", "1", "--no-deps"]);
        serde_json::from_str(&metadata).unwrap()
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.packages.iter().any(|package| package.name == name)
    }
}

/// Names of the packages that normal code of `package` reaches when it is built alone, here or for the browser.
///
/// Not from `cargo metadata`, which adds what other crates of the workspace switch on in shared dependencies.
pub(crate) fn reached_by(package: &str) -> Vec<String> {
    let mut names = Vec::new();
    for target in [&[][..], &["--target", "wasm32-unknown-unknown"]] {
        let tree = [
            "tree",
            "--package",
            package,
            "--all-features",
            "--edges",
            "normal",
        ];
        let format = ["--prefix", "none", "--format", "{p}"];
        let tree = cargo(&[&tree[..], &format, target].concat());
        let name = |line: &str| line.split(' ').next().unwrap_or(line).to_owned();
        names.extend(tree.lines().map(name));
    }
    names
}

fn cargo(args: &[&str]) -> String {
    let output = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .args(args)
        .arg("--locked")
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")))
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo {args:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}
