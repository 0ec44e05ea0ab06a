"""etcd's programs of newer versions than Debian's, built once from the Go module proxy."""

import functools
import os
import pathlib
import shutil
import subprocess

VERSIONS = {"etcd": "v3.6.12", "etcdctl-3.5": "v3.5.17", "etcdctl-3.6": "v3.6.16"}
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
    is_server = name == "etcd"
    module = "server/v3" if is_server else "etcdctl/v3"
    package, call = ("server/v3/etcdmain", "etcdmain.Main(os.Args)") if is_server else (
        "etcdctl/v3/ctlv3", "ctlv3.MustStart()"
    )  # fmt: skip
    (folder / "main.go").write_text(MAIN.format(package=package, name=name.partition("-")[0], call=call))
    (folder / "go.mod").write_text(
        f"module cloudlet.test/etcd\n\ngo 1.23\n\nrequire go.etcd.io/etcd/{module} {version}\n"
    )
    environment = {**os.environ, "GOFLAGS": "-mod=mod"}
    for words in (("mod", "tidy"), ("build", "-o", str(program), ".")):
        subprocess.run(["go", *words], cwd=folder, env=environment, check=True, timeout=BUILD_SECONDS)
    return str(program)
