#!/usr/bin/env python3
"""Writes what the binaries are made of: components.py ROOT VERSION DIRECTORY.

DIRECTORY/socle.cdx.json    the crates and libraries, as a software bill of materials (CycloneDX 1.5)
DIRECTORY/crate-licenses.gz the licence texts of the crates, each text once

Only crates that are linked count: neither build scripts and procedural macros, nor tests and benchmarks.
"""

import collections
import gzip
import json
import pathlib
import re
import subprocess
import sys

LICENCE_FILES = re.compile(r"(?i)(un)?licen[cs]e|copying|copyright|notice")
PACKAGES = ("socle", "socle-egress", "socle-engine", "socle-generator")


def cargo(root, *arguments):
    command = ["cargo", *arguments, "--locked"]
    return subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout


def linked_crates(root):
    """The crates of crates.io that the binaries link, as `cargo metadata` describes them."""
    metadata = json.loads(cargo(root, "metadata", "--format-version=1"))
    members = [package["name"] for package in metadata["packages"] if package["source"] is None]
    linked = set()
    for package in sorted(set(PACKAGES) & set(members)):
        tree = cargo(root, "tree", f"--package={package}", "--edges=normal,no-proc-macro", "--prefix=none", "--format={p}",
                     "--target=x86_64-unknown-linux-gnu")
        linked.update(tuple(line.split()[:2]) for line in tree.splitlines() if line)
    crates = [package for package in metadata["packages"] if package["source"] is not None]
    return sorted((crate for crate in crates if (crate["name"], "v" + crate["version"]) in linked),
                  key=lambda crate: (crate["name"], crate["version"]))


def version_of(root, variable):
    versions = (root / "pgrx-config/versions.env").read_text()
    return re.search(rf"^{variable}=(\S+)$", versions, re.MULTILINE)[1]


def bill_of_materials(root, version, crates):
    def component(name, version, licence, url):
        return {"type": "library", "name": name, "version": version, "purl": url,
                "licenses": [{"expression": licence}] if licence else []}

    components = [component(crate["name"], crate["version"], (crate["license"] or "").replace("/", " OR "),
                            f"pkg:cargo/{crate['name']}@{crate['version']}") for crate in crates]
    runtime, llama = version_of(root, "ONNXRUNTIME_VERSION"), version_of(root, "LLAMA_NPM_VERSION")
    components.append(component("onnxruntime", runtime, "MIT", f"pkg:pypi/onnxruntime@{runtime}"))
    package = version_of(root, "LLAMA_NPM_PACKAGE")
    components.append(component("llama.cpp", version_of(root, "LLAMA_VERSION"), "MIT",
                                f"pkg:npm/{package.replace('@', '%40')}@{llama}"))
    product = {"type": "application", "name": "socle", "version": version, "licenses": [{"expression": "PostgreSQL"}]}
    return {"bomFormat": "CycloneDX", "specVersion": "1.5", "version": 1, "metadata": {"component": product},
            "components": components}


def licence_texts(crates):
    """All licence texts, each with the crates that come with it."""
    users = collections.defaultdict(list)
    for crate in crates:
        directory = pathlib.Path(crate["manifest_path"]).parent
        name = f"{crate['name']} {crate['version']}"
        # What is embedded, as fonts, has licences of its own.
        files = [file for folder in (directory, directory / "assets") for file in sorted(folder.glob("*"))
                 if file.is_file() and LICENCE_FILES.match(file.name)]
        for file in files:
            users[file.read_text(errors="replace").strip()].append(name)
        if not files:
            users[f"Without a licence text; its manifest says: {crate['license']}"].append(name)
    rule = "=" * 80
    return "".join(f"{rule}\n{', '.join(sorted(set(names)))}\n{rule}\n\n{text}\n\n"
                   for text, names in sorted(users.items(), key=lambda item: item[1]))


def main():
    root, version, directory = pathlib.Path(sys.argv[1]), sys.argv[2], pathlib.Path(sys.argv[3])
    crates = linked_crates(root)
    if len(crates) < 100:
        sys.exit(f"only {len(crates)} crates: the output of cargo tree was not understood")
    bill = json.dumps(bill_of_materials(root, version, crates), indent=1)
    (directory / "socle.cdx.json").write_text(bill + "\n")
    # Without a time stamp, so that the same sources give the same bytes.
    (directory / "crate-licenses.gz").write_bytes(gzip.compress(licence_texts(crates).encode(), mtime=0))


main()
