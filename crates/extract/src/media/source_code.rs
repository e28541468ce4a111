//! Source code and configuration files, recognised by file name, media type, or the first line of a script.

/// Languages with their file extensions and their media subtypes without `x-`. The empty name stands for preformatted
/// text in no language.
const LANGUAGES: &[(&str, &[&str], &[&str])] = &[
    (
        "",
        &[
            "log",
            "out",
            "err",
            "conf",
            "cfg",
            "cnf",
            "properties",
            "env",
            "service",
            "socket",
            "timer",
            "desktop",
            "gitignore",
            "dockerignore",
            "editorconfig",
            "tf",
            "hcl",
            "lock",
        ],
        &["config", "java-properties", "log"],
    ),
    ("ada", &["adb", "ads"], &["ada", "adasrc"]),
    ("asm", &["asm", "s"], &["asm", "assembly"]),
    ("awk", &["awk"], &["awk"]),
    ("bash", &["sh", "bash", "zsh", "ksh"], &["sh", "shellscript", "shell", "bash"]),
    ("bat", &["bat", "cmd"], &["bat", "msdos-batch"]),
    ("c", &["c", "h"], &["c", "csrc", "chdr"]),
    ("clojure", &["clj", "cljs"], &["clojure"]),
    ("cmake", &["cmake"], &["cmake"]),
    ("cobol", &["cob", "cbl"], &["cobol"]),
    ("cpp", &["cc", "cpp", "cxx", "hh", "hpp", "hxx"], &["c++", "c++src", "c++hdr", "cpp"]),
    ("csharp", &["cs"], &["csharp"]),
    ("css", &["css", "scss", "less", "sass"], &["css", "scss", "less"]),
    ("dart", &["dart"], &["dart"]),
    ("diff", &["diff", "patch"], &["diff", "patch"]),
    ("dockerfile", &["dockerfile"], &["dockerfile"]),
    ("elixir", &["ex", "exs"], &["elixir"]),
    ("erlang", &["erl", "hrl"], &["erlang"]),
    ("fortran", &["f", "for", "f77", "f90", "f95"], &["fortran"]),
    ("fsharp", &["fs", "fsx"], &["fsharp"]),
    ("go", &["go"], &["go"]),
    ("graphql", &["graphql", "gql"], &["graphql"]),
    ("groovy", &["groovy", "gradle"], &["groovy"]),
    ("haskell", &["hs", "lhs"], &["haskell"]),
    ("ini", &["ini", "inf", "reg"], &["ini"]),
    ("java", &["java"], &["java", "java-source"]),
    ("javascript", &["js", "mjs", "cjs", "jsx"], &["javascript", "ecmascript"]),
    (
        "json",
        &["json", "jsonl", "ndjson", "json5", "jsonc", "geojson", "ipynb", "webmanifest", "har"],
        &["json", "ndjson", "jsonlines", "json5", "ld+json", "geo+json", "ipynb+json"],
    ),
    ("julia", &["jl"], &["julia"]),
    ("kotlin", &["kt", "kts"], &["kotlin"]),
    ("lisp", &["lisp", "el", "scm"], &["lisp", "scheme", "emacs-lisp"]),
    ("lua", &["lua"], &["lua"]),
    ("makefile", &["mk", "makefile"], &["makefile"]),
    ("nix", &["nix"], &["nix"]),
    ("objectivec", &["m", "mm"], &["objcsrc", "objective-c"]),
    ("ocaml", &["ml", "mli"], &["ocaml"]),
    ("pascal", &["pas", "dpr"], &["pascal"]),
    ("perl", &["pl", "pm"], &["perl"]),
    ("php", &["php", "phtml"], &["php", "httpd-php"]),
    ("powershell", &["ps1", "psm1", "psd1"], &["powershell"]),
    ("prolog", &["pro"], &["prolog"]),
    ("protobuf", &["proto"], &["protobuf"]),
    ("python", &["py", "pyi", "pyw", "pyx"], &["python", "python-script"]),
    ("r", &["r"], &["r", "rsrc", "r-source"]),
    ("ruby", &["rb", "rake", "gemspec"], &["ruby"]),
    ("rust", &["rs"], &["rust", "rustsrc"]),
    ("scala", &["scala", "sbt"], &["scala"]),
    ("sql", &["sql", "ddl", "dml", "plsql", "pgsql"], &["sql", "plsql"]),
    ("swift", &["swift"], &["swift"]),
    ("tcl", &["tcl"], &["tcl"]),
    ("toml", &["toml"], &["toml"]),
    ("typescript", &["ts", "tsx", "mts", "cts"], &["typescript"]),
    ("vb", &["vb", "vbs", "bas"], &["vb", "vbscript"]),
    ("verilog", &["v", "sv"], &["verilog", "systemverilog"]),
    ("vhdl", &["vhd", "vhdl"], &["vhdl"]),
    ("vue", &["vue"], &[]),
    ("yaml", &["yaml", "yml"], &["yaml"]),
    ("zig", &["zig"], &["zig"]),
];

/// The language by file name, which is in lower case.
pub(super) fn named(name: &str) -> Option<&'static str> {
    let file = name.rsplit(['/', '\\']).next().unwrap_or_default();
    let ending = file.rsplit_once('.').map_or(file, |(_, ending)| ending);
    LANGUAGES
        .iter()
        .find(|(_, endings, _)| endings.contains(&ending))
        .map(|(language, ..)| *language)
        // Well-known names without an extension.
        .filter(|_| file.contains('.') || matches!(file, "makefile" | "dockerfile"))
}

/// The language by media type.
pub(super) fn stated(essence: &str) -> Option<&'static str> {
    let subtype = essence.strip_prefix("text/").or_else(|| essence.strip_prefix("application/"))?;
    let subtype = subtype.strip_prefix("x-").or_else(|| subtype.strip_prefix("vnd.")).unwrap_or(subtype);
    let found = LANGUAGES.iter().find(|(.., types)| types.contains(&subtype)).map(|(language, ..)| *language);
    found
        .or_else(|| subtype.ends_with("+json").then_some("json"))
        .or_else(|| subtype.ends_with("+yaml").then_some("yaml"))
}

/// The language of a script, from the line that says what runs it.
pub(super) fn script(text: &str) -> Option<&'static str> {
    let line = text.strip_prefix("#!")?.lines().next()?;
    let mut words = line.split_whitespace();
    let program = words.next()?.rsplit('/').next()?;
    let program =
        if program == "env" { words.find(|word| !word.starts_with('-') && !word.contains('='))? } else { program };
    let name = program.trim_end_matches(|c: char| c.is_ascii_digit() || c == '.');
    Some(match name {
        "sh" | "bash" | "dash" | "zsh" | "ksh" => "bash",
        "node" | "nodejs" | "deno" | "bun" => "javascript",
        "pwsh" => "powershell",
        "Rscript" => "r",
        name => LANGUAGES.iter().find(|(language, ..)| *language == name).map_or("", |(language, ..)| *language),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_known_by_name_by_type_and_by_its_first_line() {
        for (name, language) in [
            ("a.py", Some("python")),
            ("b/c.YAML", Some("yaml")),
            ("makefile", Some("makefile")),
            ("x.log", Some("")),
            ("readme", None),
            ("c", None),
            ("go", None),
            ("a.txt", None),
            ("a.csv", None),
            ("dir.c/file", None),
        ] {
            assert_eq!(named(&name.to_ascii_lowercase()), language, "{name}");
        }
        assert_eq!(stated("text/x-python"), Some("python"));
        assert_eq!(stated("application/x-yaml"), Some("yaml"));
        assert_eq!(stated("application/vnd.api+json"), Some("json"));
        assert_eq!(stated("text/plain"), None);
        assert_eq!(stated("image/python"), None);
        assert_eq!(script("#!/usr/bin/env -S python3.11 -u\nx"), Some("python"));
        assert_eq!(script("#!/bin/sh\n"), Some("bash"));
        assert_eq!(script("#! /opt/own/tool\n"), Some(""));
        assert_eq!(script("# no"), None);
    }
}
