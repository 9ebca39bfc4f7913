"""Runs Ceph's object gateway on this machine: a monitor, a store in memory, the S3 front.

Needs Debian's ceph-mon, ceph-osd, radosgw and ceph-common; nothing is installed here.
"""

import shutil
import subprocess
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from lightly_pipeline_tests.support.cloud_servers import READER, WRITER, free_port
from lightly_pipeline_tests.support.s3_servers import client_at

_PROGRAMS = ("ceph-mon", "ceph-osd", "radosgw", "radosgw-admin", "ceph", "monmaptool")
_CONFIGURATION = """[global]
fsid = {fsid}
mon_initial_members = a
mon_host = [v1:127.0.0.1:{mon}]
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_crush_chooseleaf_type = 0
mon_allow_pool_size_one = true
mon_data = {root}/mon
osd_data = {root}/osd
run_dir = {root}/run
admin_socket = {root}/run/$name.asok
log_file = {root}/$name.log
osd_objectstore = memstore
memstore_device_bytes = 4294967296
keyring = {root}/keyring
rgw_data = {root}/rgw
rgw_frontends = beast endpoint=127.0.0.1:{rgw}
ms_bind_msgr2 = false
rgw_enable_usage_log = false
osd_max_object_name_len = 2048
"""
_KEYS = {name: (f"CEPH{name.upper()}", f"{name}secret1") for name in ("admin", "reader", "writer")}


def has_ceph() -> bool:
    """Whether Ceph's programs are installed."""
    return all(shutil.which(program) for program in _PROGRAMS)


@contextmanager
def ceph(folder: Path, bucket: str) -> Iterator[tuple[str, dict[str, tuple[str, str]]]]:
    """Runs a cluster of one with a bucket; yields its URL and the keys of a reader and a writer."""
    root = folder.resolve()
    for part in ("mon", "osd", "run", "rgw"):
        (root / part).mkdir(parents=True)
    ports = {"mon": free_port(), "rgw": free_port()}
    fsid, file = str(uuid.uuid4()), root / "ceph.conf"
    file.write_text(_CONFIGURATION.format(root=root, fsid=fsid, **ports))

    def call(*command: str) -> None:
        subprocess.run(command, check=True, capture_output=True, timeout=120)

    with ExitStack() as running:

        def serve(program: str, *arguments: str) -> None:
            command = [program, "-c", str(file), *arguments, "-f"]
            with (root / f"{program}.out").open("w") as out:
                process = subprocess.Popen(command, stdout=out, stderr=out)
            running.callback(process.wait)
            running.callback(process.kill)

        mon_map = str(root / "monmap")
        call("ceph-authtool", "--create-keyring", f"{root}/keyring", "--gen-key", "-n", "mon.")
        place = f"v1:127.0.0.1:{ports['mon']}"
        call("monmaptool", "--create", "--fsid", fsid, "--addv", "a", place, mon_map)
        made = ("--mkfs", "-i", "a", "--monmap", mon_map, "--keyring", f"{root}/keyring")
        call("ceph-mon", "-c", str(file), *made)
        serve("ceph-mon", "-i", "a")
        disk = str(uuid.uuid4())
        call("ceph", "-c", str(file), "osd", "new", disk)
        call("ceph-osd", "-c", str(file), "-i", "0", "--mkfs", "--osd-uuid", disk)
        serve("ceph-osd", "-i", "0")
        serve("radosgw", "-n", "client.rgw")
        url = f"http://127.0.0.1:{ports['rgw']}"
        _wait_for(url)
        for name, (key, secret) in _KEYS.items():
            user = ("--uid", name, "--display-name", name, "--access-key", key)
            admin = ("radosgw-admin", "-c", str(file), "user", "create")
            call(*admin, *user, "--secret-key", secret)
        _grant(url, bucket)
        yield url, {name: _KEYS[name] for name in ("reader", "writer")}


def _wait_for(url: str) -> None:
    until = time.monotonic() + 120
    while True:
        try:
            urllib.request.urlopen(url).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.2)
        else:
            return


def _grant(url: str, bucket: str) -> None:
    """Makes a bucket that the reader may read and the writer write, by its policy."""
    import json

    client = client_at(url, *_KEYS["admin"])
    client.create_bucket(Bucket=bucket)
    statements = [
        {
            "Effect": "Allow",
            "Principal": {"AWS": [f"arn:aws:iam:::user/{user}"]},
            "Action": actions,
            "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        }
        for user, actions in (("reader", READER), ("writer", WRITER))
    ]
    policy = {"Version": "2012-10-17", "Statement": statements}
    client.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
