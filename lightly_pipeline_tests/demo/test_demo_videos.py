"""The sample videos are what the README says they are."""

from pathlib import Path

import pytest

from lightly_pipeline.demo import make_demo_videos
from lightly_pipeline.errors import CorruptVideoError
from lightly_pipeline.video import open_video

pytestmark = pytest.mark.slow


def test_sample_videos_cover_the_codecs_and_are_made_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import lightly_pipeline.demo as demo

    shots = {
        clip.path: tuple((name, min(seconds, 0.4)) for name, seconds in clip.shots)
        for clip in demo._CLIPS
    }
    from dataclasses import replace

    short = tuple(replace(clip, shots=shots[clip.path]) for clip in demo._CLIPS)
    monkeypatch.setattr(demo, "_CLIPS", short)
    files = make_demo_videos(tmp_path)
    codecs = set()
    for file in files:
        if file.name == "broken.mp4":
            with pytest.raises(CorruptVideoError):
                open_video(file)
            continue
        with open_video(file) as video:
            codecs.add(video.info.codec)
            assert len(list(video.frames())) >= 10
    assert codecs == {"h264", "libdav1d", "mpeg2video", "cinepak"}
    assert len({file.parent for file in files}) > 2
    times = [file.stat().st_mtime_ns for file in files]
    assert make_demo_videos(tmp_path) == files
    assert [file.stat().st_mtime_ns for file in files] == times
