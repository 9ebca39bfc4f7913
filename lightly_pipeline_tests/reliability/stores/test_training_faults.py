"""A store's faults while a model is trained: the same weights in the end, or an error.

What is told apart here from the matrix is what training adds: videos read without a table being
made, a state after each epoch, a checkpoint, and the documents that name it.
"""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from lightly_pipeline import Dataset, LocalDatasource, run
from lightly_pipeline.errors import DatasourceError
from lightly_pipeline.training.models import model_of_run
from lightly_pipeline_tests.reliability.stores.cases import ALWAYS, FIRST, IMPATIENT_S, RAW
from lightly_pipeline_tests.reliability.stores.conftest import SECRET, MakeChain
from lightly_pipeline_tests.support.chains import N_SAMPLES, Chain, Videos
from lightly_pipeline_tests.support.faults import Fault
from lightly_pipeline_tests.support.selections import chosen
from lightly_pipeline_tests.support.training import SMALL, TRAIN

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]
_STATE, _CHECKPOINT = "/training/.*state.ckpt", "/checkpoint.ckpt"
_DOCUMENT, _ATTEMPTS = "/training/.*model.json", "/training/attempts/"
_OPTIONS: dict[str, Any] = {
    "worker_config": TRAIN | {"upload_report": False},
    # All frames at once: each step takes long where both cores are busy.
    "lightly_config": SMALL
    | {"trainer": {"max_epochs": 1, "gpus": 0}, "loader": {"batch_size": 87}},
    "selection_config": {"n_samples": N_SAMPLES},
}
Trained = tuple[str, list[tuple[str, int]]]


@pytest.fixture(autouse=True)
def _no_model_here(encoders_folder: Path) -> None:
    """No model is found on this machine, so that each is read from the store."""


@pytest.fixture(scope="module")
def truth(contents: Videos, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """The weights and the choice where the store is a folder."""
    folder = tmp_path_factory.mktemp("truth")
    (folder / "in").mkdir()
    for path, content in contents.items():
        (folder / "in" / path).write_bytes(content)
    dataset = Dataset(
        "chain", input=LocalDatasource(folder / "in"), lightly=LocalDatasource(folder / "out")
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LIGHTLY_PIPELINE_ENCODERS", str(folder / "encoders"))
        result = run(dataset, **_OPTIONS)
    return _sha256(dataset, result.run_id), chosen(result)


def _sha256(dataset: Dataset, run_id: str) -> str:
    model = model_of_run(dataset.lightly, run_id)
    assert model is not None
    return model.sha256


def _check(chain: Chain, result: Any, truth: Trained) -> None:
    assert (_sha256(chain.dataset, result.run_id), chosen(result)) == truth
    chain.check_input_untouched()


@pytest.mark.parametrize(
    "faults",
    [
        (
            Fault("status", f"({RAW}|{FIRST})", status=503, code="SlowDown", times=3),
            Fault("reset", RAW, times=2),
        ),
        (Fault("truncate", RAW),),
        (Fault("short", RAW, skip=1),),
        (Fault("flip", RAW, at=1_000_000), Fault("flip", FIRST, at=5_000)),
        (
            Fault("status", f"PUT .*({_STATE}|{_CHECKPOINT}|{_DOCUMENT})", status=500, times=3),
            Fault("status", f"PUT .*{_ATTEMPTS}", status=503, code="SlowDown", times=3),
        ),
        (Fault("lost answer", f"PUT .*({_STATE}|{_CHECKPOINT}|{_DOCUMENT})", times=3),),
        (
            Fault("page", f"GET .*{_DOCUMENT}", status=502, times=2),
            Fault("truncate", f"GET .*{_CHECKPOINT}"),
        ),
        (Fault("short", f"GET .*{_CHECKPOINT}"), Fault("flip", f"GET .*{_DOCUMENT}", at=30)),
        (Fault("flip", f"GET .*{_CHECKPOINT}", at=20_000),),
    ],
    ids=lambda faults: ", ".join(f"{fault.kind} {fault.match}" for fault in faults),
)
def test_passing_faults_change_no_weight(
    make_chain: MakeChain,
    truth: Trained,
    faults: tuple[Fault, ...],
    caplog: pytest.LogCaptureFixture,
) -> None:
    chain = make_chain(**_OPTIONS)
    happening = [replace(fault) for fault in faults]
    chain.proxy.add(*happening)
    result = chain.run(patience_s=60)
    for before, after in zip(faults, happening, strict=True):
        assert after.times < before.times, f"{before.kind} {before.match} never happened"
    _check(chain, result, truth)
    assert SECRET not in caplog.text


@pytest.mark.parametrize(
    "match", [RAW, f"PUT .*{_STATE}", f"PUT .*{_CHECKPOINT}", f"GET .*{_CHECKPOINT}"]
)
def test_a_store_that_stays_away_ends_the_run_and_the_next_one_goes_on(
    make_chain: MakeChain, truth: Trained, match: str
) -> None:
    chain = make_chain(**_OPTIONS)
    chain.proxy.add(Fault("status", match, status=503, code="SlowDown", times=ALWAYS))
    with pytest.raises(DatasourceError, match="SlowDown"):
        chain.run(patience_s=IMPATIENT_S)
    assert not chain.stored(".lightly/tags/")
    chain.proxy.clear()
    _check(chain, chain.run(), truth)


def test_a_video_that_is_forbidden_is_named(make_chain: MakeChain) -> None:
    chain = make_chain(**_OPTIONS)
    chain.proxy.add(Fault("status", RAW, status=403, code="AccessDenied", times=ALWAYS))
    with pytest.raises(DatasourceError, match=r"raw\.avi"):
        chain.run(patience_s=IMPATIENT_S)
    result = chain.run(pipeline_config={"allow_incomplete": True})
    assert set(result.failed_videos) == {"raw.avi"}
    model = model_of_run(chain.dataset.lightly, result.run_id)
    assert model is not None
    assert model.n_frames == 12
