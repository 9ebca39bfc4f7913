"""OpenStack Swift with its S3 front, all four servers in one process, for tests and the S3 demo.

    python -m lightly_pipeline_tests.support.swift_server FOLDER PORT REGION

A production object store with authentication on: wrong keys are refused, damaged uploads too. Keeps
its data in FOLDER, which must be on a file system with extended attributes (Linux).
"""

import eventlet

eventlet.monkey_patch()

import logging  # noqa: E402
import os  # noqa: E402
import secrets  # noqa: E402
import signal  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402

READY = "ready"
_BACKENDS = ("account", "container", "object")
_SWIFT = """[swift-hash]
swift_hash_path_suffix = {suffix}
swift_hash_path_prefix = {prefix}
[storage-policy:0]
name = gold
default = yes
[swift-constraints]
max_header_size = 32768
"""
_BACKEND = """[DEFAULT]
swift_dir = {etc}
devices = {root}/node
mount_check = false
log_level = ERROR
fallocate_reserve = 0
disable_fallocate = true
[pipeline:main]
pipeline = {name}-server
[app:{name}-server]
use = egg:swift#{name}
"""
_FILTERS = {
    "catch_errors": "catch_errors",
    "gatekeeper": "gatekeeper",
    "proxy-logging": "proxy_logging",
    "cache": "memcache\nmemcache_servers = 127.0.0.1:1",
    "listing_formats": "listing_formats",
    "bulk": "bulk",
    "s3api": "s3api\ns3_acl = true\nlocation = {region}\nallow_no_owner = false\n"
    "check_bucket_owner = false\nmax_bucket_listing = 1000",
    "tempauth": "tempauth\nuser_test_admin = adminsecret .admin .reseller_admin",
    "copy": "copy",
    "slo": "slo",
    "dlo": "dlo",
}
_PROXY = """[DEFAULT]
swift_dir = {etc}
bind_ip = 127.0.0.1
bind_port = {port}
workers = 0
log_level = WARNING
[pipeline:main]
pipeline = {pipeline}
[app:proxy-server]
use = egg:swift#proxy
account_autocreate = true
allow_account_management = true
"""
_PIPELINE = (
    "catch_errors gatekeeper proxy-logging cache listing_formats bulk s3api tempauth copy slo dlo "
    "proxy-logging proxy-server"
)


def serve(root: Path, port: int, region: str) -> None:
    """Writes Swift's configuration below `root` and serves until it is ended."""
    etc = root / "etc"
    etc.mkdir(parents=True, exist_ok=True)
    (root / "node" / "d1").mkdir(parents=True, exist_ok=True)
    _configure_hash(etc)
    from swift.common import wsgi
    from swift.common.http_protocol import SwiftHttpProtocol

    sockets = {name: eventlet.listen(("127.0.0.1", 0)) for name in _BACKENDS}
    sockets["proxy"] = eventlet.listen(("127.0.0.1", port))
    for name in _BACKENDS:
        _make_ring(etc, name, sockets[name].getsockname()[1])
        text = _BACKEND.format(etc=etc, root=root, name=name)
        (etc / f"{name}-server.conf").write_text(text)
    filters = "".join(f"[filter:{name}]\nuse = egg:swift#{use}\n" for name, use in _FILTERS.items())
    filters = filters.format(region=region)
    (etc / "proxy-server.conf").write_text(
        _PROXY.format(etc=etc, port=port, pipeline=_PIPELINE) + filters
    )
    for name, listener in sockets.items():
        application = wsgi.loadapp(str(etc / f"{name}-server.conf"), global_conf={})
        eventlet.spawn(
            eventlet.wsgi.server,
            listener,
            application,
            log=logging.getLogger("swift-server"),
            log_output=False,
            protocol=SwiftHttpProtocol,
            capitalize_response_headers=False,
        )
    print(READY, flush=True)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    while True:
        eventlet.sleep(3600)


def _configure_hash(etc: Path) -> None:
    """Points Swift's modules, which read it on import, at a configuration of our own."""
    file = etc / "swift.conf"
    if not file.exists():
        file.write_text(_SWIFT.format(suffix=secrets.token_hex(8), prefix=secrets.token_hex(8)))
    import swift.common.utils

    swift.common.utils.SWIFT_CONF_FILE = str(file)
    from swift.common import constraints, storage_policy

    swift.common.utils.validate_hash_conf()
    constraints.reload_constraints()
    storage_policy.reload_storage_policies()


def _make_ring(etc: Path, name: str, port: int) -> None:
    from swift.common.ring import RingBuilder

    address = {"ip": "127.0.0.1", "port": port}
    device = {
        "id": 0,
        "region": 1,
        "zone": 1,
        "device": "d1",
        "weight": 1.0,
        "meta": "",
        **address,
        "replication_ip": "127.0.0.1",
        "replication_port": port,
    }
    builder = RingBuilder(4, 1, 0)
    builder.add_dev(device)
    builder.rebalance(seed="one device")
    builder.get_ring().save(str(etc / f"{name}.ring.gz"))


if __name__ == "__main__":
    serve(Path(sys.argv[1]).resolve(), int(sys.argv[2]), sys.argv[3])
