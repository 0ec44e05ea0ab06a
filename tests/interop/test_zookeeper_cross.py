"""Random operations to us and to a real ZooKeeper: every answer and every event alike."""

import shutil
import subprocess

import pytest
from tests.coord.zookeeper.running import running
from tests.interop import real_zookeeper
from tests.interop.zookeeper_cross import cross_check

pytestmark = pytest.mark.interop

RELEASE = "3.9.5"
STEPS = 3000
POM = f"""<project xmlns="http://maven.apache.org/POM/4.0.0">
  <modelVersion>4.0.0</modelVersion>
  <groupId>cloudlet</groupId><artifactId>zookeeper</artifactId><version>1</version>
  <dependencies>
    <dependency><groupId>org.apache.zookeeper</groupId><artifactId>zookeeper</artifactId>
      <version>{RELEASE}</version></dependency>
    <dependency><groupId>io.dropwizard.metrics</groupId><artifactId>metrics-core</artifactId>
      <version>4.1.12.1</version></dependency>
    <dependency><groupId>org.xerial.snappy</groupId><artifactId>snappy-java</artifactId>
      <version>1.1.10.5</version></dependency>
  </dependencies>
</project>
"""


@pytest.fixture(scope="module")
def debian(tmp_path_factory):
    if (missing := real_zookeeper.missing()) is not None:
        pytest.skip(missing)
    with real_zookeeper.running(tmp_path_factory.mktemp("debian")) as port:
        yield port


@pytest.fixture(scope="module")
def release(tmp_path_factory):
    if shutil.which("mvn") is None:
        pytest.skip("mvn is not installed")
    folder = tmp_path_factory.mktemp("release")
    (folder / "pom.xml").write_text(POM)
    command = ["mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib"]
    subprocess.run(command, cwd=folder, check=True, timeout=300)
    with real_zookeeper.running(folder / "server", classpath=folder / "lib" / "*") as port:
        yield port


@pytest.fixture(scope="module")
def face():
    with running() as face:
        yield face


@pytest.mark.parametrize("seed", range(3))
def test_as_the_newest_release(face, release, seed):
    assert cross_check(face.port, release, seed, STEPS) == []


@pytest.fixture(scope="module")
def face_beside_debian():
    with running() as face:
        yield face


def test_as_debians(face_beside_debian, debian):
    """What its version, 3.8.0, does otherwise than 3.9 is left out: see zookeeper_cross.Chooser."""
    assert cross_check(face_beside_debian.port, debian, 1, STEPS, is_old=True) == []
