"""The pixels of a frame are the ones that its file means."""

from pathlib import Path

import av
import numpy as np

from lightly_pipeline.video import FrameInput, open_video
from lightly_pipeline_tests.support.videos import BY_NAME, make_video


def test_rotation_of_the_container_is_applied(tmp_path: Path) -> None:
    recipe = BY_NAME["h264.mp4"]
    upright = make_video(tmp_path, recipe, "upright.mp4")
    turned = tmp_path / "turned.mp4"
    with av.open(str(upright)) as source, av.open(str(turned), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        stream.set_display_rotation(90)
        for packet in source.demux(video=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    with open_video(turned) as a, open_video(upright) as b:
        assert (a.index().rows[0].width, a.index().rows[0].height) == (120, 160)
        rgb = next(a.fetch([5])).to_rgb()
        plain = next(b.fetch([5])).to_rgb()
        small = next(a.frames(FrameInput(60, 80))).small
    assert np.array_equal(rgb, np.rot90(plain, 1))
    assert small.shape == (80, 60, 3)
