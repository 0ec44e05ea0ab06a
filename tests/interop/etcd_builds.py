"""etcd's programs of newer versions than Debian's, built once from the Go module proxy."""

import functools
import os
import pathlib
import shutil
import subprocess

VERSIONS = {"etcd": "v3.6.12", "etcdctl-3.5": "v3.5.17", "etcdctl-3.6": "v3.6.16", "etcdutl": "v3.6.16"}
ETCDUTL = (
    "go.etcd.io/etcd/etcdutl/v3"  # nothing but a program: it is built itself, kept by an import of a part
)
BUILD_SECONDS = 1200
MAIN = """package main

import (
	"os"

	"go.etcd.io/etcd/{package}"
)

func main() {{
	os.Args[0] = "{name}"
	{call}
}}
"""


def cache():
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "cloudlet-tests"


@functools.cache
def built(name):
    """The program `name` of VERSIONS; None without Go."""
    version = VERSIONS[name]
    program = cache() / f"{name}-{version}" / name.partition("-")[0]
    if program.exists():
        return str(program)
    if shutil.which("go") is None:
        return None
    folder = program.parent / "source"
    folder.mkdir(parents=True, exist_ok=True)
    module, package, call = {
        "etcd": ("server/v3", "server/v3/etcdmain", "etcdmain.Main(os.Args)"),
        "etcdctl": ("etcdctl/v3", "etcdctl/v3/ctlv3", "ctlv3.MustStart()"),
        "etcdutl": ("etcdutl/v3", "etcdutl/v3/snapshot", "snapshot.NewV3(nil)"),
    }[name.partition("-")[0]]
    (folder / "main.go").write_text(MAIN.format(package=package, name=name.partition("-")[0], call=call))
    (folder / "go.mod").write_text(
        f"module cloudlet.test/etcd\n\ngo 1.23\n\nrequire go.etcd.io/etcd/{module} {version}\n"
    )
    environment = {**os.environ, "GOFLAGS": "-mod=mod"}
    built_one = ETCDUTL if name == "etcdutl" else "."
    for words in (("mod", "tidy"), ("build", "-o", str(program), built_one)):
        subprocess.run(["go", *words], cwd=folder, env=environment, check=True, timeout=BUILD_SECONDS)
    return str(program)
