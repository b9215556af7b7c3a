//! The kernel programs: built with a toolchain of their own, committed as an
//! object, and proven to belong to the sources.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::shell::{first_line, root, run};

const TARGET: &str = "bpfel-unknown-none";
const OBJECT: &str = "sensor-ebpf/prebuilt/sensor.bpf.o";
const PROVENANCE: &str = "sensor-ebpf/prebuilt/provenance.toml";
/// What the object is made of, besides the versions in Cargo.lock.
const SOURCES: [&str; 4] = [
    "sensor-common/Cargo.toml",
    "sensor-common/src",
    "sensor-ebpf/Cargo.toml",
    "sensor-ebpf/src",
];
/// Crates whose version in Cargo.lock is part of the sources.
const CRATES: [&str; 4] = [
    "aya-ebpf",
    "aya-ebpf-bindings",
    "aya-ebpf-cty",
    "aya-ebpf-macros",
];
/// Debian's compiler has a `core` for BPF; elsewhere a nightly with rust-src
/// builds one.
const DEBIAN_RUSTC: &str = "/usr/bin/rustc";

/// Where the committed object comes from.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Provenance {
    /// SHA-256 over the sources.
    sources: String,
    /// SHA-256 of the object.
    object: String,
    /// First line of `rustc --version`.
    rustc: String,
    /// First line of `bpf-linker --version`.
    linker: String,
}

/// Builds the object and writes down where it comes from.
pub fn build() -> Result<()> {
    let object = compile()?;
    let provenance = Provenance {
        sources: hash_sources()?,
        object: hex(&object),
        rustc: rustc_version()?,
        linker: linker_version()?,
    };
    let text = format!(
        "# Written by `cargo xtask ebpf`. `cargo xtask ebpf --check` compares.\n{}",
        toml::to_string(&provenance)?
    );
    fs::write(root().join(OBJECT), &object)?;
    fs::write(root().join(PROVENANCE), text)?;
    println!("{OBJECT}: {} bytes", object.len());
    Ok(())
}

/// Checks that the committed object belongs to the sources; builds it again
/// and compares byte for byte where the recorded toolchain is there.
pub fn check() -> Result<()> {
    let text = fs::read_to_string(root().join(PROVENANCE)).context(PROVENANCE)?;
    let recorded: Provenance = toml::from_str(&text).context(PROVENANCE)?;
    let object = fs::read(root().join(OBJECT)).context(OBJECT)?;
    ensure!(
        recorded.object == hex(&object),
        "{OBJECT} is not the object of {PROVENANCE}; run `cargo xtask ebpf`"
    );
    ensure!(
        recorded.sources == hash_sources()?,
        "the kernel programs have changed since {OBJECT} was built; run `cargo xtask ebpf`"
    );
    println!("{OBJECT} belongs to the sources");
    let here = (rustc_version(), linker_version());
    match here {
        (Ok(rustc), Ok(linker)) if rustc == recorded.rustc && linker == recorded.linker => {
            ensure!(
                compile()? == object,
                "built again, the object differs from {OBJECT}; run `cargo xtask ebpf`"
            );
            println!("built again, it is the same byte for byte");
        }
        _ => println!(
            "not built again: this takes {} and {}",
            recorded.rustc, recorded.linker
        ),
    }
    Ok(())
}

fn compile() -> Result<Vec<u8>> {
    let debian = Path::new(DEBIAN_RUSTC).exists() && has_bpf_core()?;
    let target_dir = root().join("target/ebpf");
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root());
    if debian {
        cargo
            .args(["build"])
            .env("RUSTC", DEBIAN_RUSTC)
            // The compiler is a stable one; the inline assembly is not stable.
            .env("RUSTC_BOOTSTRAP", "1");
    } else {
        cargo
            .args(["+nightly", "build", "-Z", "build-std=core"])
            .env_remove("RUSTC")
            .env_remove("RUSTUP_TOOLCHAIN");
    }
    cargo
        .args(["--locked", "--release", "--package", "sensor-ebpf"])
        // The daemon's dependencies are built for size, these are not.
        .args(["--config", "profile.release.package.'*'.opt-level=3"])
        // Whatever is best for the program: the verifier knows this code.
        .args(["--config", "profile.release.lto='thin'"])
        .args(["--config", "profile.release.codegen-units=4"])
        .args(["--target", TARGET])
        .env("CARGO_TARGET_DIR", &target_dir)
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .env("RUSTFLAGS", flags()?);
    run(&mut cargo).context(
        "cannot build the kernel programs: they need Debian's rustc-web and \
         libstd-rust-web-dev-bpf, or a nightly toolchain with rust-src, and \
         bpf-linker; see ARCHITECTURE.md",
    )?;
    let built = target_dir.join(TARGET).join("release/sensor");
    strip(&built)
}

/// Paths of this machine must not get into the object.
fn flags() -> Result<String> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| {
            let home = std::env::var_os("HOME")?;
            Some(PathBuf::from(home).join(".cargo"))
        });
    let home = home.context("neither CARGO_HOME nor HOME is set")?;
    let sysroot = first_line(Command::new(DEBIAN_RUSTC).args(["--print", "sysroot"]));
    let mut flags = vec![
        "-C debuginfo=2".to_owned(),
        "-C link-arg=--btf".to_owned(),
        format!("--remap-path-prefix={}=/sensor", root().display()),
    ];
    // Crates lie in a folder that is named after the registry.
    for registry in fs::read_dir(home.join("registry/src"))? {
        let registry = registry?.path();
        flags.push(format!("--remap-path-prefix={}=/cargo", registry.display()));
    }
    if let Ok(sysroot) = sysroot {
        flags.push(format!("--remap-path-prefix={sysroot}=/rust"));
    }
    Ok(flags.join(" "))
}

/// Drops debug information but BTF, which the verifier's messages need.
fn strip(object: &Path) -> Result<Vec<u8>> {
    let out = object.with_extension("stripped");
    let tool = ["llvm-objcopy-22", "llvm-objcopy"]
        .into_iter()
        .find(|tool| first_line(Command::new(tool).arg("--version")).is_ok())
        .context("llvm-objcopy is missing")?;
    run(Command::new(tool)
        .args(["--strip-debug"])
        .arg(object)
        .arg(&out))?;
    Ok(fs::read(out)?)
}

fn has_bpf_core() -> Result<bool> {
    let sysroot = first_line(Command::new(DEBIAN_RUSTC).args(["--print", "sysroot"]))?;
    Ok(Path::new(&sysroot)
        .join("lib/rustlib")
        .join(TARGET)
        .exists())
}

fn rustc_version() -> Result<String> {
    if Path::new(DEBIAN_RUSTC).exists() && has_bpf_core()? {
        first_line(Command::new(DEBIAN_RUSTC).arg("--version"))
    } else {
        first_line(Command::new("rustc").args(["+nightly", "--version"]))
    }
}

fn linker_version() -> Result<String> {
    first_line(Command::new("bpf-linker").arg("--version"))
}

fn hash_sources() -> Result<String> {
    let mut files = Vec::new();
    for source in SOURCES {
        list(&root().join(source), &mut files)?;
    }
    files.sort();
    let mut hash = Sha256::new();
    for file in files {
        let name = file.strip_prefix(root())?.to_string_lossy().into_owned();
        let bytes = fs::read(&file)?;
        hash.update(format!("{name} {}\n", bytes.len()));
        hash.update(bytes);
    }
    for name in CRATES {
        hash.update(format!("{name} {}\n", locked_version(name)?));
    }
    Ok(format_hash(&hash.finalize()))
}

fn locked_version(name: &str) -> Result<String> {
    #[derive(Deserialize)]
    struct Lock {
        package: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        version: String,
    }
    let lock: Lock = toml::from_str(&fs::read_to_string(root().join("Cargo.lock"))?)?;
    match lock
        .package
        .into_iter()
        .find(|package| package.name == name)
    {
        Some(package) => Ok(package.version),
        None => bail!("Cargo.lock has no {name}"),
    }
}

fn list(path: &Path, files: &mut Vec<PathBuf>) -> Result<()> {
    if path.is_dir() {
        for entry in fs::read_dir(path)? {
            list(&entry?.path(), files)?;
        }
    } else {
        files.push(path.to_path_buf());
    }
    Ok(())
}

fn hex(bytes: &[u8]) -> String {
    format_hash(&Sha256::digest(bytes))
}

fn format_hash(hash: &[u8]) -> String {
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}
